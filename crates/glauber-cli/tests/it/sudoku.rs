//! Sudoku runs in small, and the mistakes that users make.

use crate::program::{mistake, run, said};

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
