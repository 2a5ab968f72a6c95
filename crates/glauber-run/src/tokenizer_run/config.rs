//! Configuration of a tokenizer's run.

use glauber_image::{DiscriminatorConfig, TokenizerTrainConfig, VqConfig};
use glauber_pixels::{Colours, Extent};
use glauber_train::Extension;
use serde::{Deserialize, Serialize};

use crate::error::{Context, Result, bail, ensure};
use crate::images::ImagesConfig;
use crate::run::folder::first_format;

/// The configuration of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerRunConfig {
    /// The format of the run folder.
    #[serde(default = "first_format")]
    pub format: u32,
    /// Random seed.
    pub seed: u64,
    /// The training data.
    pub data: DataTable,
    /// Settings of the training loop.
    pub run: RunTable,
    /// The training.
    pub train: TokenizerTrainConfig,
    /// The autoencoder.
    pub model: VqConfig,
    /// Earlier total numbers of steps of the run, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended: Vec<Extension>,
}

/// The training data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataTable {
    /// Share of held-out images; ignored if the data have their own split.
    pub held_out: f64,
    /// The source of the images.
    pub images: ImagesConfig,
}

/// Settings of the training loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunTable {
    /// Images per step.
    pub batch: usize,
    /// Steps between evaluations on held-out images.
    pub evaluate_every: usize,
    /// Number of held-out images per evaluation, always the same ones.
    pub held_out_images: usize,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
    /// Checkpoints kept.
    pub keep_checkpoints: usize,
    /// Number of held-out images shown with their reconstructions.
    pub shown: usize,
}

impl TokenizerRunConfig {
    /// Checks everything that can be checked without data.
    ///
    /// # Errors
    /// Names the key out of range.
    pub fn validate(&self) -> Result<()> {
        let RunTable { batch, evaluate_every, held_out_images, checkpoint_every, keep_checkpoints, shown } = self.run;
        let counts = [
            ("run.batch", batch),
            ("run.evaluate_every", evaluate_every),
            ("run.held_out_images", held_out_images),
            ("run.checkpoint_every", checkpoint_every),
            ("run.keep_checkpoints", keep_checkpoints),
            ("run.shown", shown),
        ];
        for (key, count) in counts {
            ensure!(count > 0, "`{key}` is 0, expected 1 or more");
        }
        self.model.validate().context("configuration table `model`")?;
        self.train.validate().context("configuration table `train`")?;
        let parts = self.train.micro_batches;
        ensure!(
            batch.is_multiple_of(parts),
            "`run.batch` (`--batch`) is {batch}, expected a multiple of `train.micro_batches` = {parts}"
        );
        let held_out = self.data.held_out;
        ensure!(held_out > 0.0 && held_out < 1.0, "`data.held_out` is {held_out}, expected a share between 0 and 1");
        self.colours()?;
        let smallest = self.train.discriminator.as_ref().map_or(0, DiscriminatorConfig::smallest_image);
        ensure!(
            self.model.image_size >= smallest,
            "`model.image_size` (`--size`) is {}, but the discriminator needs {smallest}: lower `train.discriminator.halvings`",
            self.model.image_size
        );
        let (begin, steps) = (self.train.discriminator.as_ref().map(|config| config.begin), self.train.steps);
        ensure!(
            begin.is_none_or(|begin| begin < steps),
            "`train.discriminator.begin` is {}, expected less than `train.steps` (`--steps`) = {steps}: the discriminator would never be used",
            begin.unwrap_or_default()
        );
        Ok(())
    }

    /// The extent of the crops.
    ///
    /// # Errors
    /// When `model.image_size` is out of range.
    pub fn extent(&self) -> Result<Extent> {
        Ok(Extent::new(self.model.image_size, self.model.image_size)?)
    }

    /// Grey or RGB.
    ///
    /// # Errors
    /// When `model.channels` is another number.
    pub fn colours(&self) -> Result<Colours> {
        match self.model.channels {
            1 => Ok(Colours::Grey),
            3 => Ok(Colours::Rgb),
            other => bail!("`model.channels` is {other}, expected 1 (grey) or 3 (red, green, blue)"),
        }
    }
}
