//! Samples judged end to end in small: a classifier, a run, and the figures of both; mistakes that users make.

use std::fs;
use std::path::Path;

use crate::program::{run, said};
use serde_json::Value;

/// Trains a model and a classifier in a moment on 8×8 shapes, as many as the program draws by default.
fn trained(folder: &Path) -> String {
    let small = ["model.width=16", "model.layers=1", "model.condition_width=8", "train.warmup_steps=2"];
    let short = ["train.samples=4", "train.sample_every=3", "train.validation_sequences=4"];
    let settings = small.iter().chain(&short).flat_map(|setting| ["--set", setting]);
    let words = ["train", "image", "--size", "8", "--classes", "--steps", "6", "--batch", "4", "--sweeps", "2"];
    let words: Vec<&str> = words.into_iter().chain(settings).chain(["--run", "run"]).collect();
    said(&run(folder, &words));
    said(&run(folder, &["train", "classifier", "--size", "8", "--steps", "150", "--run", "classifier"]))
}

fn number(value: &Value, keys: &[&str]) -> f64 {
    let found = keys.iter().fold(value, |value, key| &value[key]);
    found.as_f64().unwrap_or_else(|| panic!("no number at {keys:?}: {value}"))
}

#[test]
fn samples_are_judged_between_floor_and_ceiling() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let text = trained(at);
    assert!(text.contains("accuracy") && text.contains("500 held-out images"), "{text}");
    let report: Value =
        serde_json::from_slice(&fs::read(at.join("classifier/training.json")).expect("a report")).expect("JSON");
    assert!(number(&report, &["accuracy"]) > 0.4, "{report}");

    let words = ["fidelity", "--run", "run", "--classifier", "classifier", "-n", "60", "--reference", "300"];
    let text = said(&run(at, &words));
    let steps = "2 sweeps of 64 sites in 128 steps: 128.0 network evaluations";
    let uneven = "not divided evenly among the classes, as the samples are: circle ";
    for part in ["60 samples, 7 classes evenly, seed 0", "300 training images", steps, " compared ", uneven] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    let json = |more: &[&str]| -> Value {
        let words: Vec<&str> = words.iter().chain(&["--json"]).chain(more).copied().collect();
        serde_json::from_str(&said(&run(at, &words))).expect("one line of JSON")
    };
    let judged = json(&[]);
    for set in ["samples", "held_out", "independent"] {
        let [frechet, precision, recall] = ["frechet", "precision", "recall"].map(|key| number(&judged, &[set, key]));
        assert!(frechet.is_finite() && frechet > 0.0, "{judged}");
        assert!((0.0..=1.0).contains(&precision) && (0.0..=1.0).contains(&recall), "{judged}");
        assert_eq!(number(&judged, &[set, "images"]), 60.0);
    }
    assert!(number(&judged, &["held_out", "frechet"]) < number(&judged, &["independent", "frechet"]), "{judged}");
    // Not so precision: noise is near to the noisiest of the textures, which are far from each other.
    assert!(number(&judged, &["held_out", "recall"]) > number(&judged, &["independent", "recall"]), "{judged}");
    assert!(number(&judged, &["seconds_per_image"]) > 0.0);
    // Each pixel is a token: what it loses is taken from the data too.
    assert_eq!(judged["held_out_through_codec"], Value::Null);
    assert_eq!(judged["samples"]["recognised"]["images_by_class"], serde_json::json!([9, 9, 9, 9, 8, 8, 8]));
    assert!(number(&judged, &["held_out", "recognised", "share"]) > 0.4, "{judged}");
    assert_eq!(judged["independent"]["recognised"], Value::Null);

    let again = json(&[]);
    assert_eq!((&again["samples"], &again["independent"]), (&judged["samples"], &judged["independent"]));
    let other = json(&["--seed", "1"]);
    assert_ne!(other["samples"], judged["samples"]);
    assert_eq!(number(&json(&["--guidance", "1"]), &["evaluations_per_image"]), 256.0);
    let fewer = json(&["--sampler", "skip-ahead", "--guidance", "1"]);
    assert!(number(&fewer, &["evaluations_per_image"]) > 0.0 && fewer["sampler"].to_string().contains("guidance 1"));

    let info = said(&run(at, &["info", "classifier"]));
    assert!(info.contains("circle, square") && info.contains("500 held-out images"), "{info}");

    // A classifier of another seed has seen what the run holds out.
    let judge = |name: &str| {
        let output = run(at, &["fidelity", "--run", "run", "--classifier", name, "-n", "8", "--reference", "8"]);
        said(&output);
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(!judge("classifier").contains("holds out"));
    fs::create_dir(at.join("seeded")).expect("a folder");
    for name in ["weights.safetensors", "network.toml"] {
        fs::copy(at.join("classifier").join(name), at.join("seeded").join(name)).expect("copied");
    }
    let other = fs::read_to_string(at.join("classifier/training.json")).expect("a report");
    fs::write(at.join("seeded/training.json"), other.replace("\"seed\": 0", "\"seed\": 3")).expect("written");
    let warned = judge("seeded");
    assert!(warned.contains("holds out") && warned.contains("--seed 0"), "{warned}");

    // The same network without names gives features and recognises nothing.
    fs::create_dir(at.join("features")).expect("a folder");
    fs::copy(at.join("classifier/weights.safetensors"), at.join("features/weights.safetensors")).expect("copied");
    let description = fs::read_to_string(at.join("classifier/network.toml")).expect("a description");
    let unnamed: String = description.split_inclusive('\n').filter(|line| !line.starts_with("classes")).collect();
    assert_ne!(unnamed, description);
    fs::write(at.join("features/network.toml"), unnamed).expect("written");
    let words = ["fidelity", "--run", "run", "--features", "features", "-n", "60", "--reference", "300", "--json"];
    let own: Value = serde_json::from_str(&said(&run(at, &words))).expect("one line of JSON");
    assert_eq!(own["held_out"]["frechet"], judged["held_out"]["frechet"]);
    assert_eq!(own["samples"]["recognised"], Value::Null);

    for (words, name) in [
        (vec!["fidelity", "--run", "run"], "--classifier"),
        (vec!["fidelity", "--run", "classifier", "--classifier", "classifier"], "is a classifier or feature network"),
        (vec!["fidelity", "--run", "run", "--classifier", "nowhere"], "nowhere"),
        (vec!["fidelity", "--run", "run", "--classifier", "features"], "its classes are none"),
        (vec!["fidelity", "--run", "run", "--classifier", "classifier", "-n", "3"], "--count"),
        (vec!["fidelity", "--run", "run", "--classifier", "classifier", "--neighbours", "0"], "--neighbours"),
        (vec!["train", "classifier", "--run", "run"], "not empty"),
        (vec!["train", "classifier", "--run", "classifier"], "not empty"),
        (vec!["train", "classifier", "--run", "/proc/none"], "--run"),
        (vec!["train", "classifier", "--shift", "18446744073709551615"], "`shift`"),
        (vec!["train", "classifier", "--learning-rate", "-1"], "`learning_rate` is -1"),
        (vec!["train", "classifier", "--data", "mnist"], "--path"),
        (vec!["train", "classifier", "--data", "paintings"], "shapes, mnist or folder"),
        (vec!["train", "classifier", "--steps", "0", "--run", "none"], "`steps`"),
    ] {
        let output = run(at, &words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {said}");
        assert!(!said.contains("panicked") && said.contains(name), "{words:?}: no `{name}` in: {said}");
    }
}
