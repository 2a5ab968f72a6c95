//! Checkpoints: folders with training state, progress and configuration, written atomically.

use std::fs;
use std::path::{Path, PathBuf};

use glauber_files::{remove_folder, remove_unfinished, write_folder};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::checksums;
use crate::RunError;

const CONFIG: &str = "config.toml";
const STATE: &str = "state.toml";
const METRICS: &str = "metrics.jsonl";
/// The fix for a damaged file.
pub(crate) const HINT: &str = "the file is missing, truncated or damaged, or of another network: restore it, or delete its checkpoint folder to use the one before, if there is one";
/// The name prefix of finished checkpoints.
const PREFIX: &str = "step-";

/// The progress of a run. Random generators need no state, because every draw is a function of seed, step and
/// micro-batch.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingState {
    /// Optimiser steps done.
    pub step: usize,
    /// Tokens processed.
    pub tokens: u64,
    /// Seconds of training, over all processes of the run.
    pub seconds: f64,
    /// Training losses since the last evaluation: their sum, nats per requested site.
    pub loss_sum: f64,
    /// Number of these losses.
    pub loss_count: usize,
}

/// A checkpoint on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckpointInfo {
    /// Its folder.
    pub path: PathBuf,
    /// The step in its name.
    pub step: usize,
}

/// The finished checkpoints of a folder, oldest first. Other files are ignored.
///
/// # Errors
/// When the folder exists and cannot be read.
pub(crate) fn list(folder: &Path) -> Result<Vec<CheckpointInfo>, RunError> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(RunError::file(folder)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(RunError::file(folder))?;
        let name = entry.file_name();
        let step = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if let Some(step) = step.and_then(|step| step.parse().ok()) {
            found.push(CheckpointInfo { path: entry.path(), step });
        }
    }
    found.sort_by_key(|checkpoint| checkpoint.step);
    Ok(found)
}

/// Writes a checkpoint atomically: configuration, progress, evaluations, and the files of `write`.
pub(crate) fn save(
    folder: &Path,
    step: usize,
    (config, state, metrics): (&impl Serialize, &impl Serialize, &str),
    write: impl FnOnce(&Path) -> Result<(), RunError>,
) -> Result<(), RunError> {
    fs::create_dir_all(folder).and_then(|()| remove_unfinished(folder)).map_err(RunError::file(folder))?;
    let finished = folder.join(format!("{PREFIX}{step:08}"));
    let refused = |error| RunError::file(&finished)(error);
    write_folder(&finished, refused, |at| {
        let texts = [(CONFIG, toml::to_string(config)), (STATE, toml::to_string(state)), (METRICS, Ok(metrics.into()))];
        for (name, text) in texts {
            let path = at.join(name);
            fs::write(&path, text.map_err(|error| malformed(&path, error))?).map_err(RunError::file(&path))?;
        }
        write(at)?;
        checksums::write(at, |_| true)
    })
}

/// Checks the files of a checkpoint that `which` takes against their checksums, but for the copy of the evaluations, which are mended.
pub(crate) fn verify(checkpoint: &Path, which: impl Fn(&str) -> bool) -> Result<(), RunError> {
    checksums::verify(checkpoint, |name| name != METRICS && which(name), HINT)
}

/// Removes all except the last `keep`, and unfinished ones.
pub(crate) fn remove_old(folder: &Path, keep: usize) -> Result<(), RunError> {
    remove_unfinished(folder).map_err(RunError::file(folder))?;
    let all = list(folder)?;
    for old in &all[..all.len().saturating_sub(keep.max(1))] {
        remove_folder(&old.path).map_err(RunError::file(&old.path))?;
    }
    Ok(())
}

/// The state of the newest readable checkpoint, and later ones with damaged state; `None` without checkpoints.
pub(crate) fn newest<S: DeserializeOwned>(folder: &Path) -> Result<Option<Newest<S>>, RunError> {
    let mut torn = Vec::new();
    for checkpoint in list(folder)?.into_iter().rev() {
        match load_state(&checkpoint.path) {
            Ok(state) => return Ok(Some(Newest { path: checkpoint.path, state, torn })),
            Err(error @ RunError::Damaged { .. }) => torn.push((checkpoint, error)),
            Err(error) => return Err(error),
        }
    }
    torn.into_iter().next().map_or(Ok(None), |(_, error)| Err(error))
}

/// The checkpoint to resume from.
pub(crate) struct Newest<S> {
    pub path: PathBuf,
    pub state: S,
    /// Later checkpoints that cannot be read.
    pub torn: Vec<(CheckpointInfo, RunError)>,
}

/// Renames a damaged checkpoint.
pub(crate) fn set_aside(checkpoint: &CheckpointInfo) -> Result<(), RunError> {
    let aside = checkpoint.path.with_file_name(format!("damaged-{PREFIX}{:08}", checkpoint.step));
    let moved = remove_folder(&aside).and_then(|()| fs::rename(&checkpoint.path, &aside));
    moved.map_err(RunError::file(&checkpoint.path))
}

/// The configuration of a checkpoint; `None` if an older program did not store it.
pub(crate) fn load_config<C: DeserializeOwned>(checkpoint: &Path) -> Result<Option<C>, RunError> {
    let path = checkpoint.join(CONFIG);
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        text => {
            let text = text.map_err(|error| malformed(&path, error))?;
            toml::from_str(&text).map(Some).map_err(|error| malformed(&path, error))
        }
    }
}

/// Reads the progress.
pub(crate) fn load_state<S: DeserializeOwned>(checkpoint: &Path) -> Result<S, RunError> {
    let path = checkpoint.join(STATE);
    let text = fs::read_to_string(&path).map_err(|error| malformed(&path, error))?;
    toml::from_str(&text).map_err(|error| malformed(&path, error))
}

/// The evaluations up to a checkpoint from its own copy, which may be damaged or missing.
pub(crate) fn load_metrics(checkpoint: &Path) -> Option<Vec<u8>> {
    checksums::verify(checkpoint, |name| name == METRICS, HINT).ok()?;
    fs::read(checkpoint.join(METRICS)).ok()
}

fn malformed(path: &Path, error: impl ToString) -> RunError {
    let found = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    RunError::Damaged { path: path.into(), found: found.chars().take(160).collect(), hint: HINT }
}
