//! The main job in small, and the mistakes that users make.

use std::fs;
use std::path::Path;

use crate::program::{TINY, mistake, run, said};

const SMALL: [&str; 4] = ["--set", "train.validation_sequences=4", "--set", "train.sample_every=5"];

fn corpus(folder: &Path) {
    let sentence = "It is a truth universally acknowledged, that a single man must be in want of a wife.\n\n";
    fs::write(folder.join("corpus.txt"), sentence.repeat(300)).expect("a corpus");
}

fn trained(folder: &Path) {
    corpus(folder);
    let flags = ["train", "text", "--data", "corpus.txt", "--tokenizer", "bytes", "--run", "run", "--steps", "10"];
    let sizes = ["--length", "24", "--sweeps", "2", "--batch", "4"];
    let output = run(folder, &[&flags[..], &sizes, &TINY, &SMALL].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in ["samples at step 5", "held-out loss", "three samples", "⟦", "run folder: run"] {
        assert!(said.contains(part), "no `{part}` in:\n{said}");
    }
}

#[test]
fn training_sampling_infilling_and_info_work_and_mistakes_are_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = folder.path();
    trained(at);
    for file in ["config.toml", "vocabulary.json", "tokenizer.json", "metrics.jsonl", "loss.svg", "samples.txt"] {
        assert!(at.join("run").join(file).is_file(), "{file}");
    }

    let sample = ["sample", "--run", "run", "-n", "2", "--top-k", "5", "--seed", "7"];
    let (first, second) = (run(at, &sample), run(at, &sample));
    assert!(first.status.success());
    assert_eq!(first.stdout, second.stdout, "the same seed gives the same texts");
    assert_ne!(first.stdout, run(at, &["sample", "--run", "run", "-n", "2", "--seed", "8"]).stdout);

    // A prior that has seen one sentence alone has one answer, unless it is heated.
    let infill = run(at, &["infill", "--run", "run", "-n", "3", "--temperature", "9", "a tru{2} univ____"]);
    assert!(infill.status.success(), "{}", String::from_utf8_lossy(&infill.stderr));
    let said = String::from_utf8_lossy(&infill.stdout).into_owned();
    assert_eq!(said.matches("a tru⟦").count(), 3, "{said}");

    let info = run(at, &["info", "run"]);
    assert!(String::from_utf8_lossy(&info.stdout).contains("parameters"));

    mistakes_in_training(at);
    mistakes_with_runs(at);
}

fn mistakes_in_training(at: &Path) {
    fs::write(at.join("empty.txt"), "").expect("a file");
    fs::write(at.join("latin1.txt"), b"caf\xe9 au lait, caf\xe9 noir").expect("a file");
    fs::write(at.join("short.txt"), "too short").expect("a file");
    let train = |data: &str, more: &[&str], names: &[&str]| {
        let mut flags = vec!["train", "text", "--data", data, "--tokenizer", "bytes", "--run", "new"];
        flags.extend(more);
        mistake(at, &flags, names);
        assert!(!at.join("new").exists(), "{flags:?} left a folder behind");
    };
    train("absent.txt", &[], &["absent.txt"]);
    train("empty.txt", &[], &["empty"]);
    train("latin1.txt", &[], &["latin1.txt", "UTF-8"]);
    train("short.txt", &[], &["length"]);
    train("corpus.txt", &["--preset", "huge"], &["huge", "tiny"]);
    train("corpus.txt", &["--set", "train.stepz=3"], &["stepz"]);
    train("corpus.txt", &["--set", "train.learning_rate=-1"], &["train.learning_rate"]);
    train("corpus.txt", &["--set", "train.micro_batches=5"], &["train.micro_batches"]);
    train("corpus.txt", &["--device", "gpu9"], &["gpu9", "cpu"]);
    train("corpus.txt", &["--set", "schedule.final_signal=0.5"], &["allow_residual_signal"]);
    train("corpus.txt", &["--objective", "binary"], &["`model.conditioning`", "expected signal-level"]);
    let masked = ["--set", "schedule.noise={kind=\"absorbing\"}", "--set", "model.conditioning=signal-level"];
    train("corpus.txt", &[&["--objective", "binary"], &masked[..]].concat(), &["noise"]);
    mistake(at, &["train", "text", "--run", "new", "--column", "body"], &["--data"]);
    mistake(at, &["train", "text", "--data", "corpus.txt", "--tokenizer", "bytes", "--run", "run"], &["--resume"]);
}

fn mistakes_with_runs(at: &Path) {
    mistake(at, &["sample", "--run", "absent"], &["absent", "--run"]);
    mistake(at, &["sample", "--run", "run", "--temperature", "-1"], &["temperature"]);
    mistake(at, &["infill", "--run", "run", "no gap here"], &["gap"]);
    mistake(at, &["infill", "--run", "run", "a {100} gap"], &["24"]);
    mistake(at, &["infill", "--run", "run", "--out", "pictures", "a {2}"], &["--out", "redirect"]);
    mistake(at, &["infill", "--run", "run", "--gap-tokens", "3", "a {2}"], &["--gap-tokens", "no effect"]);
    let info = run(at, &["info", "run", "--vocab", "5"]);
    assert!(info.status.code() == Some(2) && String::from_utf8_lossy(&info.stderr).contains("--vocab"));

    let (config, vocabulary) = (at.join("run/config.toml"), at.join("run/vocabulary.json"));
    let trained = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, trained.replace("heads = 2", "heads = 4")).expect("a file");
    for command in [&["sample"][..], &["eval", "--sequences", "2"], &["infill", "a {2}"]] {
        mistake(
            at,
            &[command, &["--run", "run"]].concat(),
            &["config.toml", "`model.heads` is 4", "as in training: restore it"],
        );
    }
    fs::write(&config, trained).expect("a file");
    fs::rename(&vocabulary, at.join("moved")).expect("a file");
    mistake(at, &["sample", "--run", "run"], &["vocabulary.json"]);
    fs::rename(at.join("moved"), &vocabulary).expect("a file");

    let latest = at.join("run/checkpoints/step-00000010");
    let average = latest.join("average.safetensors");
    let whole = fs::read(&average).expect("a checkpoint");
    fs::write(&average, &whole[..whole.len() / 2]).expect("a file");
    mistake(at, &["sample", "--run", "run"], &["average.safetensors", "truncated"]);
    fs::write(&average, b"not a checkpoint").expect("a file");
    mistake(at, &["sample", "--run", "run"], &["average.safetensors"]);
    fs::write(&average, &whole).expect("a file");

    // The files of a run with another vocabulary.
    let flags =
        ["train", "text", "--data", "corpus.txt", "--tokenizer", "characters", "--run", "other", "--steps", "1"];
    let sizes = ["--length", "24", "--sweeps", "2", "--batch", "4"];
    assert!(run(at, &[&flags[..], &sizes, &TINY, &SMALL].concat()).status.success());
    let ours = fs::read(at.join("run/tokenizer.json")).expect("a tokenizer");
    fs::copy(at.join("other/tokenizer.json"), at.join("run/tokenizer.json")).expect("a file");
    mistake(at, &["sample", "--run", "run"], &["tokenizer.json", "restore"]);
    fs::write(at.join("run/tokenizer.json"), ours).expect("a file");
    fs::copy(at.join("other/checkpoints/step-00000001/average.safetensors"), &average).expect("a file");
    mistake(at, &["sample", "--run", "run"], &["average.safetensors", "another network"]);
}

#[test]
fn without_data_a_run_learns_the_novels_that_come_with_the_program() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let flags = ["train", "text", "--tokenizer", "characters", "--run", "run", "--steps", "1", "--length", "16"];
    let sizes = ["--batch", "4", "--set", "train.sample_every=0", "--set", "model.prior=\"none\""];
    let told = said(&run(folder.path(), &[&flags[..], &sizes, &TINY, &SMALL[..2]].concat()));
    assert!(told.contains("six novels of Jane Austen") && told.contains("run folder: run"), "{told}");
    let again = said(&run(folder.path(), &["train", "text", "--run", "run", "--resume", "--steps", "2"]));
    assert!(again.contains("run folder: run"), "{again}");
}

#[test]
fn shells_and_man_learn_the_flags() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let completions = said(&run(folder.path(), &["completions", "bash"]));
    assert!(completions.contains("--temperature") && completions.contains("complete -F"), "{completions}");
    assert_eq!(run(folder.path(), &["completions", "dos"]).status.code(), Some(2));
    said(&run(folder.path(), &["man", "--out", "man"]));
    let page = fs::read_to_string(folder.path().join("man/glauber-sample.1")).expect("a page of `glauber sample`");
    assert!(page.contains("temperature"), "{page}");
}
