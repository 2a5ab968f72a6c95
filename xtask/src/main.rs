//! `cargo xtask`: the front door of the workspace.
//!
//! Launcher and invariant checks. It builds `glauber` or `glauber-lab` in release mode for the requested device, and
//! runs it. It checks the invariants of `docs/ARCHITECTURE.md` from the sources and `cargo metadata`. It does not link
//! the tensor library, so it builds within seconds.

#![allow(clippy::disallowed_methods, reason = "programs read the clock and the environment")]

mod bench;
mod corpus;
mod launcher;
mod reference;
mod reliability;
mod screen;
mod tidy;
mod workspace;

use std::ffi::OsString;
use std::io::ErrorKind;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command, FromArgMatches, Subcommand, value_parser};

use launcher::{GLAUBER, LAB};

/// Commands passed on to the programs with their arguments unchanged, and their help.
const PASSED: [(&str, &str); 14] = [
    ("train", "Train a model: `train text`, `train markov`, `train sudoku` and others; see `glauber train --help`"),
    ("sample", "Draw samples from a run: `glauber sample`"),
    ("infill", "Fill the gaps in a text, or repaint part of an image: `glauber infill`"),
    ("eval", "Compute a likelihood bound of data under a run: `glauber eval`"),
    ("energy", "Sample a target given by an energy, and find its log Z: `glauber energy`"),
    ("fidelity", "Measure the quality of sampled images: `glauber fidelity`"),
    ("judge", "Measure the quality of sampled texts: `glauber judge`"),
    ("info", "Describe a run: `glauber info`"),
    ("status", "Print the progress of a run: `glauber status`"),
    ("device", "List devices: `glauber device list`; compare one with the CPU device: `device compare`"),
    ("tokenize", "Train a tokenizer, or show how a tokenizer splits a text: `glauber tokenize`"),
    (
        "experiment",
        "Run an experiment; see `glauber-lab experiment --help`. `experiment markov` is `glauber train markov`",
    ),
    ("picture", "Draw chains of two runs as they denoise, text beside images: `glauber-lab picture`"),
    ("compare", "Train and evaluate the models of a plan under equal conditions: `glauber-lab compare FILE`"),
];
const ARGUMENTS: &str = "arguments";

fn command() -> Command {
    let arguments = Arg::new(ARGUMENTS)
        .help("Arguments of the program; `--device` also selects the backend to build")
        .num_args(0..)
        .value_parser(value_parser!(OsString))
        .trailing_var_arg(true)
        .allow_hyphen_values(true);
    let passed = PASSED.map(|(name, about)| Command::new(name).about(about).disable_help_flag(true).arg(&arguments));
    let bench = bench::What::augment_subcommands(Command::new("bench"))
        .about("Benchmark steps against PyTorch, sweeps against numba, and memory")
        .subcommand_required(true)
        .arg_required_else_help(true);
    let all = Command::new("cargo xtask")
        .bin_name("cargo xtask")
        .about("Builds and runs glauber; checks the workspace")
        .subcommand(
            Command::new("tidy")
                .about("Check the invariants of the workspace: layers, backends, manifests, sources, licences"),
        )
        .subcommand(
            Command::new("reference")
                .about("Write docs/reference/configuration.md from the types of the configuration"),
        )
        .subcommands(passed)
        .subcommand(bench);
    reliability::What::augment_subcommands(all)
}

/// The arguments of a program.
fn passed(matches: &ArgMatches) -> Vec<OsString> {
    matches.get_many(ARGUMENTS).unwrap_or_default().cloned().collect()
}

/// A command line error: exit code 2, as in clap.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Usage(String);

fn main() -> ExitCode {
    match perform(&command().get_matches()) {
        Ok(code) => code,
        // A reader that went away, as in `cargo xtask tidy | head`, is no failure.
        Err(error) if unprinted(&error) == Some(ErrorKind::BrokenPipe) => ExitCode::SUCCESS,
        Err(error) => {
            screen::remark(&format!("error: {error:#}"));
            if error.is::<Usage>() || unprinted(&error).is_some() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

/// The error that prevented printing.
fn unprinted(error: &anyhow::Error) -> Option<ErrorKind> {
    error.downcast_ref::<std::io::Error>().map(std::io::Error::kind)
}

fn perform(matches: &ArgMatches) -> anyhow::Result<ExitCode> {
    match matches.subcommand() {
        None => {
            command().print_help()?;
            Ok(ExitCode::SUCCESS)
        }
        Some(("tidy", _)) => tidy::run(),
        Some(("reference", _)) => reference::run(),
        Some(("bench", what)) => bench::run(&bench::What::from_arg_matches(what)?),
        Some(("storm" | "power-loss" | "disk-faults", _)) => {
            reliability::run(&reliability::What::from_arg_matches(matches)?)
        }
        Some(("device", arguments)) => launcher::run_device(passed(arguments)),
        Some(("experiment", arguments)) => launcher::run_experiment(passed(arguments)),
        Some((name @ ("compare" | "picture"), arguments)) => launcher::run(LAB, name, passed(arguments)),
        Some((name, arguments)) => launcher::run(GLAUBER, name, passed(arguments)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(line: &[&str]) -> Vec<OsString> {
        let matches = command().try_get_matches_from(line).unwrap();
        super::passed(matches.subcommand().unwrap().1)
    }

    #[test]
    fn flags_of_the_program_are_passed_on_even_help() {
        assert_eq!(passed(&["xtask", "train", "text", "--steps", "20", "--help"]), ["text", "--steps", "20", "--help"]);
        assert_eq!(passed(&["xtask", "sample", "--run", "a b"]), ["--run", "a b"]);
        assert_eq!(passed(&["xtask", "sample", "-h"]), ["-h"]);
    }

    #[test]
    fn an_unknown_task_is_refused() {
        assert!(command().try_get_matches_from(["xtask", "frobnicate"]).is_err());
        assert!(command().try_get_matches_from(["xtask"]).unwrap().subcommand().is_none());
    }
}
