//! A run that is killed at arbitrary moments and resumed ends with the same numbers, bit for bit, as one that never was.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::program::{glauber, small_run};

const STEPS: usize = 300;

fn flags(run: &Path) -> Vec<String> {
    let settings = [
        "data.vocab=5",
        "train.checkpoint_every=25",
        "train.validate_every=10",
        "train.validation_sequences=8",
        "train.warmup_steps=5",
    ];
    small_run(run, STEPS, &settings)
}

fn start(flags: &[String]) -> Child {
    glauber(flags).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the program starts")
}

/// Kills the run again and again, each time a little later, until it gets through.
fn train_under_fire(run: &Path) -> usize {
    let resume = ["train", "markov", "--resume", "--run"].map(String::from);
    let resume = [&resume[..], &[run.display().to_string()]].concat();
    let mut kills = 0;
    let begin = flags(run);
    let mut child = start(&begin);
    for attempt in 0u64.. {
        // Uneven waits hit validation, the middle of a step and the writing of checkpoints alike.
        std::thread::sleep(Duration::from_millis(150 + (attempt * 37) % 101 + attempt * 10));
        if let Some(status) = child.try_wait().expect("the program can be waited for") {
            assert!(status.success(), "attempt {attempt} failed by itself");
            break;
        }
        child.kill().expect("SIGKILL");
        child.wait().expect("the program is gone");
        kills += 1;
        let begun = run.join("config.toml").exists();
        child = start(if begun { &resume } else { &begin });
    }
    kills
}

fn last_checkpoint(run: &Path) -> std::path::PathBuf {
    run.join("checkpoints").join(format!("step-{STEPS:08}"))
}

fn metrics(run: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let parse = |line| {
        let mut line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        line.as_object_mut().expect("an object").remove("seconds");
        line
    };
    text.lines().map(parse).collect()
}

#[test]
fn a_killed_run_resumes_to_the_same_numbers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (unbroken, broken) = (folder.path().join("unbroken"), folder.path().join("broken"));
    assert!(start(&flags(&unbroken)).wait().expect("the program ends").success());
    let kills = train_under_fire(&broken);
    assert!(kills >= 2, "the run was over after {kills} kills: not a test");
    for name in ["weights", "average", "moment-1", "moment-2"] {
        let file = format!("{name}.safetensors");
        let read = |run: &Path| fs::read(last_checkpoint(run).join(&file)).expect("a checkpoint");
        assert!(read(&unbroken) == read(&broken), "{file} differs after {kills} kills");
    }
    assert_eq!(metrics(&unbroken), metrics(&broken), "metrics differ after {kills} kills");
}
