//! Starting and resuming a training.

use std::path::{Path, PathBuf};

use burn::tensor::Device;

use crate::data::train_command;
use crate::error::{Context, Result, bail, ensure};
use crate::kinds::{Kind, open_run};
use crate::ranks::Rank;
use crate::{DataConfig, FolderLock, Opened, Opening, Run, RunConfig, RunFolder, Say};

/// Configuration and folder of a run to resume, optionally of a given kind of data. Checks everything before any work.
///
/// # Errors
/// If it cannot be resumed.
pub fn resumed(folder: Option<&Path>, kind: Option<&str>, ranks: &Rank) -> Result<(RunConfig, PathBuf)> {
    let folder = folder.context("`--resume` needs `--run DIR`")?;
    match kind {
        Some(kind) => check_resumed(folder, kind)?,
        None if Kind::of(folder) == Kind::Run => {}
        None => check_resumed(folder, "data")?,
    }
    let run = open_run(folder)?;
    // The first rank has taken the folder when others look at it.
    if ranks.is_first() {
        FolderLock::check_untaken(folder)?;
        run.check_config()?;
    }
    Ok((run.config()?, folder.into()))
}

/// Checks the kind of a run; the error names the command that resumes it.
///
/// # Errors
/// When it is of another.
pub fn check_resumed(folder: &Path, kind: &str) -> Result<()> {
    let found = match Kind::of(folder) {
        Kind::Run => RunFolder::open(folder).and_then(|run| run.config()).map_or(kind, |config| config.data.name()),
        Kind::TokenizerRun => "image-tokenizer",
        Kind::FeatureNetwork => {
            bail!("`--run {}` is a classifier, whose training cannot be resumed: train a new one", folder.display())
        }
        Kind::Tokenizer => kind,
    };
    let command = train_command(found);
    ensure!(
        found == kind,
        "`--run {0}` is a run of `train {command}`; resume it with `glauber train {command} --resume --run {0}`",
        folder.display()
    );
    Ok(())
}

/// Checks the kind of a new run's data; the error names the command that trains on them.
///
/// # Errors
/// When they are of another.
pub fn check_kind(data: &DataConfig, kind: &str) -> Result<()> {
    let found = data.name();
    ensure!(found == kind, "`data.kind` is \"{found}\": use `glauber train {}`", train_command(found));
    Ok(())
}

/// The folder of a new run: `--run`, or the first free `runs/NAME-001`, `runs/NAME-002`, … Checks before any work that
/// a run can start there.
///
/// # Errors
/// When it cannot.
pub fn new_run(run: Option<&Path>, name: &str) -> Result<PathBuf> {
    let folder = free_run(run, name)?;
    let resume = if RunFolder::open(&folder).is_ok() { " (`--resume` continues the run that is there)" } else { "" };
    RunFolder::check_new(&folder).with_context(|| format!("`--run {}`{resume}", folder.display()))?;
    Ok(folder)
}

/// As [`new_run`], with `--run` itself.
///
/// # Errors
/// When no name is free.
pub fn free_run(run: Option<&Path>, name: &str) -> Result<PathBuf> {
    let numbered = |n: usize| PathBuf::from(format!("runs/{name}-{n:03}"));
    let free = || (1..).map(numbered).find(|path| !path.exists());
    run.map(Path::to_path_buf).or_else(free).context("no free name in `runs/`: give `--run DIR`")
}

/// A run to start or resume, on one rank or several.
#[derive(Clone, Copy)]
pub struct Training<'a> {
    /// The configuration.
    pub config: &'a RunConfig,
    /// The folder.
    pub folder: &'a Path,
    /// The device.
    pub device: &'a Device,
    /// Whether the run is resumed.
    pub resume: bool,
    /// New total number of steps of a resumed run, if it changes.
    pub steps: Option<usize>,
    /// Micro-batches computed in parallel.
    pub threads: usize,
    /// The ranks that share the work.
    pub ranks: &'a Rank,
}

impl Training<'_> {
    /// Opens the data of the run with a function, for instance that of their kind. Prepared data are stored in `cache`;
    /// progress is reported.
    ///
    /// # Errors
    /// Those of the function, and if the run to resume does not exist.
    pub fn open<T>(&self, cache: &Path, say: Say<'_>, open: impl FnOnce(&mut Opening<'_>) -> Result<T>) -> Result<T> {
        let Self { config, device, .. } = *self;
        config.validate()?;
        let begun = self.resume.then(|| RunFolder::open(self.folder)).transpose()?;
        begun.as_ref().map_or(Ok(()), |run| run.vocabulary().map(|_| ()))?; // before there is work
        open(&mut Opening { config, begun: begun.as_ref(), first: self.ranks.is_first(), cache, device, say })
    }

    /// The run on opened data, shared with other ranks if any. `say` receives changes.
    ///
    /// # Errors
    /// If the parts do not fit each other, or the folder cannot be written or read.
    pub fn run(&self, opened: &Opened, say: Say<'_>) -> Result<Run> {
        let Self { config, folder, device, resume, steps, threads, ranks } = *self;
        let (vocabulary, codec) = (&opened.vocabulary, Some(&*opened.codec));
        if ranks.size() > 1 && ranks.is_first() {
            // Before a folder exists whose path the other ranks could not receive.
            folder
                .to_str()
                .with_context(|| format!("`--run {}`: several ranks need a Unicode name", folder.display()))?;
        }
        if resume {
            let begun = RunFolder::open(folder)?.vocabulary()?;
            let same = (begun.size, begun.mask, &begun.codec) == (vocabulary.size, vocabulary.mask, &vocabulary.codec);
            ensure!(
                same && begun.corpus.as_ref().is_none_or(|corpus| vocabulary.corpus.as_ref() == Some(corpus)),
                "{}: the data have changed since the run started: restore them, or start a new run",
                folder.display()
            );
        }
        let run = match (ranks.is_first(), resume) {
            (false, _) => Run::join(folder, device, threads)?,
            (true, true) => go_on(folder, steps, device, threads, say)?,
            (true, false) => Run::begin(config.clone(), vocabulary, codec, folder, device, threads)?,
        };
        if ranks.size() > 1 && ranks.is_first() {
            ranks.broadcast_folder(folder)?;
            let (size, micro_batches) = (ranks.size(), config.train.micro_batches);
            if !micro_batches.is_multiple_of(size) {
                tracing::warn!(
                    "{micro_batches} micro-batches do not divide among {size} ranks: some wait for others at each step; a new run with `--set \
                     train.micro_batches={size}`, or a multiple, uses them all"
                );
            }
        }
        ranks.join(run)
    }
}

/// A resumed run, with a new total number of steps if given.
fn go_on(folder: &Path, steps: Option<usize>, device: &Device, threads: usize, say: Say<'_>) -> Result<Run> {
    let mut trainer = Run::resume(folder, device, threads)?;
    trainer.notes().iter().for_each(|note| tracing::warn!("{note}"));
    if let Some(steps) = steps {
        let of = trainer.config().train.steps;
        trainer.set_steps(steps).context("`--steps`")?;
        if steps != of {
            say(&format!("a run of {steps} steps from step {} on, of {of} before", trainer.state().step));
        }
    }
    Ok(trainer)
}
