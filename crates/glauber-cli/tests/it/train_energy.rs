//! Runs on targets given by an energy, in small, and the mistakes that users make.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{TINY, mistake, run, said};

const SMALL: [&str; 14] = [
    "--set",
    "train.warmup_steps=2",
    "--set",
    "train.validation_sequences=8",
    "--set",
    "train.sample_every=4",
    "--set",
    "train.samples=1",
    "--batch",
    "8",
    "--particles",
    "64",
    "--annealing-sweeps",
    "16",
];

fn train(at: &Path, run_folder: &str, steps: &str, target: &[&str]) -> String {
    let words = ["train", "energy", "--run", run_folder, "--steps", steps];
    said(&run(at, &[&words[..], &TINY, &SMALL, target].concat()))
}

#[test]
fn a_run_on_a_target_is_trained_resumed_sampled_and_bounded() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let ising = ["ising", "--side", "3", "--beta", "0.3"];
    let text = train(at, "whole", "8", &ising);
    for part in ["annealing 64 particles", "log Z", "exactly", "run folder: whole"] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
    // Flags may follow the target, and a resumed run needs none.
    said(&run(at, &[&["train", "energy"], &ising[..], &["--run", "parts", "--steps", "8"], &TINY, &SMALL].concat()));
    let weights = |name: &str| fs::read(at.join(name).join("checkpoints/step-00000008/weights.safetensors"));
    assert!(weights("whole").expect("weights") == weights("parts").expect("weights"));
    let resume = ["train", "energy", "--resume", "--run", "parts", "--steps", "10"];
    let particles = at.join("parts/particles.safetensors");
    let kept = fs::read(&particles).expect("particles");
    fs::write(&particles, &kept[..kept.len() - 1]).expect("a file");
    mistake(at, &resume, &["particles.safetensors", "delete it to anneal"]);
    fs::write(&particles, &kept).expect("a file");
    said(&run(at, &resume));
    // By log-variance, own paths are drawn by the weights of the step, so that a resumed run has the same.
    let paths = ["--objective", "log-variance", "--set", "train.own_share=0.5", "--set", "train.checkpoint_every=3"];
    train(at, "paths", "6", &[&paths[..], &ising].concat());
    let last = at.join("paths/checkpoints/step-00000006");
    let unbroken = fs::read(last.join("weights.safetensors")).expect("weights");
    fs::remove_dir_all(&last).expect("removed");
    said(&run(at, &["train", "energy", "--resume", "--run", "paths"]));
    assert!(fs::read(last.join("weights.safetensors")).expect("weights") == unbroken);
    let sampled = said(&run(at, &["sample", "--run", "whole", "-n", "2"]));
    assert_eq!(sampled.lines().filter(|line| line.len() == 3 && line.chars().all(|c| "#.".contains(c))).count(), 6);
    let evaluated = ["eval", "--run", "whole", "--sequences", "64", "--json"];
    let found: Value = serde_json::from_str(&said(&run(at, &evaluated))).expect("JSON");
    let number = |key: &str| found[key].as_f64().unwrap_or_else(|| panic!("no {key}: {found:#}"));
    let exact = found["log_z_exact"]["value"].as_f64().expect("an exact value");
    let slack = |key: &str| 5.0 * number(&format!("{key}_error"));
    assert!(number("log_z_lower") < exact + slack("log_z_lower"), "{found:#}");
    assert!(number("log_z_upper") > exact - slack("log_z_upper"), "{found:#}");
    assert!((number("log_z") - exact).abs() < 1.0 && number("effective_share") > 0.05, "{found:#}");
    assert!((0.05..=1.0).contains(&number("acceptance")), "{found:#}");
    let text = said(&run(at, &["eval", "--run", "whole", "--sequences", "16"]));
    assert!(text.contains("log Z, at least") && text.contains("independence Metropolis"), "{text}");
    mistake(at, &[&["train", "energy", "--run", "masks", "--set", MASKS], &ising[..]].concat(), &["absorbing", "mask"]);
}

const MASKS: &str = "schedule.noise={ kind = \"absorbing\" }";

#[test]
fn tables_and_graphs_are_kept_with_the_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    let rows: Vec<String> =
        (0..40).map(|n| n as f64).map(|n| format!("{},{},{}", n.sin(), n.sin() + n.cos(), n.cos())).collect();
    fs::write(at.join("table.csv"), format!("a,b,c\n{}\n", rows.join("\n"))).expect("a file");
    train(at, "dag", "4", &["dag", "--data", "table.csv"]);
    fs::remove_file(at.join("table.csv")).expect("a file");
    said(&run(at, &["train", "energy", "--resume", "--run", "dag", "--steps", "6"]));
    let sampled = said(&run(at, &["sample", "--run", "dag", "-n", "3"]));
    assert!(sampled.contains("--- sample 3"), "{sampled}");
    assert!(said(&run(at, &["eval", "--run", "dag", "--sequences", "8"])).contains("the sum over all graphs"));
    // So many columns that no graph of a network that has hardly learned is acyclic. Site by site, the chain closes no cycle.
    let wide =
        |row: usize| (0..12).map(|n| ((row * 12 + n * n) as f64).sin().to_string()).collect::<Vec<_>>().join(",");
    let rows: Vec<String> = (0..40).map(wide).collect();
    fs::write(at.join("wide.csv"), format!("a,b,c,d,e,f,g,h,i,j,k,l\n{}\n", rows.join("\n"))).expect("a file");
    train(at, "wide", "1", &["dag", "--data", "wide.csv"]);
    let evaluated = ["eval", "--run", "wide", "--sequences", "8", "--draws", "4"];
    let text = said(&run(at, &evaluated));
    assert!(text.contains("log Z, at least") && !text.contains("end where the target is 0"), "{text}");
    let evaluated = [&evaluated[..], &["--block", "132"]].concat();
    let text = said(&run(at, &evaluated));
    assert!(text.contains("100.0 % end where the target is 0") && !text.contains("NaN"), "{text}");
    let edges = [&evaluated[..], &["--edges", "edges.svg"]].concat();
    mistake(at, &edges, &["--edges", "train longer"]);
    let missing = ["train", "energy", "dag", "--data", "table.csv", "--run", "new"];
    mistake(at, &missing, &["table.csv"]);
    assert!(!at.join("new").exists());
    mistake(at, &["train", "energy", "--run", "new"], &["no target", "ising"]);
    mistake(at, &["train", "energy", "ising", "--beta", "0.4", "--side", "3", "--length", "8"], &["--length", "9"]);
    mistake(at, &["train", "energy", "hypergrid", "--rewards", "1,2"], &["--rewards", "three"]);
    mistake(at, &["train", "energy", "ising", "--beta", "1000", "--run", "new"], &["coupling", "-100 and 100"]);
    mistake(at, &["train", "energy", "ising", "--beta", "0.4", "--particles", "0"], &["data.particles", "1..="]);
    mistake(at, &["train", "sudoku", "--resume", "--run", "dag"], &["train energy"]);
}
