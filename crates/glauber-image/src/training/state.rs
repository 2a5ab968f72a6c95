//! Saving and resuming a training.

use std::fs;
use std::path::Path;

use burn::module::Module;
use burn::tensor::Device;
use glauber_chain::{ChainRng, ChainRngState};
use glauber_descent::{TRAINER_FILES, Trainer};
use serde::{Deserialize, Serialize};

use crate::error::DIVERGED;
use crate::storage::write_folder;
use crate::{ImageError, VqConfig, VqModel};

use super::TokenizerTrainConfig;
use super::averages::CodebookAverages;
use super::legacy::{self, Files};
use super::trainer::TokenizerTrainer;

const PROGRESS: &str = "progress.toml";
const AVERAGES: &str = "averages.f64";
const OPPONENT: &str = "discriminator";
const HINT: &str = "expected the folder of a training as `TokenizerTrainer::save` writes it, of the same configuration";

/// Progress of a training.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Progress {
    /// Steps done.
    step: usize,
    /// Words that the generator of the codebook has used.
    words: u64,
    /// Whether the codebook's averages have begun.
    averages: bool,
}

impl TokenizerTrainer {
    /// Writes the state for [`resume`](Self::resume) to a folder, and replaces an existing one: weights, both
    /// optimisers' moments, the codebook's averages, the discriminator, the step, and the generator's state.
    ///
    /// The folder is written under a temporary name and renamed when complete.
    ///
    /// # Errors
    /// [`ImageError::Io`] when a file cannot be written, or a folder of this name is there that holds anything but a training.
    pub fn save(&self, folder: &Path) -> Result<(), ImageError> {
        let Files { weights, moments, .. } = legacy::OPPONENT;
        let names =
            [&TRAINER_FILES[..], &[PROGRESS, AVERAGES, OPPONENT, legacy::AUTOENCODER.moments, weights, moments]];
        write_folder(folder, &names.concat(), |scratch| {
            let words = self.rng.state().word_pos;
            let progress = Progress { step: self.steps(), words, averages: self.averages.is_some() };
            let path = scratch.join(PROGRESS);
            let text = toml::to_string(&progress).map_err(|error| ImageError::malformed(&path, error, HINT))?;
            fs::write(&path, text).map_err(ImageError::io(&path))?;
            self.trainer.save(scratch)?;
            if let Some(averages) = &self.averages {
                let path = scratch.join(AVERAGES);
                let bytes: Vec<u8> = averages.numbers().into_iter().flat_map(f64::to_le_bytes).collect();
                fs::write(&path, bytes).map_err(ImageError::io(&path))?;
            }
            if let Some(opponent) = &self.opponent {
                let path = scratch.join(OPPONENT);
                fs::create_dir(&path).map_err(ImageError::io(&path))?;
                opponent.save(&path)?;
            }
            Ok(())
        })
    }

    /// Resumes a training that [`save`](Self::save) wrote, with the same configurations and seed.
    ///
    /// On the CPU device it continues bit for bit as without the interruption.
    ///
    /// # Errors
    /// [`ImageError::Io`] and [`ImageError::Malformed`] name the file that is missing, damaged or of another training;
    /// [`ImageError::Setting`] as [`new`](Self::new).
    pub fn resume(
        sizes: &VqConfig,
        config: &TokenizerTrainConfig,
        seed: u64,
        folder: &Path,
        device: &Device,
    ) -> Result<Self, ImageError> {
        let path = folder.join(PROGRESS);
        let text = fs::read_to_string(&path).map_err(ImageError::io(&path))?;
        let Progress { step, words, averages } =
            toml::from_str(&text).map_err(|error| ImageError::malformed(&path, error, HINT))?;
        let mut trainer = Self::new(VqModel::zeros(sizes, device)?, config, seed, device)?;
        load(&mut trainer.trainer, step, folder, "", &legacy::AUTOENCODER)?;
        if let Some((opponent, config)) = trainer.opponent.as_mut().zip(config.discriminator.as_ref()) {
            load(opponent, step.saturating_sub(config.begin), folder, OPPONENT, &legacy::OPPONENT)?;
        }
        if averages {
            trainer.averages = Some(load_averages(&folder.join(AVERAGES), sizes, config)?);
        }
        trainer.rng = ChainRng::from_state(ChainRngState { word_pos: words, ..trainer.rng.state() });
        Ok(trainer)
    }
}

/// Reads a trainer from its folder in that of the training, or from the files of an earlier program.
fn load<M: Module + Sync>(
    trainer: &mut Trainer<M>,
    steps: usize,
    folder: &Path,
    own: &str,
    earlier: &Files,
) -> Result<(), ImageError> {
    match folder.join(earlier.moments).is_file() {
        true => legacy::load(trainer, steps, folder, earlier),
        false => Ok(trainer.load(&folder.join(own), steps)?),
    }
}

fn load_averages(path: &Path, sizes: &VqConfig, config: &TokenizerTrainConfig) -> Result<CodebookAverages, ImageError> {
    let bytes = fs::read(path).map_err(ImageError::io(path))?;
    let (numbers, rest) = bytes.as_chunks::<8>();
    let numbers: Vec<f64> = numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    if let Some(number) = numbers.iter().find(|number| !number.is_finite()) {
        return Err(ImageError::malformed(path, format!("the averages of the codebook hold {number}"), DIVERGED));
    }
    let (entries, dim) = (sizes.quantiser.entries(), sizes.quantiser.dim());
    let settings = [config.decay, config.revive_below];
    let restored = CodebookAverages::restored(&numbers, entries, dim, settings).filter(|_| rest.is_empty());
    restored.ok_or_else(|| {
        let expected = entries * (1 + dim) * 8;
        ImageError::malformed(path, format!("{} bytes, not {expected}", bytes.len()), HINT)
    })
}
