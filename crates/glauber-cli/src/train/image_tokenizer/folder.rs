//! The folder of a tokenizer's run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use burn::tensor::Device;
use glauber_image::TokenizerTrainer;
use glauber_pixels::write_whole;
use glauber_train::FolderLock;

use super::config::TokenizerRunConfig;
use super::metrics::{MetricLine, State, curves};
use crate::images::changed;

pub(super) const CONFIG: &str = "config.toml";
const IMAGES: &str = "images.hash";
pub(super) const METRICS: &str = "metrics.jsonl";
const CURVES: &str = "quality.svg";
const STATE: &str = "state.toml";
const TRAINING: &str = "training";
const TOKENIZER: &str = "tokenizer";
const CHECKPOINTS: &str = "checkpoints";
/// The folders of a checkpoint that is being written, and of one that is being removed.
const UNFINISHED: [&str; 2] = [".writing", ".removing"];
/// What tells a finished checkpoint's name from one being written.
const PREFIX: &str = "step-";

/// A run folder, held by this process.
///
/// | file | what |
/// |---|---|
/// | `config.toml` | the resolved configuration, with the seed |
/// | `images.hash` | a hash of the images |
/// | `tokenizer/` | the tokenizer as it stands |
/// | `metrics.jsonl` | one evaluation a line |
/// | `quality.svg` | their curves |
/// | `reconstructions-STEP.png` | held-out images beside their reconstructions |
/// | `checkpoints/` | the last few, each complete |
/// | `lock` | held by the process that trains |
pub struct TokenizerRun {
    path: PathBuf,
    _lock: FolderLock,
}

impl TokenizerRun {
    /// Begins a run in a folder that does not exist or is empty; `images` is the fingerprint of its images.
    pub fn create(path: &Path, config: &TokenizerRunConfig, images: &str) -> anyhow::Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("`--run {}`", path.display()))?;
        for entry in fs::read_dir(path).with_context(|| path.display().to_string())? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            ensure!(
                name == "lock" || name == IMAGES || name.ends_with(".writing"),
                "`--run {}`: the folder is not empty; choose another, or continue the run in it with `--resume`",
                path.display()
            );
        }
        let run = Self { path: path.into(), _lock: FolderLock::take(path)? };
        run.write(IMAGES, images.as_bytes())?;
        // Last: its presence says that the run has begun.
        run.write(CONFIG, toml::to_string(config)?.as_bytes())?;
        Ok(run)
    }

    /// Opens the folder of a run that was begun.
    pub fn open(path: &Path) -> anyhow::Result<(Self, TokenizerRunConfig)> {
        let file = path.join(CONFIG);
        ensure!(file.is_file(), "`--run {}`: no `{CONFIG}` there: not the folder of a run", path.display());
        let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
        let config: TokenizerRunConfig =
            toml::from_str(&text).with_context(|| format!("{}: not of a tokenizer's run", file.display()))?;
        config.validate().with_context(|| file.display().to_string())?;
        Ok((Self { path: path.into(), _lock: FolderLock::take(path)? }, config))
    }

    /// Checks that these are the images that the run began with, where it says which those were.
    pub fn check_images(&self, images: &str) -> anyhow::Result<()> {
        let path = self.path.join(IMAGES);
        if path.is_file() {
            let begun = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            ensure!(begun == images, changed(&self.path));
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file of the folder, whole.
    pub fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        Ok(write_whole(&self.path.join(name), bytes)?)
    }

    /// The newest checkpoint's training, state and evaluations; `None` when the run was ended before the first.
    pub fn latest(
        &self,
        config: &TokenizerRunConfig,
        device: &Device,
    ) -> anyhow::Result<Option<(TokenizerTrainer, State, String)>> {
        let Some(checkpoint) = self.checkpoints()?.pop() else { return Ok(None) };
        let read = read_checkpoint(&checkpoint, config, device);
        let damaged = || format!("{}: remove this folder to go on from the checkpoint before it", checkpoint.display());
        read.map(Some).with_context(damaged)
    }

    /// Writes a checkpoint under a temporary name and renames it.
    pub fn save(&self, trainer: &TokenizerTrainer, state: &State, metrics: &str) -> anyhow::Result<()> {
        self.clear_unfinished()?;
        let folder = self.path.join(CHECKPOINTS);
        let [scratch, removed] = UNFINISHED.map(|name| folder.join(name));
        fs::create_dir_all(&scratch).with_context(|| scratch.display().to_string())?;
        trainer.save(&scratch.join(TRAINING))?;
        write_whole(&scratch.join(STATE), toml::to_string(state)?.as_bytes())?;
        write_whole(&scratch.join(METRICS), metrics.as_bytes())?;
        let finished = folder.join(format!("{PREFIX}{:08}", trainer.steps()));
        if finished.exists() {
            remove(&finished, &removed)?;
        }
        fs::rename(&scratch, &finished).with_context(|| finished.display().to_string())
    }

    /// Removes what a kill left of a checkpoint.
    fn clear_unfinished(&self) -> anyhow::Result<()> {
        for left in UNFINISHED.map(|name| self.path.join(CHECKPOINTS).join(name)) {
            if left.exists() {
                fs::remove_dir_all(&left).with_context(|| left.display().to_string())?;
            }
        }
        Ok(())
    }

    /// Removes all checkpoints but the last `keep`, and writes what the newest says for others to read: the tokenizer, the evaluations and
    /// their curves.
    pub fn publish(
        &self,
        trainer: &TokenizerTrainer,
        text: &str,
        metrics: &[MetricLine],
        keep: usize,
    ) -> anyhow::Result<()> {
        self.clear_unfinished()?;
        let all = self.checkpoints()?;
        for old in &all[..all.len().saturating_sub(keep)] {
            remove(old, &self.path.join(CHECKPOINTS).join(UNFINISHED[1]))?;
        }
        trainer.model().save(&self.path.join(TOKENIZER))?;
        self.write(METRICS, text.as_bytes())?;
        let title = self.path.display().to_string();
        self.write(CURVES, curves(&self.path.join(CURVES), &title, metrics)?.as_bytes())
    }

    /// The finished checkpoints, oldest first.
    fn checkpoints(&self) -> anyhow::Result<Vec<PathBuf>> {
        let folder = self.path.join(CHECKPOINTS);
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            let step = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_prefix(PREFIX));
            if let Some(step) = step.and_then(|step| step.parse::<usize>().ok()) {
                found.push((step, path));
            }
        }
        found.sort();
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }
}

/// Removes a folder under another name, so that a kill on the way leaves none that looks whole.
fn remove(folder: &Path, under: &Path) -> anyhow::Result<()> {
    fs::rename(folder, under).and_then(|()| fs::remove_dir_all(under)).with_context(|| folder.display().to_string())
}

/// The training, state and evaluations of a checkpoint.
fn read_checkpoint(
    checkpoint: &Path,
    config: &TokenizerRunConfig,
    device: &Device,
) -> anyhow::Result<(TokenizerTrainer, State, String)> {
    let read = |name: &str| {
        let path = checkpoint.join(name);
        fs::read_to_string(&path).with_context(|| path.display().to_string())
    };
    let state = toml::from_str(&read(STATE)?).with_context(|| checkpoint.join(STATE).display().to_string())?;
    let folder = checkpoint.join(TRAINING);
    let trainer = TokenizerTrainer::resume(&config.model, &config.train, config.seed, &folder, device)?;
    Ok((trainer, state, read(METRICS)?))
}
