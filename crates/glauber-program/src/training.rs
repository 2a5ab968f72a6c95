//! How flags begin a training.

use std::path::Path;

use burn::tensor::Device;
use glauber_run::training::Beginning;
use glauber_run::{Flow, Opened, Opening, Rank, RunConfig, RunFolder};

use crate::device::replicas;
use crate::progress::{run, say};
use crate::train_flags::TrainFlags;

/// A run that flags begin or resume.
pub struct Training<'a> {
    /// The configuration.
    pub config: &'a RunConfig,
    /// The folder.
    pub folder: &'a Path,
    /// Where it is computed.
    pub device: &'a Device,
    /// The flags.
    pub flags: &'a TrainFlags,
    /// Who shares the work.
    pub ranks: &'a Rank,
}

impl Training<'_> {
    /// Opens the data of the run; what is prepared is kept in `cache`.
    ///
    /// # Errors
    /// When they cannot be read, or are not those that the run began with.
    pub fn open(&self, cache: &Path) -> anyhow::Result<Opened> {
        self.open_with(cache, |opening| self.config.data.open(opening))
    }

    /// [`open`](Self::open) by a function of one's own.
    ///
    /// # Errors
    /// Those of the function, and when the run to be resumed is not there.
    pub fn open_with<T>(
        &self,
        cache: &Path,
        open: impl FnOnce(&mut Opening<'_>) -> glauber_run::Result<T>,
    ) -> anyhow::Result<T> {
        let Self { config, device, .. } = *self;
        config.validate()?;
        let begun = self.flags.resume.then(|| RunFolder::open(self.folder)).transpose()?;
        let first = self.ranks.is_first();
        Ok(open(&mut Opening { config, begun: begun.as_ref(), first, cache, device, say: &mut say })?)
    }

    /// Trains on opened data, with a progress bar; says how it ended.
    ///
    /// # Errors
    /// When the parts do not fit together, the folder cannot be written or read, or those of the training.
    pub fn run(&self, opened: &Opened) -> anyhow::Result<Flow> {
        let Self { config, folder, device, flags, ranks } = *self;
        opened.notes.iter().for_each(|note| say(note));
        let (vocabulary, codec) = (&opened.vocabulary, Some(opened.codec.as_ref()));
        let threads = replicas(flags.threads, &flags.device, ranks.here);
        let beginning =
            Beginning { config, vocabulary, codec, folder, device, resume: flags.resume, steps: flags.steps, threads };
        run(&mut beginning.trainer(ranks, &mut say)?, opened, ranks)
    }
}
