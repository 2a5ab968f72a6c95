//! The `glauber` program: trains, samples, infills and evaluates Glauber generative models.

#![allow(clippy::disallowed_methods, reason = "programs read the clock and the environment")]

mod arguments;
mod devices;
mod energy;
mod eval;
mod fidelity;
mod infill;
mod info;
mod judge;
mod manual;
mod paint;
mod ranks;
mod sample;
mod status;
mod tokenize;
mod train;

use std::process::ExitCode;

use clap::Parser;
use glauber_program::{begin, ended, expect_single, explained, log, screen};

use arguments::{Arguments, Command, DeviceWhat};

/// Training frequently allocates and frees large tensors; this allocator keeps their pages, see [`begin`].
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    begin(env!("CARGO_PKG_NAME"));
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return explained(&error),
    };
    log(arguments.verbose);
    // A run is worth more than what is said of it.
    let trains = matches!(arguments.command, Command::Train { .. });
    let shared = matches!(arguments.command, Command::Train { .. } | Command::Sample(_));
    let done = if shared { Ok(()) } else { expect_single() }.and_then(|()| perform(arguments.command));
    ended(if trains { done } else { done.and_then(|()| screen::finish()) }, ExitCode::SUCCESS)
}

fn perform(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Train { what } => train::train(what),
        Command::Sample(flags) => sample::sample(&flags),
        Command::Infill(flags) => infill::infill(&flags),
        Command::Eval(flags) => eval::eval(&flags),
        Command::Energy(flags) => energy::energy(&flags),
        Command::Fidelity(flags) => fidelity::fidelity(&flags),
        Command::Judge(flags) => judge::judge(&flags),
        Command::Info(flags) => info::info(&flags),
        Command::Status(flags) => status::status(&flags),
        Command::Tokenize(flags) => tokenize::tokenize(&flags),
        Command::Completions(flags) => manual::completions(&flags),
        Command::Man(flags) => manual::man(&flags),
        Command::Device { what: DeviceWhat::List } => devices::list(),
    }
}
