//! What other processes see of a run, and what signals do to it.
#![cfg(unix)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::program::{glauber, small_run};
use serde_json::Value;

/// A run far longer than any test waits for.
const STEPS: usize = 1_000_000;

fn flags(run: &Path) -> Vec<String> {
    let settings = ["train.checkpoint_every=1000000", "train.validate_every=50", "train.validation_sequences=8"];
    small_run(run, STEPS, &settings)
}

/// A run whose output nobody reads: the pipes are closed at once, as a terminal is that goes away.
fn start(run: &Path) -> Child {
    let mut child =
        glauber(flags(run)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts");
    drop((child.stdout.take(), child.stderr.take()));
    child
}

fn status(run: &Path) -> Value {
    let out = glauber(["status".as_ref(), run.as_os_str(), "--json".as_ref()]).output().expect("the program starts");
    serde_json::from_slice(&out.stdout).unwrap_or(Value::Null)
}

fn text(run: &Path) -> String {
    let out = glauber(["status".as_ref(), run.as_os_str()]).output().expect("the program starts");
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Asks again and again until the status is as wanted.
fn wait_for(run: &Path, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let status = status(run);
        if wanted(&status) {
            return status;
        }
        assert!(begun.elapsed() < Duration::from_secs(120), "{what}: {status}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn step(status: &Value) -> u64 {
    status["standing"]["step"].as_u64().unwrap_or(0)
}

fn signal(name: &str, child: &Child) {
    let done = Command::new("sh").args(["-c", &format!("kill -{name} {}", child.id())]).status();
    assert!(done.expect("a shell").success());
}

#[test]
fn a_run_outlives_its_terminal_and_stops_when_it_is_asked_to() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    let mut child = start(&run);
    let running = wait_for(&run, "no step", |status| step(status) > 0 && status["running"] == true);
    assert_eq!(running["standing"]["process"], child.id());
    assert_eq!(running["standing"]["kind"], "markov");
    signal("HUP", &child);
    let before = step(&running);
    let later = wait_for(&run, "it did not go on", |status| step(status) > before + 50);
    assert_eq!(later["running"], true);
    wait_for(&run, "no rate", |status| {
        let standing = &status["standing"];
        standing["rate"].as_f64() > Some(0.0)
            && standing["loss"].is_f64()
            && status["seconds_left"].as_f64() > Some(0.0)
    });
    let evaluated = wait_for(&run, "no evaluation", |status| status["standing"]["evaluation"].is_array());
    assert!(evaluated["standing"]["evaluation"][1].as_str().expect("text").contains("held-out loss"));
    assert!(text(&run).contains("running, process"), "{}", text(&run));
    signal("TERM", &child);
    assert!(child.wait().expect("an end").success(), "asked to stop, it writes a checkpoint and ends well");
    let stopped = status(&run);
    assert_eq!(stopped["running"], false);
    assert_eq!(stopped["standing"]["outcome"], "stopped");
    assert_eq!(stopped["checkpoint"].as_u64(), Some(step(&stopped)), "{stopped}");
    assert!(text(&run).contains("--resume"), "{}", text(&run));
}

#[test]
fn a_run_that_was_killed_is_not_said_to_run() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = folder.path().join("run");
    let mut child = start(&run);
    wait_for(&run, "no step", |status| step(status) > 0);
    child.kill().expect("SIGKILL");
    child.wait().expect("the program is gone");
    assert_eq!(status(&run)["running"], false);
    assert!(text(&run).contains("or the machine went down"), "{}", text(&run));
}

#[test]
fn what_is_no_run_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = glauber(["status".as_ref(), folder.path().as_os_str()]).output().expect("the program starts");
    assert_eq!(out.status.code(), Some(2));
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(said.contains("not a run folder") && said.lines().count() == 1, "{said}");
}
