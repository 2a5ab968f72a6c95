//! Sudoku runs in small, and the mistakes that users make.

use std::path::Path;
use std::process::Output;

use crate::program::glauber;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    glauber(arguments).current_dir(folder).output().expect("the program runs")
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs a mistake: one line on stderr that names what to change, exit code 2.
fn mistake(folder: &Path, arguments: &[&str], names: &[&str]) {
    let output = run(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(!said.contains("panicked") && said.trim().lines().count() == 1, "{arguments:?}: {said}");
    names.iter().for_each(|name| assert!(said.contains(name), "{arguments:?}: no `{name}` in: {said}"));
}

const SMALL: [&str; 10] = [
    "--set",
    "model.width=16",
    "--set",
    "model.layers=2",
    "--set",
    "model.heads=2",
    "--set",
    "model.condition_width=8",
    "--set",
    "train.warmup_steps=2",
];

/// Flags of a Sudoku network that is trained in a moment.
fn sudoku<'a>(words: &[&'a str], run: &'a str) -> Vec<&'a str> {
    let sizes = ["--batch", "8", "--sweeps", "2", "--set", "train.validation_sequences=8"];
    let samples = ["--set", "train.samples=4", "--set", "train.sample_every=3"];
    [words, &["--run", run], &SMALL, &sizes, &samples].concat()
}

#[test]
fn sudoku_is_trained_and_told_of() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let text = said(&run(at, &sudoku(&["train", "sudoku", "--steps", "6"], "run")));
    for part in ["of 4 free samples are valid grids", "held-out loss", "run folder: run"] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
    assert!(String::from_utf8_lossy(&run(at, &["info", "run"]).stdout).contains("Sudoku grids, 4x4"));
    mistake(at, &["train", "sudoku", "--side", "5"], &["--side", "4 or 9"]);
    mistake(at, &["train", "sudoku", "--set", "data.side=5", "--run", "new"], &["data.side", "4 or 9"]);
    mistake(at, &["infill", "--run", "run", "a ____"], &["not trained on text"]);
}
