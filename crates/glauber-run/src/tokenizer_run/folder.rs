//! The folder of a tokenizer's run.

use std::fs;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use glauber_files::{remove_folder, remove_unfinished, write_folder, write_whole};
use glauber_image::TokenizerTrainer;
use glauber_train::Extension;

use super::config::TokenizerRunConfig;
use super::metrics::{MetricLine, State, curves};
use crate::error::{Context, Result, RunError, bail, ensure, one_line};
use crate::images::changed;
use crate::{Change, FolderLock, changes};

pub(super) const CONFIG: &str = "config.toml";
const IMAGES: &str = "images.hash";
pub(super) const METRICS: &str = "metrics.jsonl";
const CURVES: &str = "quality.svg";
const STATE: &str = "state.toml";
const TRAINING: &str = "training";
const TOKENIZER: &str = "tokenizer";
const CHECKPOINTS: &str = "checkpoints";
/// What is written before the configuration.
const FIRST: [&str; 1] = [IMAGES];
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
    lock: FolderLock,
}

impl TokenizerRun {
    /// Begins a run in a folder that does not exist or is empty; `images` is the fingerprint of its images.
    ///
    /// # Errors
    /// When the folder is not free, or cannot be written.
    pub fn create(path: &Path, config: &TokenizerRunConfig, images: &str) -> Result<Self> {
        let run = Self { path: path.into(), lock: FolderLock::begin(path, &FIRST)? };
        run.write(IMAGES, images.as_bytes())?;
        // Last: its presence says that the run has begun.
        run.write_config(config)?;
        run.lock.begun()?;
        Ok(run)
    }

    /// Checks that a run can begin in a folder.
    ///
    /// # Errors
    /// When it cannot.
    pub fn check_new(path: &Path) -> Result<()> {
        let resume = if path.join(CONFIG).is_file() { " (`--resume` continues the run that is there)" } else { "" };
        FolderLock::check_free(path, &FIRST).with_context(|| format!("`--run {}`{resume}", path.display()))
    }

    /// Opens the folder of a run that was begun.
    ///
    /// # Errors
    /// When there is none, another process holds it, or its configuration is damaged.
    pub fn open(path: &Path) -> Result<(Self, TokenizerRunConfig)> {
        let file = path.join(CONFIG);
        ensure!(file.is_file(), "`--run {}`: no `{CONFIG}` there: not the folder of a run", path.display());
        let run = Self { path: path.into(), lock: FolderLock::take(path)? };
        run.lock.begun()?;
        let config = read_config(&file)?;
        config.validate().with_context(|| file.display().to_string())?;
        Ok((run, config))
    }

    /// Makes the run one of so many steps in all, of which `done` are done.
    ///
    /// # Errors
    /// When more are done, or the configuration cannot be written.
    pub fn set_steps(&self, config: &mut TokenizerRunConfig, steps: usize, done: usize) -> Result<()> {
        ensure!(steps >= done, "`--steps` is {steps}, expected at least {done}: so many steps are done");
        let of = config.train.steps;
        if steps != of {
            let mut longer = config.clone();
            longer.train.steps = steps;
            longer.extended.push(Extension { step: done, of });
            longer.validate()?;
            self.write_config(&longer)?;
            *config = longer;
        }
        Ok(())
    }

    fn write_config(&self, config: &TokenizerRunConfig) -> Result<()> {
        self.write(CONFIG, toml::to_string(config)?.as_bytes())
    }

    /// Checks that these are the images that the run began with, where it says which those were.
    ///
    /// # Errors
    /// When they are others.
    pub fn check_images(&self, images: &str) -> Result<()> {
        let path = self.path.join(IMAGES);
        if path.is_file() {
            let begun = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            let whole = begun.len() == images.len() && begun.bytes().all(|byte| byte.is_ascii_hexdigit());
            ensure!(whole, "{}: damaged; remove it to go on with the images that are there", path.display());
            ensure!(begun == images, "{}", changed(&self.path));
        }
        Ok(())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file of the folder, whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        write_whole(&path, bytes).with_context(|| path.display().to_string())
    }

    /// Training, state and evaluations of the newest checkpoint; `None` when the run was ended before the first. Those after it whose state is
    /// torn are set aside.
    ///
    /// # Errors
    /// When no checkpoint can be read though there are some.
    pub(super) fn latest(
        &self,
        config: &TokenizerRunConfig,
        device: &Device,
    ) -> Result<Option<(TokenizerTrainer, State, String)>> {
        let mut torn: Vec<(PathBuf, RunError)> = Vec::new();
        for (before, checkpoint) in self.checkpoints()?.into_iter().enumerate().rev() {
            match read_state(&checkpoint) {
                Ok(state) => {
                    check_config(&checkpoint, config)?;
                    let spoilt = || match before {
                        0 => format!("{}: restore this folder, or begin a new run", checkpoint.display()),
                        _ => {
                            format!(
                                "{}: remove this folder to go on from the checkpoint before it",
                                checkpoint.display()
                            )
                        }
                    };
                    let (trainer, metrics) = read_checkpoint(&checkpoint, config, device).with_context(spoilt)?;
                    for (path, error) in torn {
                        set_aside(&path)?;
                        tracing::warn!(
                            "{}; going on from step {}, the checkpoint before",
                            one_line(&error),
                            trainer.steps()
                        );
                    }
                    return Ok(Some((trainer, state, metrics)));
                }
                Err(error) => torn.push((checkpoint, error)),
            }
        }
        let evaluated = fs::metadata(self.path.join(METRICS)).is_ok_and(|file| file.len() > 0);
        match torn.into_iter().next() {
            Some((_, error)) => {
                Err(error).context("no checkpoint tells where it stands: restore the file, or begin a new run")
            }
            None if evaluated => bail!(
                "{}: no checkpoint, though `{METRICS}` tells of one: restore the folder, or begin a new run",
                self.path.join(CHECKPOINTS).display()
            ),
            None => Ok(None),
        }
    }

    /// Writes a checkpoint whole.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn save(
        &self,
        config: &TokenizerRunConfig,
        trainer: &TokenizerTrainer,
        state: &State,
        metrics: &str,
    ) -> Result<()> {
        let folder = self.path.join(CHECKPOINTS);
        let told = || folder.display().to_string();
        fs::create_dir_all(&folder).and_then(|()| remove_unfinished(&folder)).with_context(told)?;
        let finished = folder.join(format!("{PREFIX}{:08}", trainer.steps()));
        let refused =
            |error| RunError::Of { of: finished.display().to_string(), source: Box::new(RunError::Io(error)) };
        write_folder(&finished, refused, |scratch| {
            trainer.save(&scratch.join(TRAINING))?;
            let texts =
                [(CONFIG, toml::to_string(config)?), (STATE, toml::to_string(state)?), (METRICS, metrics.into())];
            for (name, text) in texts {
                fs::write(scratch.join(name), text).with_context(|| scratch.join(name).display().to_string())?;
            }
            Ok(())
        })
    }

    /// Removes all checkpoints but the last `keep`, and writes what the newest says for others to read: the tokenizer, the evaluations and
    /// their curves.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn publish(
        &self,
        trainer: &TokenizerTrainer,
        text: &str,
        metrics: &[MetricLine],
        keep: usize,
    ) -> Result<()> {
        for folder in [self.path.clone(), self.path.join(CHECKPOINTS)] {
            remove_unfinished(&folder).with_context(|| folder.display().to_string())?;
        }
        let all = self.checkpoints()?;
        for old in &all[..all.len().saturating_sub(keep)] {
            remove_folder(old).with_context(|| old.display().to_string())?;
        }
        trainer.model().save(&self.path.join(TOKENIZER))?;
        self.write(METRICS, text.as_bytes())?;
        let title = self.path.display().to_string();
        self.write(CURVES, curves(&self.path.join(CURVES), &title, metrics)?.as_bytes())
    }

    /// The finished checkpoints, oldest first.
    fn checkpoints(&self) -> Result<Vec<PathBuf>> {
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

/// Takes a damaged checkpoint out of the way, under another name.
fn set_aside(checkpoint: &Path) -> Result<()> {
    let name = checkpoint.file_name().unwrap_or_default().to_string_lossy();
    let aside = checkpoint.with_file_name(format!("damaged-{name}"));
    let moved = remove_folder(&aside).and_then(|()| fs::rename(checkpoint, &aside));
    moved.with_context(|| checkpoint.display().to_string())
}

/// Checks that a configuration is the one that a checkpoint was trained with, but for keys that may change. Checkpoints of older programs do
/// not tell.
fn check_config(checkpoint: &Path, config: &TokenizerRunConfig) -> Result<()> {
    let Ok(trained) = read_config(&checkpoint.join(CONFIG)) else { return Ok(()) };
    for Change { key, before, after, course } in changes(&trained, config) {
        ensure!(
            course,
            "`{key}` of `{CONFIG}` is {after}, expected {before}, with which the run was trained: set it back, or begin a new run"
        );
        tracing::warn!("`{key}` is {after} from here on, {before} before");
    }
    Ok(())
}

/// Reads the configuration of a run.
pub(super) fn read_config(path: &Path) -> Result<TokenizerRunConfig> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| format!("{}: not of a tokenizer's run", path.display()))
}

/// Where a checkpoint stands.
fn read_state(checkpoint: &Path) -> Result<State> {
    let path = checkpoint.join(STATE);
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

/// The training and the evaluations of a checkpoint. What is torn of these is left out: the training is whole.
fn read_checkpoint(
    checkpoint: &Path,
    config: &TokenizerRunConfig,
    device: &Device,
) -> Result<(TokenizerTrainer, String)> {
    let folder = checkpoint.join(TRAINING);
    let trainer = TokenizerTrainer::resume(&config.model, &config.train, config.seed, &folder, device)?;
    let lines = fs::read(checkpoint.join(METRICS)).unwrap_or_default();
    let whole = |line: &&str| serde_json::from_str::<MetricLine>(line).is_ok();
    let metrics = String::from_utf8_lossy(&lines).lines().filter(whole).map(|line| format!("{line}\n")).collect();
    Ok((trainer, metrics))
}
