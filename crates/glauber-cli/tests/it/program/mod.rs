//! Running the program as a user would.

use std::ffi::OsStr;
use std::process::Command;

/// The program with arguments.
pub fn glauber<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glauber"));
    command.args(arguments);
    command
}

/// Flags of a run on a Markov source whose steps take a moment: besides these settings, a tiny network on short sequences.
#[allow(dead_code)] // not every test trains
pub fn small_run(run: &std::path::Path, steps: usize, settings: &[&str]) -> Vec<String> {
    let network = ["model.width=16", "model.layers=1", "model.heads=2", "model.condition_width=8"];
    let words = ["train", "markov", "--batch", "4", "--length", "8", "--sweeps", "3", "--steps"];
    let mut flags: Vec<String> = words.map(Into::into).into();
    flags.extend([steps.to_string(), "--run".into(), run.display().to_string()]);
    flags.extend(network.iter().chain(settings).flat_map(|setting| ["--set".into(), (*setting).into()]));
    flags
}
