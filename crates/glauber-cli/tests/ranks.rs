//! Processes that train and sample together, begun by `mpirun`.
#![cfg(all(feature = "mpi", target_os = "linux"))]

mod program;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use program::glauber;

const STEPS: usize = 400;

/// The program with arguments, as so many processes: more than there may be cores.
fn ranks<S: AsRef<str>>(size: usize, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new("mpirun");
    command.args(["--oversubscribe", "--bind-to", "none", "-n", &size.to_string(), env!("CARGO_BIN_EXE_glauber")]);
    command.args(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
    // Containers are often root's own, and keep processes from reading each other's memory.
    command.envs([("OMPI_ALLOW_RUN_AS_ROOT", "1"), ("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")]);
    command.env("OMPI_MCA_btl_vader_single_copy_mechanism", "none");
    command
}

/// A small run, a micro-batch for each of two ranks.
fn training(run: &Path) -> Vec<String> {
    let settings = [
        "model.width=16",
        "model.layers=1",
        "model.heads=2",
        "model.condition_width=8",
        "train.micro_batches=2",
        "train.checkpoint_every=20",
        "train.validate_every=100",
        "train.validation_sequences=8",
    ];
    let words = ["train", "markov", "--batch", "4", "--length", "8", "--sweeps", "3", "--threads", "1"];
    let mut words: Vec<String> = words.map(Into::into).into();
    words.extend(["--steps".into(), STEPS.to_string(), "--run".into(), run.display().to_string()]);
    words.extend(settings.into_iter().flat_map(|setting| ["--set".into(), setting.into()]));
    words
}

fn resumption(run: &Path) -> Vec<String> {
    let run = run.display().to_string();
    ["train", "markov", "--resume", "--threads", "1", "--run", &run].map(Into::into).into()
}

fn done(mut command: Command) -> Output {
    let output = command.output().expect("the program starts; `mpirun` is Open MPI's");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output
}

/// The last weights and the evaluations, but for their seconds.
fn result(run: &Path) -> (Vec<u8>, Vec<serde_json::Value>) {
    let weights = run.join(format!("checkpoints/step-{STEPS:08}/weights.safetensors"));
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let line = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).expect("a line");
        line["seconds"].take();
        line
    };
    (
        fs::read(&weights).unwrap_or_else(|error| panic!("{}: {error}", weights.display())),
        metrics.lines().map(line).collect(),
    )
}

/// The process of a rank of a job that works in a folder.
fn process(run: &Path, rank: usize) -> Option<u32> {
    let folder = run.display().to_string();
    let holds = |path: String, text: &str| {
        fs::read(path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).split('\0').any(|part| part == text))
    };
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.into_iter().find(|process| {
        holds(format!("/proc/{process}/cmdline"), &folder)
            && holds(format!("/proc/{process}/environ"), &format!("OMPI_COMM_WORLD_RANK={rank}"))
    })
}

/// Waits for a checkpoint, and kills a rank.
fn kill(run: &Path, rank: usize, job: Child) -> Output {
    let begun = Instant::now();
    while !fs::read_dir(run.join("checkpoints")).is_ok_and(|mut entries| entries.next().is_some()) {
        assert!(begun.elapsed() < Duration::from_secs(120), "no checkpoint");
        std::thread::sleep(Duration::from_millis(5));
    }
    let process = process(run, rank).expect("the rank").to_string();
    assert!(Command::new("kill").args(["-KILL", &process]).status().expect("a kill").success());
    job.wait_with_output().expect("an end")
}

#[test]
fn two_ranks_train_and_sample_what_one_process_does() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [alone, shared] = ["alone", "shared"].map(|name| folder.path().join(name));
    let one = done(glauber(training(&alone)));
    let two = done(ranks(2, training(&shared)));
    assert_eq!(result(&shared), result(&alone));
    let lines = |output: &Output| String::from_utf8_lossy(&output.stdout).lines().count();
    assert_eq!(lines(&two), lines(&one), "only the first speaks: {}", String::from_utf8_lossy(&two.stdout));
    // Seven sequences over two and over three ranks, and over more ranks than there are sequences.
    for (size, count) in [(2, "7"), (3, "7"), (3, "2")] {
        let words = ["sample", "--run", alone.to_str().expect("Unicode"), "--count", count];
        let (one, several) = (done(glauber(words)), done(ranks(size, words)));
        assert_eq!(String::from_utf8_lossy(&several.stdout), String::from_utf8_lossy(&one.stdout), "{size} ranks");
        assert!(!one.stdout.is_empty());
    }
}

#[test]
fn a_rank_that_dies_stops_the_job_which_any_number_of_ranks_continues() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [unbroken, broken] = ["unbroken", "broken"].map(|name| folder.path().join(name));
    done(glauber(training(&unbroken)));
    let job = ranks(2, training(&broken)).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("mpirun");
    let ended = kill(&broken, 1, job);
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(!ended.status.success() && said.contains("rank 1"), "{said}");
    done(ranks(3, resumption(&broken)));
    assert_eq!(result(&broken), result(&unbroken));
}

#[test]
fn an_error_names_its_rank_and_ends_all() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (run, missing) = (folder.path().join("run"), folder.path().join("none"));
    let failed = |mut command: Command| {
        let output = command.output().expect("mpirun");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = failed(ranks(2, resumption(&missing)));
    assert!(said.contains("error: rank 0 of 2, on ") && said.contains("check `--run`"), "{said}");
    let run = run.to_str().expect("Unicode");
    let said = failed(ranks(2, ["train", "classifier", "--run", run]));
    assert!(said.contains("of 2, on ") && said.contains("begin one"), "{said}");
    let said = failed(ranks(2, ["info", run]));
    assert!(said.contains("begun as 2 processes"), "{said}");
}
