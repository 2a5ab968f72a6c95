//! Ranks that train and sample together: threads with a device each, and processes begun by `mpirun`; and what happens without MPI.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::program::glauber;

/// Steps of [`markov`].
const STEPS: usize = 600;

#[cfg(not(feature = "mpi"))]
#[test]
fn a_binary_without_mpi_says_how_to_build_one_with_it() {
    for words in [vec!["train", "markov"], vec!["sample", "--run", "nowhere"]] {
        let output = glauber(words).env("OMPI_COMM_WORLD_SIZE", "2").output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("error: started as 2 processes") && said.contains("--features mpi`"), "{said}");
    }
}

#[test]
fn what_is_not_shared_is_done_by_one_process() {
    let output = glauber(["info", "nowhere"]).env("PMI_SIZE", "3").output().expect("the program starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("started as 3 processes, expected one: only `sample`, and `train` on text"), "{said}");
}

/// A small run of so many steps and micro-batches.
fn training(kind: &[&str], run: &Path, steps: usize, micro_batches: usize) -> Vec<String> {
    let settings = [
        "model.width=16",
        "model.layers=1",
        "model.heads=2",
        "model.condition_width=8",
        "train.checkpoint_every=20",
        "train.validate_every=100",
        "train.validation_sequences=8",
        "train.sample_every=0",
        &format!("train.micro_batches={micro_batches}"),
    ];
    let words = ["--batch", "12", "--length", "8", "--sweeps", "3", "--threads", "1", "--run", text(run)];
    let mut words: Vec<String> = kind.iter().chain(&words).map(|word| (*word).to_owned()).collect();
    words.extend(["--steps".into(), steps.to_string()]);
    words.extend(settings.into_iter().flat_map(|setting| ["--set".into(), setting.into()]));
    words
}

fn markov(run: &Path) -> Vec<String> {
    training(&["train", "markov"], run, STEPS, 2)
}

fn resumption(run: &Path) -> [&str; 7] {
    ["train", "markov", "--resume", "--threads", "1", "--run", text(run)]
}

fn text(path: &Path) -> &str {
    path.to_str().expect("Unicode")
}

fn done(mut command: Command) -> Output {
    let output = command.output().expect("the program starts; `mpirun` is Open MPI's");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    output
}

fn wait_for_evaluation(run: &Path) {
    let begun = Instant::now();
    while !fs::metadata(run.join("metrics.jsonl")).is_ok_and(|file| file.len() > 0) {
        assert!(begun.elapsed() < Duration::from_secs(120), "no evaluation");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn kill(signal: &str, process: u32) {
    assert!(Command::new("kill").args([signal, &process.to_string()]).status().expect("a kill").success());
}

/// The newest checkpoint's weights, and the evaluations but for their seconds.
fn result(run: &Path) -> (PathBuf, Vec<u8>, Vec<serde_json::Value>) {
    let checkpoint = checkpoints(run).pop().expect("a checkpoint");
    let metrics = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let line = |line: &str| {
        let mut line: serde_json::Value = serde_json::from_str(line).expect("a line");
        line["seconds"].take();
        line
    };
    let weights = fs::read(run.join(&checkpoint).join("weights.safetensors")).expect("weights");
    (checkpoint, weights, metrics.lines().map(line).collect())
}

/// The checkpoints, oldest first, as paths in the run folder.
fn checkpoints(run: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(run.join("checkpoints")).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| name.starts_with("step-")).collect();
    names.sort();
    names.into_iter().map(|name| Path::new("checkpoints").join(name)).collect()
}

/// Two and three CPU devices in one process: a thread each, which is what several cards would be.
mod devices {
    use super::*;

    #[test]
    fn several_devices_train_and_sample_what_one_does() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        for (size, devices) in [(2, "cpu,cpu"), (3, "cpu,cpu,cpu")] {
            let [alone, shared] = ["alone", "shared"].map(|run| path(&format!("{run}-{size}")));
            let words = |run: &Path| training(&["train", "markov"], run, 100, size);
            let one = done(glauber(words(&alone)));
            let several = done(glauber(words(&shared).into_iter().chain(["--device".into(), devices.into()])));
            assert_eq!(result(&shared), result(&alone));
            let lines = |output: &Output| String::from_utf8_lossy(&output.stdout).lines().count();
            assert_eq!(lines(&several), lines(&one), "only the first speaks: {several:?}");
            let words = ["sample", "--run", text(&alone), "--count", "5"];
            let (one, several) = (done(glauber(words)), done(glauber(words.into_iter().chain(["--device", devices]))));
            assert_eq!(String::from_utf8_lossy(&several.stdout), String::from_utf8_lossy(&one.stdout));
        }
    }

    /// Begun on two devices, stopped, continued on one.
    #[test]
    #[cfg(unix)]
    fn a_run_moves_between_numbers_of_devices() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [unbroken, moved] = ["unbroken", "moved"].map(|name| folder.path().join(name));
        done(glauber(markov(&unbroken)));
        let mut command = glauber(markov(&moved).into_iter().chain(["--device".into(), "cpu,cpu".into()]));
        let job = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        wait_for_evaluation(&moved);
        kill("-TERM", job.id());
        let ended = job.wait_with_output().expect("an end");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let checkpoint = checkpoints(&moved).pop();
        assert_ne!(checkpoint, checkpoints(&unbroken).pop(), "it was stopped before its end");
        done(glauber(resumption(&moved)));
        assert_eq!(result(&moved), result(&unbroken));
    }

    #[test]
    fn what_several_devices_cannot_do_is_said() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = folder.path().join("run");
        let failed = |mut command: Command| {
            let output = command.output().expect("the program starts");
            assert_eq!(output.status.code(), Some(2));
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        let several =
            |kind: &'static str| ["train", kind, "--run", text(&run), "--device", "cpu,cpu"].map(String::from);
        let said = failed(glauber(several("classifier")));
        assert!(
            said.starts_with("error: `--device cpu,cpu`: expected cpu,") && said.contains("several share"),
            "{said}"
        );
        let mut processes = glauber(several("markov"));
        processes.env("OMPI_COMM_WORLD_SIZE", "2");
        let said = failed(processes);
        assert!(
            said.starts_with("error: `--device cpu,cpu` names several devices for each of 2 processes, expected one"),
            "{said}"
        );
        let said = failed(glauber(["train", "markov", "--run", text(&run), "--device", "cpu,gpu"]));
        assert!(said.starts_with("error: `--device gpu`: expected cpu,"), "{said}");
        let said = failed(glauber(["train", "markov", "--run", text(&run), "--device", "cpu,cuda:60000"]));
        assert!(said.starts_with("error: `--device cuda:60000`:"), "{said}");
        assert!(!run.exists());
        for _ in 0..4 {
            let said = failed(glauber(["sample", "--run", text(&run), "--device", "cpu,cpu,cpu"]));
            assert_eq!(said.lines().count(), 1, "{said}");
        }
    }

    /// The first rank reports an error of all ranks, in the run's journal as well.
    #[test]
    fn a_run_that_diverges_says_so_once() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = folder.path().join("run");
        let words = training(&["train", "markov"], &run, 100, 2).into_iter();
        let settings = ["--device", "cpu,cpu", "--set", "train.learning_rate=1e30"].map(String::from);
        let output = glauber(words.chain(settings)).output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.starts_with("error: rank 0 of 2: the loss of step ") && said.lines().count() == 1, "{said}");
        let status = String::from_utf8_lossy(&done(glauber(["status", text(&run)])).stdout).into_owned();
        assert!(status.contains("failed") && status.contains("the loss of step "), "{status}");
    }

    #[test]
    #[cfg(unix)]
    fn a_reader_that_goes_away_is_no_failure() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = folder.path().join("run");
        done(glauber(training(&["train", "markov"], &run, 20, 2)));
        for devices in ["cpu", "cpu,cpu"] {
            let words = ["sample", "--run", text(&run), "--count", "4000", "--device", devices];
            let mut job = glauber(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program");
            drop(job.stdout.take());
            drop(job.stderr.take());
            assert!(job.wait().expect("an end").success(), "{devices}");
        }
    }
}

#[cfg(all(feature = "mpi", target_os = "linux"))]
mod processes {
    use std::process::Child;

    use super::*;

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

    /// The process of a rank of a job that works in a folder.
    fn process(run: &Path, rank: usize) -> Option<u32> {
        let has = |path: String, text: &str| {
            let bytes = fs::read(path).unwrap_or_default();
            String::from_utf8_lossy(&bytes).split('\0').any(|part| part == text)
        };
        let processes = fs::read_dir("/proc").ok()?.flatten();
        let mut numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        numbers.find(|process| {
            has(format!("/proc/{process}/cmdline"), text(run))
                && has(format!("/proc/{process}/environ"), &format!("OMPI_COMM_WORLD_RANK={rank}"))
        })
    }

    /// Waits for the first evaluation, and sends a rank a signal; how the job ended.
    fn signal(name: &str, run: &Path, rank: usize, job: Child) -> Output {
        wait_for_evaluation(run);
        kill(name, process(run, rank).expect("the rank"));
        job.wait_with_output().expect("an end")
    }

    fn begun(command: &mut Command) -> Child {
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("mpirun")
    }

    #[test]
    fn ranks_train_and_sample_what_one_process_does() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        let corpus = path("corpus.txt");
        fs::write(&corpus, "A chain redraws one letter given all others. ".repeat(200)).expect("a corpus");
        let cache = path("cache");
        let text_kind = ["train", "text", "--data", text(&corpus), "--cache", text(&cache), "--tokenizer", "bytes"];
        for (name, kind, size) in [("markov", &["train", "markov"][..], 3), ("text", &text_kind[..], 2)] {
            let [alone, shared] = ["alone", "shared"].map(|run| path(&format!("{name}-{run}")));
            let one = done(glauber(training(kind, &alone, 100, size)));
            let several = done(ranks(size, training(kind, &shared, 100, size)));
            assert_eq!(result(&shared), result(&alone), "{name}");
            let lines = |output: &Output| String::from_utf8_lossy(&output.stdout).lines().count();
            assert_eq!(lines(&several), lines(&one), "only the first speaks: {several:?}");
            // Seven sequences over two and over three ranks, and over more ranks than there are sequences.
            for (size, count, sampler) in [(2, "7", "heat-bath"), (3, "7", "skip-ahead"), (3, "2", "heat-bath")] {
                let words = ["sample", "--run", text(&alone), "--count", count, "--sampler", sampler];
                let (one, several) = (done(glauber(words)), done(ranks(size, words)));
                let [one, several] = [one, several].map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
                assert_eq!(several, one, "{size} ranks");
                assert!(!one.is_empty());
            }
        }
    }

    #[test]
    fn a_rank_that_dies_stops_the_job_which_any_number_of_ranks_continues() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        let unbroken = path("unbroken");
        done(glauber(markov(&unbroken)));
        for rank in [0, 1] {
            let broken = path(&format!("broken-{rank}"));
            let ended = signal("-KILL", &broken, rank, begun(&mut ranks(2, markov(&broken))));
            let said = String::from_utf8_lossy(&ended.stderr);
            assert!(!ended.status.success() && said.contains(&format!("rank {rank}")), "{said}");
            let first_line = || {
                let metrics = fs::read_to_string(broken.join("metrics.jsonl")).expect("metrics");
                metrics.lines().next().expect("a line").to_owned()
            };
            let before = first_line();
            done(ranks(1 + 2 * rank, resumption(&broken)));
            assert_eq!(first_line(), before, "seconds and all: it was continued, not begun again");
            assert_eq!(result(&broken), result(&unbroken));
        }
    }

    #[test]
    fn one_rank_that_is_asked_to_stop_stops_all_with_a_checkpoint() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = folder.path().join("run");
        let job = begun(&mut ranks(2, training(&["train", "markov"], &run, 1_000_000, 2)));
        let ended = signal("-TERM", &run, 1, job);
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
        let status = done(glauber(["status", text(&run), "--json"]));
        let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("JSON");
        assert_eq!(status["standing"]["outcome"], "stopped");
        assert!(status["checkpoint"].as_u64() >= Some(100) && status["checkpoint"] == status["standing"]["step"]);
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
        assert!(said.contains("error: rank 0 of 2, on ") && said.contains("expected the folder of a run"), "{said}");
        let said = failed(ranks(2, ["train", "classifier", "--run", text(&run)]));
        assert!(said.contains("started as 2 processes, expected one"), "{said}");
    }
}
