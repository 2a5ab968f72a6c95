//! Training a run from flags.

use std::path::Path;

use burn::tensor::Device;
use glauber_run::training::Training;
use glauber_run::{Flow, Opened, Rank, RunConfig};

use crate::device::replicas;
use crate::progress::{run, say};
use crate::train_flags::TrainFlags;

impl TrainFlags {
    /// The run that these flags start or resume.
    pub fn training<'a>(
        &self,
        config: &'a RunConfig,
        folder: &'a Path,
        device: &'a Device,
        ranks: &'a Rank,
    ) -> Training<'a> {
        let threads = replicas(self.threads, &self.device, ranks.here);
        Training { config, folder, device, resume: self.resume, steps: self.steps, threads, ranks }
    }
}

/// Opens the data of a run; prepared data are stored in `cache`.
///
/// # Errors
/// If they cannot be read, or have changed since the run started.
pub fn open(training: &Training<'_>, cache: &Path) -> anyhow::Result<Opened> {
    Ok(training.open(cache, &mut say, |opening| training.config.data.open(opening))?)
}

/// Trains a run on opened data, with a progress bar; prints the outcome.
///
/// # Errors
/// If the parts do not fit each other, the folder cannot be written or read, or training fails.
pub fn train(training: &Training<'_>, opened: &Opened) -> anyhow::Result<Flow> {
    opened.notes.iter().for_each(|note| say(note));
    run(&mut training.run(opened, &mut say)?, opened, training.ranks)
}
