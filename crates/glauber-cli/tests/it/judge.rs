//! A run with a prior, whole sweeps and uneven levels: it resumes, fills in and is judged, as are the texts of others.

use std::fs;
use std::path::Path;

use crate::program::{TINY, mistake, run, said};

const SMALL: [&str; 8] = [
    "--set",
    "model.conditioning=signal-level-only",
    "--set",
    "model.prior.order=2",
    "--set",
    "train.validation_sequences=4",
    "--set",
    "train.sample_every=0",
];

/// Sentences that differ.
fn corpus() -> String {
    let words = ["it", "is", "a", "truth", "that", "every", "man", "in", "want", "of", "wife", "must", "be", "single"];
    let word = |at: usize| words[(at * at + at / 7) % words.len()];
    (0..4000).map(|at| if at % 9 == 8 { format!("{}.\n", word(at)) } else { format!("{} ", word(at)) }).collect()
}

fn train(at: &Path, name: &str, network: &str, sweeps: &str, steps: &str) -> Vec<String> {
    let whole = format!("train.whole_sweeps={}", network == "hollow");
    let (sweeps, network) = (format!("schedule.sweeps={sweeps}"), format!("model.network={network}"));
    let flags =
        ["train", "text", "--data", "corpus.txt", "--tokenizer", "characters", "--length", "24", "--batch", "4"];
    let own = ["--run", name, "--steps", steps, "--set", &sweeps, "--set", &network, "--set", &whole];
    let output = run(at, &[&flags[..], &TINY, &SMALL, &own].concat());
    said(&output).lines().map(str::to_owned).collect()
}

#[test]
fn runs_with_priors_are_resumed_judged_and_mended() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    fs::write(at.join("corpus.txt"), corpus()).expect("a corpus");
    let uneven = "[0.8, 1.0]";
    train(at, "unbroken", "hollow", uneven, "6");
    train(at, "broken", "hollow", uneven, "3");
    // Without its prior a run is not sampled, but resumed: it is counted again.
    let prior = at.join("broken/prior.safetensors");
    let counted = fs::read(&prior).expect("the prior");
    fs::remove_file(&prior).expect("the prior");
    mistake(at, &["sample", "--run", "broken", "-n", "1"], &["prior.safetensors"]);
    said(&run(at, &["train", "text", "--resume", "--run", "broken", "--steps", "6"]));
    assert!(fs::read(&prior).expect("the prior") == counted, "the same n-grams");

    // Of a run of three steps and one of six the rates differ: as many steps from the beginning are compared.
    train(at, "again", "hollow", uneven, "6");
    let weights = |name: &str| fs::read(at.join(name).join("checkpoints/step-00000006/weights.safetensors"));
    assert!(weights("unbroken").expect("weights") == weights("again").expect("weights"));
    let sample = |repair: &str| said(&run(at, &["sample", "--run", "unbroken", "-n", "2", "--repair", repair]));
    assert_eq!(sample("0"), sample("0"));
    assert_ne!(sample("0"), sample("1"));
    let infill = said(&run(at, &["infill", "--run", "unbroken", "-n", "1", "--repair", "1", "it is {3} truth"]));
    assert!(infill.contains("it is ⟦"), "{infill}");

    train(at, "judge", "autoregressive", "1", "4");
    fs::write(at.join("peer.txt"), "it is a truth that every man is\n".repeat(30)).expect("texts");
    let flags = ["judge", "--run", "unbroken", "--judge", "judge", "--texts", "peer.txt", "-n", "12", "--draws", "4"];
    let table = said(&run(at, &flags));
    for part in [
        "held-out text",
        "shuffled words",
        "order-5",
        "peer.txt",
        "unbroken",
        "bound",
        "autoregressive",
        "spelling",
        "MAUVE",
    ] {
        assert!(table.contains(part), "no `{part}` in:\n{table}");
    }
    let json = said(&run(at, &[&flags[..], &["--json", "--temperatures", "0.5,1", "--picture", "p.svg"]].concat()));
    let report: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let row = |name: &str| {
        let rows = report["rows"].as_array().expect("rows");
        rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no row {name}")).clone()
    };
    let score = |row: &serde_json::Value, name: &str| {
        let scores = row["scores"].as_array().expect("scores");
        scores.iter().find(|score| score["name"] == name).and_then(|score| score["value"].as_f64()).expect("a score")
    };
    assert_eq!(score(&row("peer.txt"), "spelling"), 1.0);
    assert!(score(&row("unbroken, T = 0.5"), "bound") > 0.0);
    assert_ne!(row("unbroken, T = 0.5")["scores"], row("unbroken, T = 1")["scores"]);
    let picture = fs::read_to_string(at.join("p.svg")).expect("a picture");
    assert!(picture.contains("unbroken, T = 0.5") && picture.contains("C2ST accuracy"), "{picture}");

    let texts = ["judge", "--texts", "peer.txt", "--data", "corpus.txt", "--held-out", "corpus.txt", "-n", "20"];
    let table = said(&run(at, &[&texts[..], &["--length", "24"]].concat()));
    assert!(table.contains("peer.txt") && !table.contains("bound"), "{table}");
    mistake(at, &["judge", "--run", "unbroken", "--judge", "broken", "-n", "12"], &["--judge", "autoregressive"]);
    mistake(at, &["judge", "--run", "unbroken", "--length", "0"], &["--length", "at least 1"]);
    mistake(at, &["judge", "--run", "unbroken", "-n", "100000"], &["--count"]);
    let mixed = ["train", "text", "--data", "corpus.txt", "--set", "train.whole_sweeps=true", "--steps", "1"];
    let network = ["--set", "model.network=masked-query", "--run", "no"];
    mistake(at, &[&mixed[..], &network].concat(), &["train.whole_sweeps", "signal-level-only"]);
    let sweeps = ["train", "text", "--data", "corpus.txt", "--set", "schedule.sweeps=[0.9, 0.8]", "--run", "no"];
    mistake(at, &sweeps, &["`sweeps`", "2 levels"]);
    let order = ["train", "image", "--set", "model.prior.order=2", "--steps", "1", "--run", "no"];
    mistake(at, &order, &["model.prior"]);
}
