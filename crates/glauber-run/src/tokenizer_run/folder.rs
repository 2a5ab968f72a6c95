//! The folder of a tokenizer's run.

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use glauber_files::remove_unfinished;
use glauber_image::TokenizerTrainer;
use glauber_train::Extension;

use super::config::TokenizerRunConfig;
use super::metrics::{MetricLine, State, curves};
use crate::error::{Context, Result, RunError, ensure, one_line};
use crate::images::changed;
use crate::run::checkpoint;
use crate::run::folder::FORMAT;
use crate::run::records::Evaluations;
use crate::{Change, FolderLock, RunFolder};

const IMAGES: &str = "images.hash";
const METRICS: &str = "metrics.jsonl";
const CURVES: &str = "quality.svg";
const TRAINING: &str = "training";
const TOKENIZER: &str = "tokenizer";
/// Files written before the configuration.
const FIRST: [&str; 1] = [IMAGES];

/// A run folder, locked by this process.
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
    pub(super) folder: RunFolder,
    lock: FolderLock,
}

impl TokenizerRun {
    /// Starts a run in a new or empty folder; `images` is the fingerprint of its images.
    ///
    /// # Errors
    /// When the folder is not free, or cannot be written.
    pub fn create(path: &Path, config: &TokenizerRunConfig, images: &str) -> Result<Self> {
        let run = Self { lock: FolderLock::begin(path, &FIRST)?, folder: RunFolder::begun_at(path) };
        run.folder.write(IMAGES, images)?;
        // Last: its presence says that the run has begun.
        run.folder.write_config(&TokenizerRunConfig { format: FORMAT, ..config.clone() })?;
        run.lock.begun()?;
        Ok(run)
    }

    /// Checks that a run can start in a folder.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check_new(path: &Path) -> Result<()> {
        let resume = if RunFolder::open(path).is_ok() { " (`--resume` continues the run that is there)" } else { "" };
        FolderLock::check_free(path, &FIRST).with_context(|| format!("`--run {}`{resume}", path.display()))
    }

    /// Opens the folder of an existing run.
    ///
    /// # Errors
    /// If there is none, another process has locked it, or its configuration is damaged.
    pub fn open(path: &Path) -> Result<(Self, TokenizerRunConfig)> {
        let folder = RunFolder::open(path).with_context(|| format!("`--run {}`", path.display()))?;
        let run = Self { folder, lock: FolderLock::take(path)? };
        run.lock.begun()?;
        let config: TokenizerRunConfig = run.folder.read_config()?;
        config.validate().with_context(|| format!("{}/config.toml", path.display()))?;
        Ok((run, config))
    }

    /// Sets the total number of steps, of which `done` are finished.
    ///
    /// # Errors
    /// If more steps are finished, or the configuration cannot be written.
    pub fn set_steps(&self, config: &mut TokenizerRunConfig, steps: usize, done: usize) -> Result<()> {
        ensure!(steps >= done, "`--steps` is {steps}, expected at least {done}, the number of finished steps");
        let of = config.train.steps;
        if steps != of {
            let mut longer = config.clone();
            longer.train.steps = steps;
            longer.extended.push(Extension { step: done, of });
            longer.validate()?;
            self.folder.write_config(&longer)?;
            *config = longer;
        }
        Ok(())
    }

    /// Checks that the images have not changed since the run started, if their hash is known.
    ///
    /// # Errors
    /// If they have changed.
    pub fn check_images(&self, images: &str) -> Result<()> {
        let path = self.folder.path().join(IMAGES);
        if path.is_file() {
            let begun = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let whole = begun.len() == images.len() && begun.bytes().all(|byte| byte.is_ascii_hexdigit());
            ensure!(whole, "{}: damaged; remove it to resume with the images in the folder", path.display());
            ensure!(begun == images, "{}", changed(self.folder.path()));
        }
        Ok(())
    }

    /// Training, state and evaluations of the newest readable checkpoint; `None` if the run ended before the first.
    /// Later damaged checkpoints are renamed.
    ///
    /// # Errors
    /// If no existing checkpoint can be read, or the configuration has changed.
    pub(super) fn latest(
        &self,
        config: &TokenizerRunConfig,
        device: &Device,
    ) -> Result<Option<(TokenizerTrainer, State, Evaluations<MetricLine>)>> {
        let checkpoints = self.folder.checkpoint_folder();
        let Some(newest) = checkpoint::newest(&checkpoints)? else {
            return if self.folder.has_metrics() { Err(self.folder.no_checkpoint()) } else { Ok(None) };
        };
        for Change { key, before, after, .. } in self.folder.changes_since(&newest.path, config)? {
            tracing::warn!("`{key}` is {after} from here on, {before} before");
        }
        let cure = match checkpoint::list(&checkpoints)?.first() {
            Some(first) if first.path == newest.path => "restore this folder, or start a new run",
            _ => "remove this folder to go on from the checkpoint before it",
        };
        checkpoint::verify(&newest.path, |_| true).with_context(|| format!("{}: {cure}", newest.path.display()))?;
        let training = newest.path.join(TRAINING);
        let trainer = TokenizerTrainer::resume(&config.model, &config.train, config.seed, &training, device)
            .with_context(|| format!("{}: {cure}", newest.path.display()))?;
        for (damaged, error) in newest.torn {
            checkpoint::set_aside(&damaged)?;
            tracing::warn!("{}; resuming from step {}, the previous checkpoint", one_line(&error), trainer.steps());
        }
        // What is torn of the evaluations is left out: the training is whole.
        let evaluations = Evaluations::parse(&checkpoint::load_metrics(&newest.path).unwrap_or_default());
        Ok(Some((trainer, newest.state, evaluations)))
    }

    /// Writes a checkpoint atomically. The first one written by this program updates the folder's format.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn save(
        &self,
        config: &mut TokenizerRunConfig,
        trainer: &TokenizerTrainer,
        state: &State,
        evaluations: &Evaluations<MetricLine>,
    ) -> Result<()> {
        if config.format < FORMAT {
            config.format = FORMAT;
            self.folder.write_config(config)?;
        }
        let record = (&*config, state, evaluations.text.as_str());
        let training = |at: &Path| Ok(trainer.save(&at.join(TRAINING))?);
        checkpoint::save(&self.folder.checkpoint_folder(), trainer.steps(), record, training)
    }

    /// Removes all checkpoints except the last `keep`, and exports the newest: tokenizer, evaluations and their curves.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn publish(
        &self,
        trainer: &TokenizerTrainer,
        evaluations: &Evaluations<MetricLine>,
        keep: usize,
    ) -> Result<()> {
        let path = self.folder.path();
        remove_unfinished(path).map_err(RunError::file(path))?;
        checkpoint::remove_old(&self.folder.checkpoint_folder(), keep)?;
        trainer.model().save(&path.join(TOKENIZER))?;
        self.folder.write(METRICS, &evaluations.text)?;
        let title = path.display().to_string();
        self.folder.write(CURVES, curves(&path.join(CURVES), &title, &evaluations.lines)?)
    }
}
