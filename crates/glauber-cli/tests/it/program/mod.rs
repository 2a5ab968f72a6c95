//! Running the program as a user would.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};

/// The program with arguments.
pub fn glauber<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_glauber"));
    command.args(arguments);
    command
}

/// Runs the program in a folder.
pub fn run(folder: &Path, arguments: &[&str]) -> Output {
    glauber(arguments).current_dir(folder).output().expect("the program runs")
}

/// Standard output of a program that has succeeded.
pub fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a mistake: one line on stderr that names what to change, exit code 2, no panic.
pub fn mistake(folder: &Path, arguments: &[&str], names: &[&str]) {
    let output = run(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(!said.contains("panicked"), "{arguments:?}: {said}");
    assert_eq!(said.trim().lines().count(), 1, "{arguments:?}: {said}");
    for name in names {
        assert!(said.contains(name), "{arguments:?}: no `{name}` in: {said}");
    }
}

/// Settings of a network whose steps take a moment.
pub const TINY: [&str; 8] = [
    "--set",
    "model.width=16",
    "--set",
    "model.layers=1",
    "--set",
    "model.heads=2",
    "--set",
    "model.condition_width=8",
];

/// Flags of a run on a Markov source whose steps take a moment: besides these settings, a tiny network on short sequences.
pub fn small_run(run: &Path, steps: usize, settings: &[&str]) -> Vec<String> {
    let words = ["train", "markov", "--batch", "4", "--length", "8", "--sweeps", "3", "--steps"];
    let mut flags: Vec<String> = words.map(Into::into).into();
    flags.extend([steps.to_string(), "--run".into(), run.display().to_string()]);
    flags.extend(TINY.map(Into::into));
    flags.extend(settings.iter().flat_map(|setting| ["--set".into(), (*setting).into()]));
    flags
}
