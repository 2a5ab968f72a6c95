//! The `glauber-lab` program: experiments, yardsticks, and devices beside the CPU device.

#![allow(clippy::disallowed_methods, reason = "programs read the clock and the environment")]

mod bench;
mod compare;
mod devices;
mod experiment;
mod picture;
mod pilot;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use glauber_program::progress::outlive_terminal;
use glauber_program::{begin, ended, expect_single, explained, log, screen};

/// Training allocates and frees large tensors all the time; this allocator keeps their pages, see [`begin`].
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Experiments with and benchmarks of Glauber generative models.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Log more to stderr; repeat the flag to log everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // one value a program
enum Command {
    /// Run an experiment; writes a table, a plot and the runs
    Experiment {
        #[command(subcommand)]
        what: experiment::ExperimentWhat,
    },
    /// Time training and sampling steps, for `cargo xtask bench`
    Bench {
        #[command(subcommand)]
        what: bench::BenchWhat,
    },
    /// Train and evaluate the models of a plan under equal conditions; writes a table, a plot and the runs
    Compare(compare::CompareFlags),
    /// Compare a device with the CPU: logits, loss, gradients, samples and speed
    Device(devices::DeviceFlags),
    /// Draw chains of two runs as they denoise: a line of text beside images
    Picture(picture::PictureFlags),
}

fn main() -> ExitCode {
    begin(env!("CARGO_PKG_NAME"));
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return explained(&error),
    };
    log(arguments.verbose);
    let done = expect_single().and_then(|()| match arguments.command {
        Command::Experiment { what } => experiment::run(what),
        Command::Bench { what } => bench::run(what),
        Command::Picture(flags) => picture::picture(&flags),
        Command::Compare(flags) => outlive_terminal().and_then(|()| compare::compare(&flags)),
        Command::Device(flags) => devices::compare(&flags),
    });
    ended(done.and_then(|()| screen::finish()), ExitCode::SUCCESS)
}
