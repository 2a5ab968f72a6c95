//! How long steps take.

use std::time::Instant;

use burn::tensor::Device;
use serde::Serialize;

use crate::device::finish;

/// Seconds of the first step, with all that is compiled and tuned in it, and of a step after it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Pace {
    /// The first step.
    pub first: f64,
    /// The mean of the others.
    pub step: f64,
}

impl Pace {
    /// Times `steps` steps, at least two, each until the device has done it.
    pub fn of(device: &Device, steps: usize, mut step: impl FnMut() -> anyhow::Result<()>) -> anyhow::Result<Self> {
        let mut seconds = Vec::with_capacity(steps);
        for _ in 0..steps {
            let begun = Instant::now();
            step()?;
            finish(device)?;
            seconds.push(begun.elapsed().as_secs_f64());
        }
        let later = seconds.len() - 1;
        Ok(Self { first: seconds[0], step: seconds[1..].iter().sum::<f64>() / later as f64 })
    }
}
