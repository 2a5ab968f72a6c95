//! A run that flags start or resume.

use std::path::{Path, PathBuf};

use burn::tensor::Device;
use glauber_program::device::device;
use glauber_program::outputs::check_apart;
use glauber_program::progress::say;
use glauber_program::{TrainFlags, training};
use glauber_run::training::{Training, new_run, resumed};
use glauber_run::{Rank, RunConfig};

/// A run that flags start or resume: its configuration, folder and device.
pub struct Begun<'a> {
    pub config: RunConfig,
    pub folder: PathBuf,
    pub device: Device,
    pub flags: &'a TrainFlags,
}

impl<'a> Begun<'a> {
    /// The resumed run of a `kind`, or a new one whose data are outside folder and cache.
    pub fn of(
        flags: &'a TrainFlags,
        kind: Option<&str>,
        cache: &Path,
        ranks: &Rank,
        config: impl FnOnce() -> anyhow::Result<RunConfig>,
    ) -> anyhow::Result<Self> {
        let device = device(&flags.device)?;
        if flags.resume {
            let (config, folder) = resumed(flags.run.as_deref(), kind, ranks)?;
            return Ok(Self { config, folder, device, flags });
        }
        let mut config = config()?;
        let name = match kind {
            Some("sudoku") => format!("sudoku-{}", config.data.shape().grid.map_or(0, |[side, _]| side)),
            _ => config.data.name().to_owned(),
        };
        let folder = new_run(flags.run.as_deref(), &name)?;
        if let Some(data) = config.data.resolved(&device, &mut say)? {
            config.data = data;
        }
        check_apart(("--run", &folder), &config.data.reads())?;
        check_apart(("--cache", cache), &config.data.reads())?;
        Ok(Self { config, folder, device, flags })
    }

    /// The training of that run.
    pub fn training<'b>(&'b self, ranks: &'b Rank) -> Training<'b> {
        self.flags.training(&self.config, &self.folder, &self.device, ranks)
    }

    /// Opens the data and trains on them.
    pub fn train(&self, cache: &Path, ranks: &Rank) -> anyhow::Result<()> {
        let run = self.training(ranks);
        training::train(&run, &training::open(&run, cache)?)?;
        self.tell();
        Ok(())
    }

    /// Prints the run folder.
    pub fn tell(&self) {
        say(&format!("run folder: {}", self.folder.display()));
    }
}
