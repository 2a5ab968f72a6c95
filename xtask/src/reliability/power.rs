//! The power fails after every call of a run that writes. The run goes on from what the disk may hold, and must end as it would have.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Context, ensure};

use super::calls::{self, Call};
use super::compare::Ended;
use super::disk::{Disk, Left, Loss, restore};
use super::kinds::{Kind, Length};
use super::{Ground, Traced, log, need_strace};
use crate::screen::{remark, say};

/// What was tried of a kind.
#[derive(Default)]
struct Tally {
    /// Calls that change the disk.
    calls: usize,
    /// States of the disk that differ, and those that were tried.
    states: u64,
    tried: u64,
    /// States in which the newest checkpoint that was safe before is gone.
    fallen: u64,
    /// States from which the run did not go on to the same files.
    wrong: u64,
}

/// Cuts the power and prints a Markdown table.
///
/// # Errors
/// [`Usage`](crate::Usage) for a wrong flag or without `strace`; otherwise when an unbroken run fails, or a file cannot be read or written.
pub fn run(flags: &Traced) -> anyhow::Result<ExitCode> {
    need_strace()?;
    let ground = Ground::new(&flags.place, false)?;
    say("| kind | calls that write | states of the disk | tried | checkpoint lost | did not go on | seconds |")?;
    say("|---|---|---|---|---|---|---|")?;
    let mut clean = true;
    for kind in &ground.kinds {
        let begun = Instant::now();
        let found =
            Outage { kind, ground: &ground, folder: ground.root.join(kind.name).join("disk") }.try_all(flags)?;
        clean &= found.fallen + found.wrong == 0;
        let Tally { calls, states, tried, fallen, wrong } = found;
        let seconds = begun.elapsed().as_secs();
        say(&format!("| {} | {calls} | {states} | {tried} | {fallen} | {wrong} | {seconds} |", kind.name))?;
    }
    Ok(ground.end(clean))
}

/// A run in a folder of its own, which stands for the disk.
struct Outage<'a> {
    kind: &'a Kind,
    ground: &'a Ground,
    folder: PathBuf,
}

impl Outage<'_> {
    fn run(&self) -> PathBuf {
        self.folder.join("run")
    }

    fn try_all(&self, flags: &Traced) -> anyhow::Result<Tally> {
        let recorded = self.record()?;
        let expected = Ended::read(&self.run())?;
        let (mut disk, mut tally, mut seen) = (Disk::new(&self.folder), Tally::default(), HashSet::new());
        let mut safe = None;
        for (at, call) in recorded.iter().enumerate() {
            disk.perform(call);
            if !call.changes() {
                continue;
            }
            tally.calls += 1;
            let synced = disk.after(Loss::Unsynced);
            let newest = newest_checkpoint(&synced);
            if newest < safe {
                remark(&format!("after call {at}, {}: checkpoint {safe:?} is gone", shortened(call)));
                tally.fallen += 1;
            }
            safe = newest;
            for loss in Loss::ALL {
                let left = disk.after(loss);
                if !seen.insert(digest(&left)) {
                    continue;
                }
                tally.states += 1;
                if tally.states % flags.every == 0 {
                    tally.tried += 1;
                    tally.wrong += u64::from(!self.goes_on(
                        &left,
                        &expected,
                        &format!("after call {at}, {}, lost: {loss:?}", shortened(call)),
                    )?);
                }
            }
        }
        Ok(tally)
    }

    /// Runs unbroken, and records it.
    fn record(&self) -> anyhow::Result<Vec<Call>> {
        fs::create_dir_all(&self.folder)?;
        let recording = self.folder.with_extension("strace");
        let inner = self.kind.command(self.ground, &self.run(), Length::Tenth);
        let mut command = Command::new("strace");
        command.args(["-f", "-y", "-xx", "-s", "1000000000", "-e", &format!("trace={}", calls::TRACED), "-o"]);
        command.arg(&recording).arg(inner.get_program()).args(inner.get_args()).current_dir(&self.folder);
        let status = said(&mut command, &log(&self.run()))?;
        ensure!(status, "the unbroken {} run failed; its log: {}", self.kind.name, log(&self.run()).display());
        let text = fs::read_to_string(&recording).with_context(|| recording.display().to_string())?;
        fs::remove_file(recording)?;
        calls::read(&text, &self.folder)
    }

    /// Whether the run goes on to the files expected.
    fn goes_on(&self, left: &Left, expected: &Ended, when: &str) -> anyhow::Result<bool> {
        restore(left, &self.folder)?;
        let log = self.folder.with_extension("log");
        let _ = fs::remove_file(&log);
        let ended = said(&mut self.kind.command(self.ground, &self.run(), Length::Tenth), &log)?;
        let wrong = match ended {
            true => expected.first_difference(&Ended::read(&self.run())?),
            false => fs::read_to_string(&log)?.lines().last().map(String::from),
        };
        if let Some(wrong) = &wrong {
            remark(&format!("{when}: {wrong}"));
        }
        Ok(wrong.is_none() && ended)
    }
}

/// Runs a command whose output goes to a file; whether it succeeded.
fn said(command: &mut Command, log: &Path) -> anyhow::Result<bool> {
    let log = File::create(log)?;
    command.stdout(log.try_clone()?).stderr(log);
    Ok(command.status().with_context(|| format!("cannot start {command:?}"))?.success())
}

/// The newest checkpoint of the run, by its name.
fn newest_checkpoint(left: &Left) -> Option<String> {
    let names =
        left.keys().filter_map(|path| path.strip_prefix("run/checkpoints").ok()?.to_str()?.strip_prefix("step-"));
    names.filter(|name| !name.contains('/')).max().map(String::from)
}

fn digest(left: &Left) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    for (path, bytes) in left {
        // The names of processes are in names of files half written.
        let name = path.display().to_string();
        hasher.update(name.as_bytes()).update(&[0, u8::from(bytes.is_some())]);
        let bytes = bytes.as_deref().unwrap_or_default();
        hasher.update(&bytes.len().to_le_bytes()).update(bytes);
    }
    hasher.finalize()
}

/// A call without its bytes.
fn shortened(call: &Call) -> String {
    match call {
        Call::Write { descriptor, bytes, .. } => format!("{} bytes to descriptor {descriptor}", bytes.len()),
        other => format!("{other:?}"),
    }
}
