//! Blocks of steps, timed; a JSON line each.

use std::io::{BufRead, Write};
use std::time::Instant;

use clap::Args;
use glauber_program::device::{describe, device};
use glauber_program::screen;
use serde_json::{Value, json};

use super::setup::ShapeFlags;

/// Sizes and number of measurements.
#[derive(Debug, Args)]
pub struct BlockFlags {
    #[command(flatten)]
    pub shape: ShapeFlags,
    #[command(flatten)]
    pace: Pace,
}

/// Number of measurements.
#[derive(Debug, Args)]
pub struct Pace {
    /// Steps per block
    #[arg(long, default_value_t = 3)]
    steps: usize,
    /// Number of blocks, without `--paced`
    #[arg(long, default_value_t = 3)]
    blocks: usize,
    /// Warm-up steps before the first block
    #[arg(long, default_value_t = 2)]
    pub warmup: usize,
    /// Before each block, wait for a line on standard input
    #[arg(long)]
    paced: bool,
}

impl BlockFlags {
    /// Prints the program's name, then times the blocks. `run` does the given number of steps.
    pub fn measure(&self, parameters: usize, mut run: impl FnMut(usize) -> anyhow::Result<()>) -> anyhow::Result<()> {
        run(self.pace.warmup)?;
        let mut side = concat!("glauber ", env!("CARGO_PKG_VERSION")).to_owned();
        let device = device(&self.shape.device)?;
        if let Some(name) = describe(&device) {
            side += &format!(" on {name}");
        }
        print(&json!({ "side": side, "parameters": parameters }))?;
        let held = || device.memory_pool_usage().map(|usage| usage.bytes_reserved);
        self.pace.blocks(|steps| {
            let begun = Instant::now();
            run(steps)?;
            let seconds = begun.elapsed().as_secs_f64();
            print(&json!({ "steps": steps, "seconds": seconds, "bytes": held() }))
        })
    }
}

impl Pace {
    /// Runs every block, on request if paced. `block` receives its number of steps.
    pub fn blocks(&self, mut block: impl FnMut(usize) -> anyhow::Result<()>) -> anyhow::Result<()> {
        let mut requests = std::io::stdin().lock().lines();
        let mut done = 0;
        loop {
            let wanted = match self.paced {
                true => requests.next().transpose()?.is_some(),
                false => done < self.blocks,
            };
            if !wanted {
                return Ok(());
            }
            block(self.steps)?;
            done += 1;
        }
    }
}

/// A line on standard output, at once.
pub fn print(line: &Value) -> anyhow::Result<()> {
    let mut out = screen::out();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
