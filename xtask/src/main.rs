//! `cargo xtask`: the front door of the workspace.
//!
//! A launcher and a policeman. It builds the `glauber` or the `glauber-lab` program in release for the device asked for and hands over to it, and it
//! checks the invariants of `docs/ARCHITECTURE.md` from the sources and `cargo metadata`. It never links the tensor library, so
//! that it is ready within seconds.

#![allow(clippy::disallowed_methods, reason = "programs read the clock and the environment")]

mod bench;
mod corpus;
mod launcher;
mod screen;
mod tidy;
mod workspace;

use std::ffi::OsString;
use std::fmt;
use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use launcher::{GLAUBER, LAB};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Builds and runs glauber; checks the workspace")]
struct Arguments {
    #[command(subcommand)]
    task: Option<Task>,
}

#[derive(Subcommand)]
enum Task {
    /// Check the invariants of the workspace: layers, backends, manifests, sources, licences
    Tidy,
    /// Train: `train text`, `train markov`, `train sudoku`, or whatever `glauber train --help` lists
    #[command(disable_help_flag = true)]
    Train(Passed),
    /// Draw samples from a run: `glauber sample`
    #[command(disable_help_flag = true)]
    Sample(Passed),
    /// Fill the open sites of a text: `glauber infill`
    #[command(disable_help_flag = true)]
    Infill(Passed),
    /// Bound the likelihood of data under a run: `glauber eval`
    #[command(disable_help_flag = true)]
    Eval(Passed),
    /// Judge the samples of a run on images: `glauber fidelity`
    #[command(disable_help_flag = true)]
    Fidelity(Passed),
    /// Describe a run: `glauber info`
    #[command(disable_help_flag = true)]
    Info(Passed),
    /// Tell where a run stands: `glauber status`
    #[command(disable_help_flag = true)]
    Status(Passed),
    /// List devices: `glauber device list`. `device compare` is `compare`
    #[command(disable_help_flag = true)]
    Device(Passed),
    /// Train a tokenizer, or show how one divides a text: `glauber tokenize`
    #[command(disable_help_flag = true)]
    Tokenize(Passed),
    /// Run a named experiment, as `glauber-lab experiment --help` lists them; `experiment markov` is `glauber train markov`
    #[command(disable_help_flag = true)]
    Experiment(Passed),
    /// Compare a device with the CPU device: `glauber-lab compare`
    #[command(disable_help_flag = true)]
    Compare(Passed),
    /// Measure steps beside PyTorch's, sweeps beside numba's, and memory
    Bench {
        #[command(subcommand)]
        what: bench::What,
    },
}

/// Arguments that go to the program as they stand.
#[derive(clap::Args)]
struct Passed {
    /// Arguments of the program; `--device` also decides which backend is built
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// The caller asked for something that does not exist: exit code 2, as clap has it.
#[derive(Debug)]
struct Usage(String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

fn main() -> ExitCode {
    match perform(Arguments::parse().task) {
        Ok(code) => code,
        // A reader that went away, as in `cargo xtask tidy | head`, is no failure.
        Err(error) if unprinted(&error) == Some(ErrorKind::BrokenPipe) => ExitCode::SUCCESS,
        Err(error) => {
            screen::remark(&format!("error: {error:#}"));
            if error.is::<Usage>() || unprinted(&error).is_some() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// What kept something from being printed.
fn unprinted(error: &anyhow::Error) -> Option<ErrorKind> {
    error.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
}

fn perform(task: Option<Task>) -> anyhow::Result<ExitCode> {
    match task {
        None => {
            Arguments::command().print_help()?;
            Ok(ExitCode::SUCCESS)
        }
        Some(Task::Tidy) => tidy::run(),
        Some(Task::Train(passed)) => launcher::run(GLAUBER, "train", passed.arguments),
        Some(Task::Sample(passed)) => launcher::run(GLAUBER, "sample", passed.arguments),
        Some(Task::Infill(passed)) => launcher::run(GLAUBER, "infill", passed.arguments),
        Some(Task::Eval(passed)) => launcher::run(GLAUBER, "eval", passed.arguments),
        Some(Task::Fidelity(passed)) => launcher::run(GLAUBER, "fidelity", passed.arguments),
        Some(Task::Info(passed)) => launcher::run(GLAUBER, "info", passed.arguments),
        Some(Task::Status(passed)) => launcher::run(GLAUBER, "status", passed.arguments),
        Some(Task::Device(passed)) => launcher::run_device(passed.arguments),
        Some(Task::Tokenize(passed)) => launcher::run(GLAUBER, "tokenize", passed.arguments),
        Some(Task::Experiment(passed)) => launcher::run_experiment(passed.arguments),
        Some(Task::Compare(passed)) => launcher::run(LAB, "compare", passed.arguments),
        Some(Task::Bench { what }) => bench::run(&what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(line: &[&str]) -> Vec<OsString> {
        match Arguments::try_parse_from(line).map(|a| a.task) {
            Ok(Some(Task::Train(passed) | Task::Sample(passed))) => passed.arguments,
            _ => panic!("not a launch: {line:?}"),
        }
    }

    #[test]
    fn flags_of_the_program_are_passed_on_even_help() {
        assert_eq!(passed(&["xtask", "train", "text", "--steps", "20", "--help"]), ["text", "--steps", "20", "--help"]);
        assert_eq!(passed(&["xtask", "sample", "--run", "a b"]), ["--run", "a b"]);
        assert_eq!(passed(&["xtask", "sample", "-h"]), ["-h"]);
    }

    #[test]
    fn an_unknown_task_is_refused() {
        assert!(Arguments::try_parse_from(["xtask", "frobnicate"]).is_err());
        assert!(matches!(Arguments::try_parse_from(["xtask"]).map(|a| a.task), Ok(None)));
    }
}
