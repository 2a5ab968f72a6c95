//! A training on disk, to be gone on with in another process.

use std::fs;
use std::path::Path;

use burn::module::Module;
use burn::optim::{ModuleOptimizer, OptimizerRecord};
use burn::tensor::{Bytes, Device};
use burn_store::bridge;
use burn_store::burn_pack::Reader;
use glauber_fused::finite;
use serde::{Deserialize, Serialize};

use crate::error::DIVERGED;
use crate::rng::{HostRng, Purpose};
use crate::storage::{load_module, save_module, write_folder};
use crate::{ImageError, VqConfig, VqModel};

use super::averages::CodebookAverages;
use super::trainer::TokenizerTrainer;
use super::{TokenizerTrainConfig, descent};

const PROGRESS: &str = "progress.toml";
const WEIGHTS: &str = "weights.safetensors";
const MOMENTS: &str = "moments.bpk";
const AVERAGES: &str = "averages.f64";
const OPPONENT: &str = "discriminator.safetensors";
const OPPONENT_MOMENTS: &str = "discriminator-moments.bpk";
const NAMES: [&str; 6] = [PROGRESS, WEIGHTS, MOMENTS, AVERAGES, OPPONENT, OPPONENT_MOMENTS];
const HINT: &str = "expected the folder of a training as `TokenizerTrainer::save` writes it, of the same configuration";

/// Where a training stands.
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
    /// Writes everything that [`resume`](Self::resume) needs into a folder of this name, in place of one that is there: weights, both
    /// optimisers' moments, the codebook's averages, the discriminator, the step, and where the generator stands.
    ///
    /// Everything is written beside it first and renamed when it is whole.
    ///
    /// # Errors
    /// [`ImageError::Io`] when a file cannot be written, or a folder of this name is there that holds anything but a training.
    pub fn save(&self, folder: &Path) -> Result<(), ImageError> {
        write_folder(folder, &NAMES, |scratch| {
            let progress = Progress { step: self.step, words: self.rng.words(), averages: self.averages.is_some() };
            let path = scratch.join(PROGRESS);
            let text = toml::to_string(&progress).map_err(|error| ImageError::malformed(&path, error, HINT))?;
            fs::write(&path, text).map_err(ImageError::io(&path))?;
            save_module(&scratch.join(WEIGHTS), &self.network.valid())?;
            save_moments(&scratch.join(MOMENTS), &self.optimiser)?;
            if let Some(averages) = &self.averages {
                let path = scratch.join(AVERAGES);
                let bytes: Vec<u8> = averages.numbers().into_iter().flat_map(f64::to_le_bytes).collect();
                fs::write(&path, bytes).map_err(ImageError::io(&path))?;
            }
            match &self.opponent {
                Some(opponent) => {
                    save_module(&scratch.join(OPPONENT), &opponent.network.valid())?;
                    save_moments(&scratch.join(OPPONENT_MOMENTS), &opponent.optimiser)
                }
                None => Ok(()),
            }
        })
    }

    /// Goes on with a training that [`save`](Self::save) wrote; configurations and seed are those it began with.
    ///
    /// On the CPU device, what follows is bit for bit what would have followed without the interruption.
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
        let progress: Progress = toml::from_str(&text).map_err(|error| ImageError::malformed(&path, error, HINT))?;
        let mut model = VqModel::zeros(sizes, device)?;
        load_module(&folder.join(WEIGHTS), &mut model.network, HINT)?;
        let mut trainer = Self::new(model, config, seed, device)?;
        trainer.optimiser = load_moments(&folder.join(MOMENTS), config)?;
        if progress.averages {
            trainer.averages = Some(load_averages(&folder.join(AVERAGES), sizes, config)?);
        }
        if let Some(opponent) = &mut trainer.opponent {
            let mut network = opponent.network.valid();
            load_module(&folder.join(OPPONENT), &mut network, HINT)?;
            opponent.network = descent::numbered(network, super::trainer::OPPONENT).train();
            opponent.optimiser = load_moments(&folder.join(OPPONENT_MOMENTS), config)?;
        }
        trainer.rng = HostRng::at(seed, Purpose::Codebook, progress.words);
        trainer.step = progress.step;
        Ok(trainer)
    }
}

fn save_moments(path: &Path, optimiser: &ModuleOptimizer) -> Result<(), ImageError> {
    let bytes = optimiser.into_bytes().map_err(|error| ImageError::malformed(path, format!("{error:?}"), HINT))?;
    fs::write(path, &*bytes).map_err(ImageError::io(path))
}

fn load_moments(path: &Path, config: &TokenizerTrainConfig) -> Result<ModuleOptimizer, ImageError> {
    let bytes = fs::read(path).map_err(ImageError::io(path))?;
    let bytes = Bytes::from_bytes_vec(bytes);
    let read = Reader::from_bytes(bytes.clone()).and_then(Reader::into_tensors);
    for stored in read.map_err(|error| ImageError::malformed(path, error, HINT))? {
        let name = stored.name.clone();
        let data = bridge::into_data(stored).map_err(|error| ImageError::malformed(path, error, HINT))?;
        finite(&name, data).map_err(|error| ImageError::malformed(path, error, DIVERGED))?;
    }
    let record = OptimizerRecord::from_bytes(bytes);
    let record = record.map_err(|error| ImageError::malformed(path, format!("{error:?}"), HINT))?;
    Ok(descent::adam(config).load_record(record))
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
