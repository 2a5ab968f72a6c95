//! Devices by name, and their comparison with the CPU device.

use std::process::Output;

use crate::program::glauber;
use serde_json::Value;

fn run(arguments: &[&str]) -> Output {
    glauber(arguments).output().expect("the program starts")
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The CPU device beside itself: every number is the same, down to a run that is saved, loaded and gone on with.
#[test]
fn the_cpu_device_agrees_with_itself_exactly() {
    let out = run(&["device", "compare", "--device", "cpu", "--count", "3", "--json"]);
    assert!(out.status.success(), "{}", said(&out.stderr));
    let line: Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let differences = line["differences"].as_array().expect("a list");
    assert_eq!(differences.len(), 9, "{differences:?}");
    let (mixed, exact): (Vec<&Value>, Vec<&Value>) = differences
        .iter()
        .partition(|difference| difference["what"].as_str().is_some_and(|what| what.contains("bf16")));
    for difference in exact {
        assert_eq!(difference["found"].as_f64(), Some(0.0), "{difference}");
        assert!(difference["most"].as_f64() > Some(0.0), "{difference}");
    }
    assert_eq!(mixed.len(), 2, "a loss and a gradient");
    for difference in mixed {
        assert!(difference["found"].as_f64() > Some(0.0) && difference["found"].as_f64() < difference["most"].as_f64());
    }
    for what in ["training_seconds", "sampling_seconds"] {
        for device in ["cpu", "device"] {
            let pace = &line[what][device];
            assert!(pace["first"].as_f64() > Some(0.0) && pace["step"].as_f64() > Some(0.0), "{what}: {pace}");
        }
    }
    assert_eq!(line["agrees"], true);
}

#[test]
fn a_device_that_cannot_be_had_is_one_line() {
    let unknown = run(&["sample", "--run", "nowhere", "--device", "tpu"]);
    assert_eq!(said(&unknown.stderr), "error: `--device tpu`: expected cpu, wgpu, cuda or cuda:INDEX\n");
    for device in ["wgpu", "cuda", "cuda:77"] {
        let out = run(&["sample", "--run", "nowhere", "--device", device]);
        let said = said(&out.stderr);
        assert_eq!(out.status.code(), Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        // Either the device cannot be had, or there is no such run.
        assert!(said.starts_with(&format!("error: `--device {device}`: ")) || said.contains("nowhere"), "{said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn every_device_is_listed_with_how_to_get_it() {
    let out = run(&["device", "list"]);
    assert!(out.status.success());
    let listed = said(&out.stdout);
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names, ["cpu", "wgpu", "cuda"]);
    if !cfg!(feature = "wgpu") {
        assert!(listed.contains("wgpu  not in this binary; build one with `cargo build"), "{listed}");
    }
}
