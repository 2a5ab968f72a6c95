//! Every call of a run that writes fails, once or from then on. The program must end with code 2 and one line that names what failed, and
//! the run must go on to the same files once the disk works again.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Output};
use std::time::Instant;

use anyhow::{Context, ensure};

use super::compare::Ended;
use super::kinds::{Kind, Length};
use super::{Ground, Traced, need_strace};
use crate::screen::{remark, say};

/// Calls that fail, and how: as `strace` names them.
const FAULTS: [(&str, &str); 9] = [
    ("write,pwrite64", "ENOSPC"),
    ("write,pwrite64", "EIO"),
    ("fsync,fdatasync", "EIO"),
    ("rename,renameat,renameat2", "EACCES"),
    ("rename,renameat,renameat2", "EROFS"),
    ("mkdir,mkdirat", "ENOSPC"),
    ("unlink,unlinkat,rmdir", "EACCES"),
    ("openat", "EMFILE"),
    ("ftruncate", "ENOSPC"),
];

/// What happened to the runs of a kind.
#[derive(Default)]
struct Tally {
    tries: u64,
    /// Runs that ended well all the same.
    tolerated: u64,
    /// Ends with code 2 and one line that names a file.
    refused: u64,
    /// Other ends: another code, a panic, more lines, no name.
    rude: u64,
    /// Runs that did not go on to the same files afterwards.
    wrong: u64,
}

/// Lets calls fail and prints a Markdown table.
///
/// # Errors
/// [`Usage`](crate::Usage) for a wrong flag or without `strace`; otherwise when an unbroken run fails, or a file cannot be read or written.
pub fn run(flags: &Traced) -> anyhow::Result<ExitCode> {
    need_strace()?;
    let ground = Ground::new(&flags.place, false)?;
    say(
        "| kind | calls | error | fails | tries | no matter | refused in one line | other ends | did not go on | seconds |",
    )?;
    say("|---|---|---|---|---|---|---|---|---|---|")?;
    let mut clean = true;
    for kind in &ground.kinds {
        let fault = Faults { kind, ground: &ground, folder: ground.root.join(kind.name) };
        fs::create_dir_all(&fault.folder)?;
        let expected = fault.unbroken()?;
        for ((calls, error), for_good) in FAULTS.into_iter().flat_map(|fault| [(fault, false), (fault, true)]) {
            let begun = Instant::now();
            let tally = fault.try_all(flags, &expected, (calls, error, for_good))?;
            clean &= tally.rude + tally.wrong == 0;
            let Tally { tries, tolerated, refused, rude, wrong } = tally;
            let (fails, seconds) = (if for_good { "from then on" } else { "once" }, begun.elapsed().as_secs());
            let calls = calls.replace(',', ", ");
            say(&format!(
                "| {} | {calls} | {error} | {fails} | {tries} | {tolerated} | {refused} | {rude} | {wrong} | {seconds} |",
                kind.name
            ))?;
        }
    }
    Ok(ground.end(clean))
}

/// Runs in one folder, one after the other.
struct Faults<'a> {
    kind: &'a Kind,
    ground: &'a Ground,
    folder: PathBuf,
}

impl Faults<'_> {
    fn run(&self) -> PathBuf {
        self.folder.join("run")
    }

    fn clear(&self) -> anyhow::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
        Ok(())
    }

    fn unbroken(&self) -> anyhow::Result<Ended> {
        let output = self.kind.command(self.ground, &self.run(), Length::Tenth).output()?;
        ensure!(output.status.success(), "the unbroken {} run failed: {}", self.kind.name, last_lines(&output));
        Ended::read(&self.run())
    }

    fn try_all(&self, flags: &Traced, expected: &Ended, what: (&str, &str, bool)) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        for number in (1..).step_by(flags.every as usize) {
            self.clear()?;
            let (output, hit) = self.with_fault(what, number)?;
            if !hit {
                break;
            }
            tally.tries += 1;
            let when = format!("{} {what:?} call {number}", self.kind.name);
            // Before `main`, the loader of the system looks for libraries.
            let loading = output.status.code() == Some(127);
            match output.status.success() {
                true => tally.tolerated += 1,
                false if loading || self.is_refusal(&output, what) => tally.refused += 1,
                false => {
                    remark(&format!("{when}: {}; {}", output.status, last_lines(&output)));
                    tally.rude += 1;
                }
            }
            if !output.status.success() {
                let output = self.kind.command(self.ground, &self.run(), Length::Tenth).output()?;
                if !output.status.success() {
                    remark(&format!("{when}: did not go on: {}", last_lines(&output)));
                    tally.wrong += 1;
                    continue;
                }
            }
            if let Some(difference) = expected.first_difference(&Ended::read(&self.run())?) {
                remark(&format!("{when}: {difference}"));
                tally.wrong += 1;
            }
        }
        Ok(tally)
    }

    /// Runs with a fault at a call, counted in every thread; whether a call was hit.
    fn with_fault(&self, (calls, error, for_good): (&str, &str, bool), number: u64) -> anyhow::Result<(Output, bool)> {
        let recording = self.folder.with_extension("strace");
        let inner = self.kind.command(self.ground, &self.run(), Length::Tenth);
        let when = format!("inject={calls}:error={error}:when={number}{}", if for_good { "+" } else { "" });
        let mut command = Command::new("strace");
        command.args(["-f", "-o"]).arg(&recording).args(["-e", &format!("trace={calls}"), "-e", &when]);
        command.arg(inner.get_program()).args(inner.get_args()).current_dir(&self.folder);
        let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
        let hit = fs::read_to_string(&recording)?.contains("(INJECTED)");
        Ok((output, hit))
    }

    /// Whether a run ended with code 2 and one line of an error. Where all writing fails, nobody can read it.
    fn is_refusal(&self, output: &Output, (calls, _, for_good): (&str, &str, bool)) -> bool {
        let said = String::from_utf8_lossy(&output.stderr);
        let errors: Vec<&str> = said.lines().filter(|line| line.starts_with("error: ")).collect();
        let names = |line: &&str| line.contains('/') || line.contains("stdout") || line.contains("standard output");
        let told = matches!(&errors[..], [line] if names(line)) && !said.contains("panicked");
        output.status.code() == Some(2) && (told || (for_good && calls.contains("write")))
    }
}

fn last_lines(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(3)..].join(" / ")
}
