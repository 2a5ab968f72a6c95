//! How long steps take.

use std::time::Instant;

use burn::tensor::Device;
use glauber_program::device::finish;
use serde::Serialize;

/// Seconds of the first step, with all that is compiled and tuned in it, and of a step after it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Pace {
    /// The first step.
    pub first: f64,
    /// The mean of the others.
    pub step: f64,
}

impl Pace {
    /// Times one step, then so many others, each until the device has done it.
    pub fn of(
        device: &Device,
        others: usize,
        mut run: impl FnMut(usize) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let mut seconds = |steps: usize| -> anyhow::Result<f64> {
            let begun = Instant::now();
            run(steps)?;
            finish(device)?;
            Ok(begun.elapsed().as_secs_f64() / steps.max(1) as f64)
        };
        Ok(Self { first: seconds(1)?, step: seconds(others)? })
    }
}
