//! A device beside the CPU device.

use crate::program::lab;
use serde_json::Value;

/// The CPU device beside itself: every number is the same, down to a run that is saved, loaded and gone on with.
#[test]
fn the_cpu_device_agrees_with_itself_exactly() {
    let words = ["device", "--device", "cpu", "--count", "3", "--json"];
    let out = lab(words).output().expect("the program starts");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
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
