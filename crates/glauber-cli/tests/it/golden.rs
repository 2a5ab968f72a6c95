//! Runs of an earlier version resume to the numbers, samples and bounds that they ended with then.

use std::fs;
use std::path::{Path, PathBuf};

use glauber_pixels::Image;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::glauber;

/// What another processor's rounding may change, relative: losses are sums of some hundred terms in single precision.
const TOLERANCE: f64 = 1e-4;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else if entry.file_name() == "config.toml" {
            let config = fs::read_to_string(entry.path()).expect("a configuration");
            let folder = to.parent().expect("a run is in a folder").display().to_string();
            fs::write(target, config.replace("GOLDEN", &folder)).expect("a configuration");
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// The runs in a temporary folder.
fn runs() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    copy(&golden(), folder.path());
    folder
}

fn expected(run: &str, name: &str) -> String {
    fs::read_to_string(golden().join(run).join("expected").join(name)).expect("what an earlier version did")
}

/// What the program prints on standard output.
fn said(folder: &TempDir, command: &str) -> String {
    let mut program = glauber(command.split('|'));
    let output = program.current_dir(folder.path()).output().expect("the program starts");
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn close(left: f64, right: f64) -> bool {
    (left - right).abs() <= TOLERANCE * left.abs().max(right.abs()).max(1.0)
}

/// The same words, and numbers up to rounding.
fn same(now: &str, then: &str) {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (now, then) = (words(now), words(then));
    assert_eq!(now.len(), then.len(), "{now:?} was {then:?}");
    for (new, old) in now.iter().zip(&then) {
        let numbers = new.parse().ok().zip(old.parse().ok());
        assert!(new == old || numbers.is_some_and(|(new, old)| close(new, old)), "{new} was {old}");
    }
}

/// Resumes a run and compares the metrics of all its evaluations.
fn resume(folder: &TempDir, kind: &str, run: &str) {
    said(folder, &format!("train|{kind}|--run|{run}|--resume|--threads|1"));
    let now = fs::read_to_string(folder.path().join(run).join("metrics.jsonl")).expect("metrics");
    let then = expected(run, "metrics.jsonl");
    assert_eq!(now.lines().count(), then.lines().count(), "{run}: {now}");
    for (now, then) in now.lines().zip(then.lines()) {
        let [now, then]: [Value; 2] = [now, then].map(|line| serde_json::from_str(line).expect("JSON"));
        for (name, then) in then.as_object().expect("an object").iter().filter(|(name, _)| *name != "seconds") {
            let numbers = now[name].as_f64().zip(then.as_f64()).expect("numbers");
            assert!(close(numbers.0, numbers.1), "{run}, {name}: {} was {then}", now[name]);
        }
    }
}

fn pixels(path: &Path) -> Image {
    Image::open(path).expect("a picture")
}

#[test]
fn a_run_on_text_repeats_itself() {
    let folder = runs();
    resume(&folder, "text", "text");
    same(&said(&folder, "sample|--run|text|-n|3|--seed|5"), &expected("text", "sample.txt"));
    same(&said(&folder, "sample|--run|text|-n|2|--sampler|skip-ahead"), &expected("text", "skip.txt"));
    same(&said(&folder, "infill|--run|text|-n|2|It is a{2} man"), &expected("text", "infill.txt"));
    same(&said(&folder, "eval|--run|text|--sequences|4|--draws|8"), &expected("text", "eval.txt"));
}

#[test]
fn a_run_on_a_markov_source_repeats_itself() {
    let folder = runs();
    resume(&folder, "markov", "markov");
    same(&said(&folder, "sample|--run|markov|-n|3"), &expected("markov", "sample.txt"));
    same(&said(&folder, "eval|--run|markov|--sequences|4|--draws|8"), &expected("markov", "eval.txt"));
}

#[test]
fn runs_on_pixels_and_on_token_grids_and_their_tokenizer_repeat_themselves() {
    let folder = runs();
    resume(&folder, "image-tokenizer", "tokenizer");
    for (run, class) in [("pixels", "|--class|2"), ("grids", "")] {
        resume(&folder, "image", run);
        said(&folder, &format!("sample|--run|{run}|-n|4|--out|{run}.png{class}"));
        let now = pixels(&folder.path().join(format!("{run}.png")));
        assert!(now == pixels(&golden().join(run).join("expected/sample.png")), "{run}: other samples");
        same(&said(&folder, &format!("eval|--run|{run}|--sequences|4|--draws|8")), &expected(run, "eval.txt"));
    }
}
