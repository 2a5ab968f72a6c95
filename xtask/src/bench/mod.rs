//! `cargo xtask bench`: our steps beside PyTorch's and numba's in one run, and memory by presets.

mod chain;
mod memory;
mod python;
mod side;
mod table;
mod yardstick;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};

use crate::launcher;
use crate::screen::say;

/// What can be measured.
#[derive(Subcommand)]
pub enum What {
    /// Training steps: ours, PyTorch's, ours, PyTorch's …
    Train(Flags),
    /// Sampling steps, each of which redraws one site of each sequence
    Sample(SampleFlags),
    /// Sweeps of Ising and Potts models: ours, numba's, ours, numba's …
    Chain(chain::Flags),
    /// The most memory that training and sampling hold, preset by preset
    Memory(memory::Flags),
}

/// How to measure.
#[derive(Args)]
pub struct Flags {
    /// Sizes, commas between them
    #[arg(long, value_delimiter = ',', default_value = "tiny,small,d256", value_parser = ["tiny", "small", "d256", "masked", "ggm-387m"])]
    shape: Vec<String>,
    /// Blocks of steps of either side, in turn
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Steps of a block
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// Threads of either side; by default as many as there are cores
    #[arg(long)]
    threads: Option<usize>,
    /// Where both sides compute: cpu, cuda or cuda:INDEX; PyTorch has no other of ours
    #[arg(long, default_value = launcher::DEFAULT_DEVICE)]
    device: String,
    /// Train in bfloat16: ours with `train.precision = "bf16"`, theirs under `torch.autocast`
    #[arg(long)]
    bf16: bool,
    /// A Python that has PyTorch; by default `.venv/bin/python`, then `python3`
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Leave out the proof that both sides compute the same
    #[arg(long)]
    no_check: bool,
    /// Write the table here, too
    #[arg(long, value_name = "FILE.md")]
    out: Option<PathBuf>,
}

/// How to measure sampling.
#[derive(Args)]
pub struct SampleFlags {
    #[command(flatten)]
    common: Flags,
    /// Sequences sampled at a time, commas between
    #[arg(long, value_delimiter = ',', default_value = "1,16", value_parser = clap::value_parser!(u64).range(1..))]
    batch: Vec<u64>,
}

/// Prints a table, and writes it where it is wanted, too.
fn publish(text: &str, out: Option<&Path>) -> anyhow::Result<ExitCode> {
    say(text)?;
    if let Some(path) = out {
        fs::write(path, text).with_context(|| format!("`--out {}`", path.display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Measures.
///
/// # Errors
/// When something cannot be built, started or read, or the two sides are not the same network.
pub fn run(what: &What) -> anyhow::Result<ExitCode> {
    match what {
        What::Train(flags) => yardstick::train(flags),
        What::Sample(flags) => yardstick::sample(&flags.common, &flags.batch),
        What::Chain(flags) => chain::run(flags),
        What::Memory(flags) => memory::run(flags),
    }
}
