//! `cargo xtask bench`: our steps beside PyTorch's and numba's in one run, and memory by presets.

mod chain;
mod grid;
mod machine;
mod memory;
mod python;
mod settings;
mod side;
mod table;
mod yardstick;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};

use self::settings::Setting;
use crate::launcher;
use crate::screen::say;

/// What can be measured.
#[derive(Subcommand)]
pub enum What {
    /// Time training steps, alternating between Glauber and PyTorch
    Train(Flags),
    /// Time sampling steps; each redraws one site of each sequence
    Sample(SampleFlags),
    /// Time sweeps of Ising and Potts models, alternating between Glauber and numba
    Chain(chain::Flags),
    /// Time training steps of GFlowNets on hypergrids, alternating between Glauber and torchgfn
    Grid(grid::Flags),
    /// Measure the peak memory of training and sampling, per preset
    Memory(memory::Flags),
}

/// How to measure.
#[derive(Args)]
pub struct Flags {
    /// Network sizes, comma-separated
    #[arg(long, value_delimiter = ',', default_value = "tiny,small,d256", value_parser = ["tiny", "small", "d256", "masked", "ggm-387m"])]
    shape: Vec<String>,
    /// Number of blocks of steps per side; the sides alternate
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u64).range(1..))]
    rounds: u64,
    /// Steps per block
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    steps: u64,
    /// Threads per side. Default: one per core
    #[arg(long)]
    threads: Option<usize>,
    /// Device of both sides: cpu, cuda or cuda:INDEX (PyTorch supports no other)
    #[arg(long, default_value = launcher::DEFAULT_DEVICE)]
    device: String,
    /// Settings of PyTorch to try, comma-separated; one that fails is a row with its reason
    #[arg(long, value_enum, value_delimiter = ',', default_value = "eager,bf16,compile,both")]
    pytorch: Vec<Setting>,
    /// Train in bfloat16: Glauber with `train.precision = "bf16"`, PyTorch in the settings with `torch.autocast` alone
    #[arg(long)]
    bf16: bool,
    /// Python interpreter with PyTorch. Default: `.venv/bin/python`, else `python3`
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Skip the check that both sides compute the same values
    #[arg(long)]
    no_check: bool,
    /// Also write the table to this file
    #[arg(long, value_name = "FILE.md")]
    out: Option<PathBuf>,
}

/// How to measure sampling.
#[derive(Args)]
pub struct SampleFlags {
    #[command(flatten)]
    common: Flags,
    /// Numbers of sequences sampled together, comma-separated
    #[arg(long, value_delimiter = ',', default_value = "1,16", value_parser = clap::value_parser!(u64).range(1..))]
    batch: Vec<u64>,
}

/// Prints a table, and writes it to `--out` if given.
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
/// If a program cannot be built or started, its output cannot be read, or the two sides compute different values.
pub fn run(what: &What) -> anyhow::Result<ExitCode> {
    match what {
        What::Train(flags) => yardstick::train(flags),
        What::Sample(flags) => yardstick::sample(&flags.common, &flags.batch),
        What::Chain(flags) => chain::run(flags),
        What::Grid(flags) => grid::run(flags),
        What::Memory(flags) => memory::run(flags),
    }
}
