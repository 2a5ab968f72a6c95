//! What a tokenizer's run is made of.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use glauber_image::{DiscriminatorConfig, TokenizerTrainConfig, VqConfig};
use glauber_pixels::{Colours, Extent};
use glauber_train::ImagesConfig;
use serde::{Deserialize, Serialize};

use crate::arguments::ImageTokenizerFlags;
use crate::run_config::Layers;

/// Crops are cut out of pictures whose sides are at least one more than so many times theirs.
const CROP_MARGIN: f64 = 3.0;

const DEFAULTS: &str = include_str!("../../../../../configs/image-tokenizer.toml");

/// The configuration of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerRunConfig {
    /// Decides everything random.
    pub seed: u64,
    pub data: DataTable,
    pub run: RunTable,
    pub train: TokenizerTrainConfig,
    pub model: VqConfig,
}

/// What is trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataTable {
    /// Share of the images that are held out; not used where the data are divided already.
    pub held_out: f64,
    pub images: ImagesConfig,
}

/// How the run goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunTable {
    /// Images a step.
    pub batch: usize,
    /// Steps between evaluations on held-out images.
    pub evaluate_every: usize,
    /// Held-out images evaluated, the same each time.
    pub held_out_images: usize,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
    /// Checkpoints kept.
    pub keep_checkpoints: usize,
    /// Held-out images shown beside their reconstructions.
    pub shown: usize,
}

impl TokenizerRunConfig {
    /// The configuration of a new run: defaults, `--config`, `--set`, flags, in that order.
    pub fn resolve(flags: &ImageTokenizerFlags) -> anyhow::Result<Self> {
        let mut layers = Layers::built_in(DEFAULTS)?;
        if let Some(path) = &flags.config {
            layers.read(path)?;
        }
        if let Some(data) = &flags.data {
            layers.set("data.images", images_table(data, flags.path.as_deref())?)?;
        }
        if flags.data.as_deref() == Some("mnist") {
            layers.set("model.image_size", 28)?;
            layers.set("model.channels", 1)?;
            layers.set("model.out_channels", 1)?;
        }
        for setting in &flags.set {
            layers.set_text(setting)?;
        }
        if let Some([height, width]) = flags.size {
            ensure!(height == width, "`--size {height}x{width}`: crops are square, for instance `--size {height}`");
            layers.set("model.image_size", i64::try_from(height)?)?;
        }
        if let Some(quantiser) = &flags.quantiser {
            set_quantiser(&mut layers, quantiser)?;
        }
        for (key, number) in [("train.steps", flags.steps), ("run.batch", flags.batch)] {
            if let Some(number) = number {
                layers.set(key, i64::try_from(number).with_context(|| format!("`{key}` is {number}"))?)?;
            }
        }
        if let Some(seed) = flags.seed {
            layers.set("seed", i64::try_from(seed).context("`--seed` must be below 2^63")?)?;
        }
        let config: Self = layers.parse()?;
        config.validate()?;
        Ok(config)
    }

    /// Checks everything that can be checked without data.
    pub fn validate(&self) -> anyhow::Result<()> {
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
        Ok(())
    }

    /// The extent of the crops.
    pub fn extent(&self) -> anyhow::Result<Extent> {
        Ok(Extent::new(self.model.image_size, self.model.image_size)?)
    }

    /// Grey or RGB.
    pub fn colours(&self) -> anyhow::Result<Colours> {
        match self.model.channels {
            1 => Ok(Colours::Grey),
            3 => Ok(Colours::Rgb),
            other => bail!("`model.channels` is {other}, expected 1 (grey) or 3 (red, green, blue)"),
        }
    }
}

fn images_table(data: &str, path: Option<&Path>) -> anyhow::Result<toml::Table> {
    let needed = || path.with_context(|| format!("`--data {data}` needs `--path DIR`"));
    let mut table = toml::Table::from_iter([("kind".to_owned(), data.into())]);
    match data {
        "shapes" => {
            ensure!(path.is_none(), "`--data shapes` are drawn: no `--path`");
            table.insert("count".into(), 10_000.into());
        }
        "mnist" => {
            table.insert("path".into(), needed()?.display().to_string().into());
        }
        "folder" => {
            table.insert("path".into(), needed()?.display().to_string().into());
            table.insert("flip".into(), true.into());
            table.insert("crop_margin".into(), CROP_MARGIN.into());
        }
        _ => bail!("`--data {data}`: expected shapes, mnist or folder"),
    }
    Ok(table)
}

/// Reads `codebook:ENTRIES` and `fsq:LEVELS,LEVELS,…`.
fn set_quantiser(layers: &mut Layers, text: &str) -> anyhow::Result<()> {
    let expected =
        || format!("`--quantiser {text}`: expected codebook:ENTRIES or fsq:LEVELS,LEVELS,…, as in fsq:8,8,8");
    match text.split_once(':') {
        Some(("codebook", entries)) => {
            layers.set("model.quantiser.entries", entries.parse::<i64>().with_context(expected)?)
        }
        Some(("fsq", levels)) => {
            let levels: Result<Vec<i64>, _> = levels.split(',').map(|level| level.trim().parse::<i64>()).collect();
            let mut table = toml::Table::from_iter([("kind".to_owned(), "fsq".into())]);
            table.insert("levels".into(), levels.with_context(expected)?.into());
            layers.set("model.quantiser", table)
        }
        _ => bail!(expected()),
    }
}
