//! Resuming runs.

use std::path::Path;

use burn::tensor::Device;
use glauber_files::remove_unfinished;
use glauber_train::{Extension, require};

use super::Run;
use crate::error::Result;
use crate::run::checkpoint;
use crate::{Change, CheckpointInfo, FolderLock, RunError, RunFolder, TrainingState};

impl Run {
    /// Resumes a run from its newest readable checkpoint, or from its start without one. Repairs files that are damaged
    /// or ahead of the checkpoint, and lists this in [`notes`](Self::notes).
    ///
    /// # Errors
    /// If the folder is not a run, another process trains it, its configuration has changed
    /// ([`RunFolder::check_config`]), or files are missing or malformed.
    pub fn resume(folder: &Path, device: &Device, threads: usize) -> Result<Self> {
        let folder = RunFolder::open(folder)?;
        let lock = FolderLock::take(folder.path())?;
        lock.begun()?;
        for path in [folder.path(), &folder.checkpoint_folder()] {
            remove_unfinished(path).map_err(RunError::file(path))?;
        }
        let (mut run, torn) = Self::load(folder, Some(lock), device, threads)?;
        for (checkpoint, error) in torn {
            checkpoint::set_aside(&checkpoint)?;
            run.notes.push(format!("{error}; resuming from step {}, the previous checkpoint", run.state.step));
        }
        let Self { evaluations, state, folder, .. } = &run;
        let mended = folder.go_back(&run.title(), evaluations, state.step)?;
        run.notes.extend(mended);
        Ok(run)
    }

    /// Joins a run that the first rank has started or resumed, to [share](Self::with_world) it. It reads the folder,
    /// and writes nothing.
    ///
    /// # Errors
    /// As [`resume`](Self::resume), without the lock, which the first rank holds.
    pub fn join(folder: &Path, device: &Device, threads: usize) -> Result<Self> {
        Ok(Self::load(RunFolder::open(folder)?, None, device, threads)?.0)
    }

    /// The run of a folder at its newest readable checkpoint, and later damaged ones.
    fn load(
        folder: RunFolder,
        lock: Option<FolderLock>,
        device: &Device,
        threads: usize,
    ) -> Result<(Self, Vec<(CheckpointInfo, RunError)>)> {
        let (config, vocabulary, changes) = (folder.config()?, folder.vocabulary()?, folder.check_config()?);
        let mut run = Self::assemble(config, &vocabulary, |_| Ok((lock, folder)), device, threads)?;
        let Self { trainer, folder, notes, .. } = &mut run;
        let Some(newest) = checkpoint::newest::<TrainingState>(&folder.checkpoint_folder())? else {
            return if folder.has_metrics() { Err(folder.no_checkpoint()) } else { Ok((run, Vec::new())) };
        };
        let step = newest.state.step;
        checkpoint::verify(&newest.path, |_| true)?;
        trainer.load(&newest.path, step)?;
        let evaluations = folder.evaluations_of(checkpoint::load_metrics(&newest.path).as_deref(), step);
        for Change { key, before, after, .. } in changes {
            notes.push(format!("`{key}` is {after} from step {step} on, {before} before"));
        }
        if evaluations.torn > 0 {
            notes.push(format!("the evaluations of step {step} are damaged: some may be missing"));
        }
        (run.state, run.evaluations) = (newest.state, evaluations);
        Ok((run, newest.torn))
    }

    /// Sets the total number of steps, and stores it in the configuration. Finished steps are kept. Further steps use
    /// the learning-rate schedule of a run of that length.
    ///
    /// # Errors
    /// If more steps are finished, or the configuration cannot be written.
    pub fn set_steps(&mut self, steps: usize) -> Result<()> {
        let (done, of) = (self.state.step, self.config.train.steps);
        require(steps >= done, "train.steps", steps, &format!("at least {done}: so many steps are done"))?;
        if steps != of {
            let mut config = self.config.clone();
            config.train.steps = steps;
            config.train.extended.push(Extension { step: done, of });
            config.validate()?;
            self.folder.write_config(&config)?;
            self.trainer.set_steps(steps);
            self.config = config;
        }
        Ok(())
    }
}
