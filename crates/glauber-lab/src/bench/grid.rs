//! Training steps of a GFlowNet on a hypergrid; the other side is `benches/torchgfn/hypergrid.py`.

use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use clap::Args;
use glauber_energy::Hypergrid;
use glauber_gflownet::{GridWalk, objective};
use glauber_neural::PathTask;
use serde_json::json;

use super::blocks::{Pace, print};
use crate::experiment::hypergrid::perceptron_trainer;

/// Flags of `bench grid`.
#[derive(Debug, Args)]
pub struct Flags {
    /// Coordinates run from 0 to this, exclusive
    #[arg(long, default_value_t = 8)]
    side: usize,
    /// Number of coordinates
    #[arg(long, default_value_t = 2)]
    dimensions: usize,
    /// Paths a step
    #[arg(long, default_value_t = 128)]
    batch: usize,
    #[command(flatten)]
    pace: Pace,
}

/// Times block after block of training steps.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    let (grid, device) = (GridWalk(Hypergrid::new(flags.side, flags.dimensions, [0.1, 0.5, 2.0])?), Device::flex());
    let mut trainer = perceptron_trainer(&grid, usize::MAX, 1, &device);
    let task = PathTask::new(&grid, objective("trajectory-balance")?, flags.batch, &device);
    let mut run = |steps: usize| -> anyhow::Result<()> {
        for _ in 0..steps {
            trainer.step(&task)?;
        }
        Ok(())
    };
    run(flags.pace.warmup)?;
    let parameters = perceptron_trainer(&grid, 1, 1, &device).model().num_params();
    print(&json!({ "side": concat!("glauber ", env!("CARGO_PKG_VERSION")), "parameters": parameters }))?;
    flags.pace.blocks(|steps| {
        let begun = Instant::now();
        run(steps)?;
        print(&json!({ "steps": steps, "seconds": begun.elapsed().as_secs_f64() }))
    })
}
