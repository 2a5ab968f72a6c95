//! Checkpoints: a folder of safetensors and one TOML file, complete or absent.

use std::fs;
use std::path::{Path, PathBuf};

use burn_store::{ModuleStore, SafetensorsStore};
use serde::{Deserialize, Serialize};

use glauber_model::Network;

use crate::{Optimiser, TrainError};

const STATE: &str = "state.toml";
const METRICS: &str = "metrics.jsonl";
const WEIGHTS: &str = "weights.safetensors";
const AVERAGE: &str = "average.safetensors";
const MOMENTS: [&str; 2] = ["moment-1.safetensors", "moment-2.safetensors"];
/// The folder of a checkpoint that is being written; the run's lock keeps it to one process.
const UNFINISHED: &str = ".writing";
/// A checkpoint that is being removed.
const REMOVED: &str = ".removing";
/// What tells a finished checkpoint's name from one being written.
const PREFIX: &str = "step-";

/// Where a run stands. Its generators need no state: every draw is addressed by seed, step and micro-batch.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingState {
    /// Optimiser steps done.
    pub step: usize,
    /// Tokens processed.
    pub tokens: u64,
    /// Seconds of training, over all processes of the run.
    pub seconds: f64,
    /// Training losses since the last evaluation: their sum, nats a site asked for.
    pub loss_sum: f64,
    /// How many they are.
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

/// The finished checkpoints of a folder, oldest first. Anything else there is ignored.
///
/// # Errors
/// When the folder exists and cannot be read.
pub(crate) fn list(folder: &Path) -> Result<Vec<CheckpointInfo>, TrainError> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(error) => return Err(TrainError::io(folder)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(TrainError::io(folder))?;
        let name = entry.file_name();
        let step = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if let Some(step) = step.and_then(|step| step.parse().ok()) {
            found.push(CheckpointInfo { path: entry.path(), step });
        }
    }
    found.sort_by_key(|checkpoint| checkpoint.step);
    Ok(found)
}

/// Writes a checkpoint under a temporary name, renames it, and removes all but the last `keep`.
pub(crate) fn save(
    folder: &Path,
    state: &TrainingState,
    metrics: &str,
    networks: (&Network, &Network, &Optimiser),
    keep: usize,
) -> Result<(), TrainError> {
    fs::create_dir_all(folder).map_err(TrainError::io(folder))?;
    remove_unfinished(folder)?;
    let scratch = folder.join(UNFINISHED);
    fs::create_dir(&scratch).map_err(TrainError::io(&scratch))?;
    let path = scratch.join(STATE);
    let text = toml::to_string(state).map_err(|error| malformed(&path, error))?;
    fs::write(&path, text).map_err(TrainError::io(&path))?;
    let metrics_path = scratch.join(METRICS);
    fs::write(&metrics_path, metrics).map_err(TrainError::io(&metrics_path))?;
    let permissions = fs::metadata(&path).map_err(TrainError::io(&path))?.permissions();
    let (weights, average, optimiser) = networks;
    let [first, second] = optimiser.moments.each_ref();
    let files = [WEIGHTS, AVERAGE, MOMENTS[0], MOMENTS[1]];
    for (name, network) in files.into_iter().zip([weights, average, first, second]) {
        let path = scratch.join(name);
        save_network(&path, network)?;
        // The store's files are for their owner alone; a run is for whoever may read its folder.
        fs::set_permissions(&path, permissions.clone()).map_err(TrainError::io(&path))?;
    }
    let finished = folder.join(format!("{PREFIX}{:08}", state.step));
    if finished.exists() {
        remove(&finished)?;
    }
    fs::rename(&scratch, &finished).map_err(TrainError::io(&finished))?;
    let all = list(folder)?;
    for old in &all[..all.len().saturating_sub(keep.max(1))] {
        remove(&old.path)?;
    }
    Ok(())
}

/// Removes a checkpoint so that a kill on the way leaves none that looks whole.
fn remove(checkpoint: &Path) -> Result<(), TrainError> {
    let removed = checkpoint.with_file_name(REMOVED);
    fs::rename(checkpoint, &removed).map_err(TrainError::io(checkpoint))?;
    fs::remove_dir_all(&removed).map_err(TrainError::io(&removed))
}

/// Removes what a killed process left half written or half removed.
fn remove_unfinished(folder: &Path) -> Result<(), TrainError> {
    for path in [UNFINISHED, REMOVED].map(|name| folder.join(name)) {
        if path.exists() {
            fs::remove_dir_all(&path).map_err(TrainError::io(&path))?;
        }
    }
    Ok(())
}

/// Reads where the run stood.
pub(crate) fn load_state(checkpoint: &Path) -> Result<TrainingState, TrainError> {
    let path = checkpoint.join(STATE);
    let text = fs::read_to_string(&path).map_err(|error| malformed(&path, error))?;
    toml::from_str(&text).map_err(|error| malformed(&path, error))
}

/// Reads weights, average and optimiser into ones of the same sizes; gives the state and the evaluations up to it.
pub(crate) fn load(
    checkpoint: &Path,
    network: &mut Network,
    average: &mut Network,
    optimiser: &mut Optimiser,
) -> Result<(TrainingState, String), TrainError> {
    let state = load_state(checkpoint)?;
    load_network(&checkpoint.join(WEIGHTS), network)?;
    load_network(&checkpoint.join(AVERAGE), average)?;
    for (name, moment) in MOMENTS.iter().zip(&mut optimiser.moments) {
        load_network(&checkpoint.join(name), moment)?;
    }
    optimiser.time = state.step;
    let path = checkpoint.join(METRICS);
    let metrics = fs::read_to_string(&path).map_err(|error| malformed(&path, error))?;
    Ok((state, metrics))
}

/// Reads the averaged weights alone: what sampling uses.
pub(crate) fn load_average(checkpoint: &Path, average: &mut Network) -> Result<(), TrainError> {
    load_network(&checkpoint.join(AVERAGE), average)
}

fn save_network(path: &Path, network: &Network) -> Result<(), TrainError> {
    // The default metadata comes in random order: without it equal networks make equal files.
    let mut store = SafetensorsStore::from_file(path).skip_enum_variants(true).clear_metadata();
    let saved = store.collect_from(network);
    saved.map_err(|error| TrainError::io(path)(std::io::Error::other(error.to_string())))
}

fn load_network(path: &Path, network: &mut Network) -> Result<(), TrainError> {
    if !path.is_file() {
        return Err(malformed(path, "the file is missing"));
    }
    let mut store = SafetensorsStore::from_file(path).skip_enum_variants(true);
    let applied = store.apply_to(network).map_err(|error| malformed(path, error))?;
    match applied.unused.first() {
        Some(unused) => Err(malformed(path, format!("a tensor `{unused}` that this network has not"))),
        None => Ok(()),
    }
}

fn malformed(path: &Path, error: impl ToString) -> TrainError {
    let found = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    TrainError::Malformed {
        path: path.into(),
        found: found.chars().take(160).collect(),
        hint: "the file is missing, truncated or of another network: delete its checkpoint folder to use the one before",
    }
}
