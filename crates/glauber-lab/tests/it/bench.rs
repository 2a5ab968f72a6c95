//! `glauber-lab bench`: the lines that `cargo xtask bench` reads, and the record that `benches/pytorch/check.py` reads.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use crate::program::lab;
use serde_json::Value;

const TINY: [&str; 6] = ["--shape", "tiny", "--batch", "2", "--threads", "2"];

fn lines(arguments: &[&str]) -> Vec<Value> {
    let output = lab([arguments, &TINY].concat()).output().expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn assert_block(block: &Value, steps: u64) {
    assert_eq!(block["steps"], steps, "{block}");
    assert!(block["seconds"].as_f64().is_some_and(|seconds| seconds > 0.0), "{block}");
    // The CPU device counts none.
    assert_eq!(block["bytes"], Value::Null, "{block}");
}

#[test]
fn every_block_is_a_line() {
    for what in ["train", "sample", "matmul"] {
        let said = lines(&["bench", what, "--steps", "2", "--blocks", "2", "--warmup", "1"]);
        assert_eq!(said.len(), 3, "{what}: who measures, and two blocks");
        assert!(said[0]["side"].as_str().is_some_and(|side| side.starts_with("glauber")), "{what}: {}", said[0]);
        said[1..].iter().for_each(|block| assert_block(block, 2));
    }
}

#[test]
fn a_paced_side_waits_to_be_asked() {
    let arguments = ["bench", "matmul", "--paced", "--steps", "3"];
    let mut command = lab([&arguments[..], &TINY].concat());
    let mut side = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program runs");
    let mut requests = side.stdin.take().expect("piped");
    let mut said = BufReader::new(side.stdout.take().expect("piped")).lines();
    let mut next = || serde_json::from_str::<Value>(&said.next().expect("a line").expect("text")).expect("JSON");
    assert!(next()["parameters"].as_u64().is_some_and(|count| count > 0));
    for _ in 0..2 {
        writeln!(requests).expect("it listens");
        assert_block(&next(), 3);
    }
    drop(requests);
    assert!(side.wait().expect("it ends").success(), "the end of requests is the end");
    assert!(said.next().is_none());
}

#[test]
fn the_setup_says_what_the_other_side_must_know() {
    let said = lines(&["bench", "setup"]);
    let setup = &said[0];
    assert_eq!((&setup["shape"], &setup["batch"], &setup["length"]), (&"tiny".into(), &2.into(), &64.into()));
    let levels: Vec<f64> = serde_json::from_value(setup["levels"].clone()).expect("numbers");
    // A level for each number of touches in 8 sweeps: clean at first, less each time.
    assert!(levels.len() == 9 && levels[0] == 1.0 && levels.is_sorted_by(|a, b| a > b), "{levels:?}");
    // `benches/pytorch/network.py` builds no other hollow network.
    assert_eq!(setup["model"]["conditioning"], "signal-level");
    for flops in ["network", "optimiser", "sample", "matmul"] {
        assert!(setup["flops"][flops].as_u64().is_some_and(|count| count > 0), "{flops}: {setup}");
    }
    assert_eq!(setup["flops"]["matmul"], 2 * (2 * 64) * 128 * 512);
}

#[cfg(target_os = "linux")]
fn peak(flags: &[&str]) -> f64 {
    let output = lab([&["bench", "memory", "--threads", "1"], flags].concat()).output().expect("the program runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let mib = |key: &str| said["mib"][key].as_f64().unwrap_or_else(|| panic!("no {key} in {said}"));
    assert!(mib("peak") > mib("weights") + mib("average") + mib("moments"), "{said}");
    assert!(mib("peak") >= mib("before_the_first_step"), "{said}");
    mib("peak")
}

/// A corpus is read where it lies: half of it in memory would show.
#[test]
#[cfg(target_os = "linux")]
fn a_corpus_stays_on_disk() {
    let sizes = |corpus| ["--batch", "4", "--vocab", "32", "--corpus", corpus];
    let (small, large) = (peak(&sizes("1")), peak(&sizes("256")));
    assert!(large < small + 64.0, "{large} MiB with 256 MiB of tokens, {small} MiB with one");
}

/// What training keeps for the backward pass is the larger part of a process of this size; keeping the inputs of blocks alone must show.
#[test]
#[cfg(target_os = "linux")]
fn checkpointed_activations_take_less_memory() {
    let with = |flag: &[&str]| peak(&[&["--batch", "16", "--length", "256", "--vocab", "32"], flag].concat());
    let (kept, again, sampling) = (with(&[]), with(&["--checkpoint-activations"]), with(&["--sampling"]));
    // Of 7 blocks' intermediate results one block's stay, beside the logits' and the optimiser's.
    assert!(again < 0.6 * kept, "{again} MiB, {kept} MiB without checkpoints");
    assert!(sampling < kept, "{sampling} MiB sampling, {kept} MiB training");
}

#[test]
fn a_record_has_steps_between_two_checkpoints() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    lines(&["bench", "record", "--out", at.to_str().expect("UTF-8")]);
    let text = fs::read_to_string(at.join("recorded.json")).expect("a record");
    let recorded: Value = serde_json::from_str(&text).expect("JSON");
    let weights = |key: &str| {
        let checkpoint = at.join(Path::new(recorded[key].as_str().expect("a path")));
        for file in ["average", "moment-1", "moment-2"] {
            assert!(checkpoint.join(format!("{file}.safetensors")).is_file(), "{file}");
        }
        fs::read(checkpoint.join("weights.safetensors")).expect("weights")
    };
    assert_ne!(weights("before"), weights("after"));
    let steps = recorded["steps"].as_array().expect("steps");
    assert!(!steps.is_empty());
    for step in steps {
        assert!(step["loss"].as_f64().is_some_and(|loss| loss > 1.0), "{step}");
        for key in ["tokens", "clean", "levels"] {
            let rows: Vec<Vec<f64>> = serde_json::from_value(step[key].clone()).expect("rows");
            assert!(rows.len() == 2 && rows.iter().all(|row| row.len() == 64), "{key}");
        }
        assert_eq!(step["times"].as_array().map(Vec::len), Some(2));
    }
    assert_ne!(steps[0]["tokens"], steps[1]["tokens"], "each step has examples of its own");
    let logits: Vec<f64> = serde_json::from_value(recorded["asked"]["logits"].clone()).expect("numbers");
    // The rows of the first micro-batch.
    let rows = recorded["asked"]["tokens"].as_array().map_or(0, Vec::len);
    assert!(rows > 0 && logits.len() == rows * 64 * 1024, "{rows} rows, {} logits", logits.len());
}

#[test]
fn a_batch_of_none_is_refused() {
    let output = lab(["bench", "setup", "--shape", "tiny", "--batch", "0"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("--batch"), "{said}");
}
