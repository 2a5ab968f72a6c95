//! Training steps of a GFlowNet on a hypergrid; the other side is `benches/torchgfn/hypergrid.py`.

use std::cell::RefCell;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::Device;
use clap::Args;
use glauber_descent::{Stream, Task};
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
    let trainer = RefCell::new(perceptron_trainer(&grid, usize::MAX, 1.0, 1, &device));
    let task = PathTask::new(&grid, objective("trajectory-balance")?, flags.batch, &device);
    let run = |steps: usize| -> anyhow::Result<f64> {
        let begun = Instant::now();
        for _ in 0..steps {
            trainer.borrow_mut().step(&task)?;
        }
        Ok(begun.elapsed().as_secs_f64())
    };
    run(flags.pace.warmup)?;
    let parameters = perceptron_trainer(&grid, 1, 1.0, 1, &device).model().num_params();
    print(&json!({ "side": concat!("glauber ", env!("CARGO_PKG_VERSION")), "parameters": parameters }))?;
    flags.pace.blocks(|steps| {
        let seconds = run(steps)?;
        // Other paths of the same policy, outside the time.
        let paths = task.batch(trainer.borrow().model(), Stream { seed: 2, number: 0 })?;
        let actions = paths.states().len() as f64 / paths.count() as f64 - 1.0;
        print(&json!({ "steps": steps, "seconds": seconds, "actions": actions }))
    })
}
