//! Blocks of steps, timed; a JSON line each.

use std::io::{BufRead, Write};
use std::time::Instant;

use clap::Args;
use serde_json::{Value, json};

use super::setup::ShapeFlags;

/// What to measure, and how often.
#[derive(Debug, Args)]
pub struct BlockFlags {
    #[command(flatten)]
    pub shape: ShapeFlags,
    /// Steps of a block
    #[arg(long, default_value_t = 3)]
    steps: usize,
    /// Blocks, unless paced
    #[arg(long, default_value_t = 3)]
    blocks: usize,
    /// Steps before the first block
    #[arg(long, default_value_t = 2)]
    warmup: usize,
    /// Wait for a line on standard input before each block
    #[arg(long)]
    paced: bool,
}

impl BlockFlags {
    /// Says who measures, then times block after block; `run` does so many steps.
    pub fn measure(&self, parameters: usize, mut run: impl FnMut(usize) -> anyhow::Result<()>) -> anyhow::Result<()> {
        run(self.warmup)?;
        print(&json!({ "side": concat!("glauber ", env!("CARGO_PKG_VERSION")), "parameters": parameters }))?;
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
            let begun = Instant::now();
            run(self.steps)?;
            print(&json!({ "steps": self.steps, "seconds": begun.elapsed().as_secs_f64() }))?;
            done += 1;
        }
    }
}

/// A line on standard output, at once.
pub fn print(line: &Value) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    Ok(out.flush()?)
}
