//! `glauber status`: the progress of a run, from its folder.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use glauber_program::progress::{launcher, now};
use glauber_program::screen;
use glauber_run::FolderLock;
use glauber_run::{Outcome, Standing};
use indicatif::HumanDuration;
use serde_json::{Value, json};

use crate::arguments::StatusFlags;

/// Seconds without a step after which a running process is reported as silent.
const SILENT: u64 = 60;

/// Prints the progress of a run, even if another process trains it.
pub fn status(flags: &StatusFlags) -> anyhow::Result<()> {
    let folder = &flags.run;
    let known = ["config.toml", "network.toml"].iter().any(|name| folder.join(name).is_file());
    let standing = Standing::read(folder);
    ensure!(
        known || standing.is_some(),
        "{}: not a run folder: it has no configuration and no journal",
        folder.display()
    );
    let (held, now) = (FolderLock::is_held(folder)?, now().since_1970);
    let (evaluation, checkpoint) = (last_evaluation(folder), last_checkpoint(folder));
    let mut out = screen::out();
    if flags.json {
        let age = standing.as_ref().map(|standing| now.saturating_sub(standing.written));
        let left = standing.as_ref().and_then(Standing::seconds_left).filter(|_| held != Some(false));
        let line = json!({
            "running": held, "seconds_since_written": age, "seconds_left": left, "checkpoint": checkpoint,
            "metrics": evaluation, "standing": standing,
        });
        return Ok(writeln!(out, "{line}")?);
    }
    for line in lines(folder, standing.as_ref(), held, now, evaluation.as_ref(), checkpoint) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

fn lines(
    folder: &Path,
    standing: Option<&Standing>,
    held: Option<bool>,
    now: u64,
    evaluation: Option<&Value>,
    checkpoint: Option<usize>,
) -> Vec<String> {
    let mut lines = vec![format!("run         {}", folder.display())];
    match standing {
        Some(standing) => lines.extend(told(folder, standing, held, now)),
        None if held == Some(true) => lines.push("state       a process prepares it: no step yet".into()),
        None => lines.push("state       no process trains it, and none has left a journal".into()),
    }
    // The journal knows of evaluations of its own process alone.
    let said = standing.and_then(|standing| standing.evaluation.as_ref());
    match (said, evaluation) {
        (Some((step, text)), _) => lines.push(format!("evaluation  step {step}: {text}")),
        (None, Some(line)) => lines.push(format!("evaluation  {}", numbers(line))),
        (None, None) => {}
    }
    if let Some(step) = checkpoint {
        lines.push(format!("checkpoint  step {step}"));
    }
    lines
}

/// The report of a journal.
fn told(folder: &Path, standing: &Standing, held: Option<bool>, now: u64) -> Vec<String> {
    let &Standing { step, steps, .. } = standing;
    let share = 100.0 * step as f64 / steps.max(1) as f64;
    let mut lines = vec![
        format!("state       {}", state(folder, standing, held, now)),
        format!("step        {step} of {steps} ({share:.1} %), train {}", standing.kind),
    ];
    if let Some(rate) = standing.rate {
        let pace = if rate < 0.1 { format!("{:.1} s a step", 1.0 / rate) } else { format!("{rate:.2} steps/s") };
        let left = standing.seconds_left().filter(|_| held != Some(false) && standing.outcome.is_none());
        let left = left.map(|left| format!(", {} left", HumanDuration(Duration::from_secs(left as u64))));
        lines.push(format!("rate        {pace}{}", left.unwrap_or_default()));
    }
    if let Some(loss) = standing.loss {
        lines.push(format!("loss        {loss:.4}, training, mean of the last {} steps", standing.loss_steps));
    }
    lines
}

fn state(folder: &Path, standing: &Standing, held: Option<bool>, now: u64) -> String {
    let (process, age) = (standing.process, now.saturating_sub(standing.written));
    let ago = HumanDuration(Duration::from_secs(age));
    let resume = format!("continue with `{} train {} --resume --run {}`", launcher(), standing.kind, folder.display());
    let resume = if standing.kind == "classifier" { "begin again".to_owned() } else { resume };
    match (&standing.outcome, held) {
        (Some(Outcome::Finished), _) => format!("finished {ago} ago"),
        (Some(Outcome::Stopped), _) => format!("stopped {ago} ago when it was asked to; {resume}"),
        (Some(Outcome::Failed(why)), _) => format!("failed {ago} ago: {why}"),
        (None, Some(true)) if age < SILENT => format!("running, process {process}, last update {age} s ago"),
        (None, Some(true)) => {
            format!("running, process {process}, silent for {ago}: a long step, or an evaluation, or it hangs")
        }
        (None, Some(false)) => {
            format!(
                "ended without a word {ago} ago or later: killed, another of its processes failed (see what it printed), or the machine went down; \
                 {resume}"
            )
        }
        (None, None) => {
            format!("unknown, the file system has no locks; process {process} wrote its last update {ago} ago")
        }
    }
}

/// The last line of `metrics.jsonl` of any kind of run.
fn last_evaluation(folder: &Path) -> Option<Value> {
    let lines = fs::read(folder.join("metrics.jsonl")).ok()?;
    // A line that is torn is passed over.
    lines.rsplit(|&byte| byte == b'\n').find_map(|line| serde_json::from_slice(line).ok().filter(Value::is_object))
}

/// The numbers of an evaluation by name.
fn numbers(line: &Value) -> String {
    let named = line.as_object().into_iter().flatten().filter(|(name, _)| *name != "step" && *name != "seconds");
    let text = |(name, value): (&String, &Value)| value.as_f64().map(|value| format!("{name} {value:.4}"));
    let step = line["step"].as_u64().unwrap_or(0);
    format!("step {step}: {}", named.filter_map(text).collect::<Vec<_>>().join("  "))
}

/// The step of the newest checkpoint.
fn last_checkpoint(folder: &Path) -> Option<usize> {
    let entries = fs::read_dir(folder.join("checkpoints")).ok()?;
    let step = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_prefix("step-")?.parse().ok();
    entries.flatten().filter_map(step).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(outcome: Option<Outcome>) -> Standing {
        Standing {
            kind: "text".into(),
            step: 250,
            steps: 1000,
            rate: Some(0.05),
            loss: Some(2.5),
            loss_steps: 100,
            process: 7,
            written: 1000,
            outcome,
            ..Standing::default()
        }
    }

    fn said(outcome: Option<Outcome>, held: Option<bool>, now: u64) -> String {
        lines(Path::new("runs/a"), Some(&standing(outcome)), held, now, None, Some(200)).join("\n")
    }

    #[test]
    fn the_lock_and_the_journal_together_tell_the_state() {
        let running = said(None, Some(true), 1003);
        assert!(running.contains("running, process 7, last update 3 s ago"), "{running}");
        assert!(
            running.contains("250 of 1000 (25.0 %)") && running.contains("20.0 s a step, 4 hours left"),
            "{running}"
        );
        assert!(running.contains("loss        2.5000") && running.ends_with("checkpoint  step 200"));
        assert!(said(None, Some(true), 1300).contains("silent for 5 minutes"));
        let killed = said(None, Some(false), 1100);
        assert!(killed.contains("killed") && killed.contains("`glauber train text --resume --run runs/a`"), "{killed}");
        assert!(!killed.contains("left"), "{killed}");
        assert!(said(Some(Outcome::Stopped), Some(false), 1100).contains("stopped"));
        assert!(said(Some(Outcome::Finished), Some(false), 1100).contains("finished"));
        assert!(said(Some(Outcome::Failed("disk full".into())), Some(false), 1100).contains("disk full"));
        assert!(said(None, None, 1100).contains("no locks"));
    }

    #[test]
    fn a_run_without_a_journal_still_has_its_metrics() {
        let line = json!({ "step": 40, "seconds": 3.0, "loss": 1.25, "note": "text" });
        let text = lines(Path::new("runs/a"), None, Some(false), 0, Some(&line), None).join("\n");
        assert!(text.contains("step 40: loss 1.2500") && !text.contains("note"), "{text}");
    }
}
