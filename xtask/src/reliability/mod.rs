//! `cargo xtask storm`, `power-loss` and `disk-faults`: runs that are killed, lose power, or meet a disk that fails, and what is lost.

mod calls;
mod compare;
mod disk;
mod faults;
mod kinds;
mod power;
mod processes;
mod storm;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};

use self::kinds::{KINDS, Kind};
use crate::{Usage, launcher};

/// What can happen to runs.
#[derive(Subcommand)]
pub enum What {
    /// Kill runs of every kind at random moments, resume them, and compare their ends with unbroken runs'
    Storm(storm::Flags),
    /// Cut the power after every call that writes, by a recording of `strace`, and go on from what the disk may hold
    PowerLoss(Traced),
    /// Let every call that writes fail once or for good, by `strace`, and go on
    DiskFaults(Traced),
}

/// Performs it.
///
/// # Errors
/// [`Usage`] for a wrong flag; otherwise when an unbroken run fails, or a file cannot be read or written.
pub fn run(what: &What) -> anyhow::Result<ExitCode> {
    match what {
        What::Storm(flags) => storm::run(flags),
        What::PowerLoss(flags) => power::run(flags),
        What::DiskFaults(flags) => faults::run(flags),
    }
}

/// Which runs, and where.
#[derive(Args)]
struct Place {
    /// Kinds of runs, comma-separated. Default: all
    #[arg(long, value_delimiter = ',')]
    kinds: Vec<String>,
    /// Folder for runs and logs, new or empty. Runs that ended wrong are kept there. Default: a temporary folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The `glauber` to run. Default: build it, with MPI where `mpirun` is installed
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Which runs are traced, and how many of their cases are tried.
#[derive(Args)]
pub struct Traced {
    #[command(flatten)]
    place: Place,
    /// Try one in so many of the states of the disk, or of the calls that fail
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    every: u64,
}

/// Runs of some kinds in a folder.
struct Ground {
    kinds: Vec<&'static Kind>,
    program: PathBuf,
    root: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

impl Ground {
    /// Makes the folder, and builds the program if none is given.
    fn new(place: &Place, several_processes: bool) -> anyhow::Result<Self> {
        let all = || KINDS.iter().filter(|kind| several_processes || kind.processes == 1);
        if let Some(unknown) = place.kinds.iter().find(|name| all().all(|kind| kind.name != *name)) {
            let names: Vec<&str> = all().map(|kind| kind.name).collect();
            let names = names.join(", ");
            return Err(Usage(format!("`--kinds {unknown}`: there is no such kind of run; available: {names}")).into());
        }
        let chosen = |kind: &&Kind| place.kinds.is_empty() || place.kinds.iter().any(|name| name == kind.name);
        let kinds: Vec<&Kind> = all().filter(chosen).collect();
        let mpi = kinds.iter().any(|kind| kind.processes > 1) && has("mpirun");
        let program = match &place.program {
            Some(program) => program.clone(),
            None => launcher::glauber(if mpi { &["glauber-cli/mpi"] } else { &[] })?,
        };
        let temporary =
            if place.out.is_none() { Some(tempfile::tempdir().context("a temporary folder")?) } else { None };
        let root = place.out.clone().or(temporary.as_ref().map(|folder| folder.path().to_owned())).unwrap_or_default();
        fs::create_dir_all(&root).with_context(|| root.display().to_string())?;
        ensure!(
            fs::read_dir(&root)?.next().is_none(),
            Usage(format!("`--out {}` is not empty, expected a new folder", root.display()))
        );
        let (root, program) = (root.canonicalize()?, program.canonicalize().context("`--program`")?);
        fs::write(root.join("corpus.txt"), kinds::corpus())?;
        Ok(Self { kinds, program, root, temporary })
    }

    /// Keeps the folder if something was lost.
    fn end(self, clean: bool) -> ExitCode {
        if clean {
            return ExitCode::SUCCESS;
        }
        if let Some(temporary) = self.temporary {
            crate::screen::remark(&format!("runs that ended wrong: {}", temporary.keep().display()));
        }
        ExitCode::FAILURE
    }
}

/// Whether a program is installed.
fn has(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Refuses where `strace` is missing.
fn need_strace() -> anyhow::Result<()> {
    let missing = || Usage("this needs `strace` (`apt-get install strace`), which was not found".into());
    ensure!(has("strace"), missing());
    Ok(())
}

/// What the processes of a run say.
fn log(run: &Path) -> PathBuf {
    run.with_extension("log")
}
