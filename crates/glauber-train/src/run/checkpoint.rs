//! Checkpoints: a folder of safetensors, where the run stands and how it was trained, complete or absent.

use std::fs;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn_store::{ModuleStore, SafetensorsStore, bridge};
use serde::{Deserialize, Serialize};

use glauber_descent::Optimiser;
use glauber_files::{remove_folder, remove_unfinished, write_folder};
use glauber_fused::finite;

use crate::{RunConfig, TrainError};

const CONFIG: &str = "config.toml";
const STATE: &str = "state.toml";
const METRICS: &str = "metrics.jsonl";
const WEIGHTS: &str = "weights.safetensors";
const AVERAGE: &str = "average.safetensors";
const MOMENTS: [&str; 2] = ["moment-1.safetensors", "moment-2.safetensors"];
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

/// Writes a checkpoint whole, and removes all but the last `keep`.
pub(crate) fn save<M: Module>(
    folder: &Path,
    (config, state, metrics): (&RunConfig, &TrainingState, &str),
    modules: (&M, &M, &Optimiser<M>),
    keep: usize,
) -> Result<(), TrainError> {
    fs::create_dir_all(folder).and_then(|()| remove_unfinished(folder)).map_err(TrainError::io(folder))?;
    let finished = folder.join(format!("{PREFIX}{:08}", state.step));
    write_folder(&finished, |error| TrainError::io(&finished)(error), |at| write(at, config, state, metrics, modules))?;
    let all = list(folder)?;
    for old in &all[..all.len().saturating_sub(keep.max(1))] {
        remove_folder(&old.path).map_err(TrainError::io(&old.path))?;
    }
    Ok(())
}

fn write<M: Module>(
    folder: &Path,
    config: &RunConfig,
    state: &TrainingState,
    metrics: &str,
    (weights, average, optimiser): (&M, &M, &Optimiser<M>),
) -> Result<(), TrainError> {
    let refused = |name: &'static str| move |error: toml::ser::Error| malformed(&folder.join(name), error);
    let texts = [
        (CONFIG, toml::to_string(config).map_err(refused(CONFIG))?),
        (STATE, toml::to_string(state).map_err(refused(STATE))?),
        (METRICS, metrics.to_owned()),
    ];
    for (name, text) in texts {
        let path = folder.join(name);
        fs::write(&path, text).map_err(TrainError::io(&path))?;
    }
    let path = folder.join(STATE);
    let permissions = fs::metadata(&path).map_err(TrainError::io(&path))?.permissions();
    let [first, second] = optimiser.moments.each_ref();
    let files = [WEIGHTS, AVERAGE, MOMENTS[0], MOMENTS[1]];
    for (name, module) in files.into_iter().zip([weights, average, first, second]) {
        let path = folder.join(name);
        save_module(&path, module)?;
        // The store's files are for their owner alone; a run is for whoever may read its folder.
        fs::set_permissions(&path, permissions.clone()).map_err(TrainError::io(&path))?;
    }
    Ok(())
}

/// Where the run stood at the newest checkpoint that tells, with those after it whose state is torn; none where there is no checkpoint.
pub(crate) fn newest(folder: &Path) -> Result<Option<Newest>, TrainError> {
    let mut torn = Vec::new();
    for checkpoint in list(folder)?.into_iter().rev() {
        match load_state(&checkpoint.path) {
            Ok(state) => return Ok(Some(Newest { path: checkpoint.path, state, torn })),
            Err(error @ TrainError::Malformed { .. }) => torn.push((checkpoint, error)),
            Err(error) => return Err(error),
        }
    }
    torn.into_iter().next().map_or(Ok(None), |(_, error)| Err(error))
}

/// The checkpoint that a run goes on from.
pub(crate) struct Newest {
    pub path: PathBuf,
    pub state: TrainingState,
    /// Those after it that cannot be read.
    pub torn: Vec<(CheckpointInfo, TrainError)>,
}

/// Takes a damaged checkpoint out of the way, under another name.
pub(crate) fn set_aside(checkpoint: &CheckpointInfo) -> Result<(), TrainError> {
    let aside = checkpoint.path.with_file_name(format!("damaged-{PREFIX}{:08}", checkpoint.step));
    let moved = remove_folder(&aside).and_then(|()| fs::rename(&checkpoint.path, &aside));
    moved.map_err(TrainError::io(&checkpoint.path))
}

/// The configuration that a checkpoint was trained with; none where it is from a program that did not write it down.
pub(crate) fn load_config(checkpoint: &Path) -> Result<Option<RunConfig>, TrainError> {
    let path = checkpoint.join(CONFIG);
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        text => {
            let text = text.map_err(|error| malformed(&path, error))?;
            toml::from_str(&text).map(Some).map_err(|error| malformed(&path, error))
        }
    }
}

/// Reads where the run stood.
fn load_state(checkpoint: &Path) -> Result<TrainingState, TrainError> {
    let path = checkpoint.join(STATE);
    let text = fs::read_to_string(&path).map_err(|error| malformed(&path, error))?;
    toml::from_str(&text).map_err(|error| malformed(&path, error))
}

/// Reads weights, average and optimiser into ones of the same sizes.
pub(crate) fn load<M: Module>(
    Newest { path, state, .. }: &Newest,
    weights: &mut M,
    average: &mut M,
    optimiser: &mut Optimiser<M>,
) -> Result<(), TrainError> {
    load_module(&path.join(WEIGHTS), weights)?;
    load_module(&path.join(AVERAGE), average)?;
    for (name, moment) in MOMENTS.iter().zip(&mut optimiser.moments) {
        load_module(&path.join(name), moment)?;
    }
    optimiser.time = state.step;
    Ok(())
}

/// The evaluations up to a checkpoint, by its own copy, which may be damaged or gone.
pub(crate) fn load_metrics(checkpoint: &Path) -> Option<Vec<u8>> {
    fs::read(checkpoint.join(METRICS)).ok()
}

/// Reads the averaged weights alone: what sampling uses.
pub(crate) fn load_average<M: Module>(checkpoint: &Path, average: &mut M) -> Result<(), TrainError> {
    load_module(&checkpoint.join(AVERAGE), average)
}

fn save_module<M: Module>(path: &Path, module: &M) -> Result<(), TrainError> {
    // The default metadata comes in random order: without it equal modules make equal files.
    let mut store = SafetensorsStore::from_file(path).skip_enum_variants(true).clear_metadata();
    let saved = store.collect_from(module);
    saved.map_err(|error| TrainError::io(path)(std::io::Error::other(error.to_string())))
}

fn load_module<M: Module>(path: &Path, module: &mut M) -> Result<(), TrainError> {
    if !path.is_file() {
        return Err(malformed(path, "the file is missing"));
    }
    let mut store = SafetensorsStore::from_file(path).skip_enum_variants(true);
    for (name, stored) in store.get_all_tensors().map_err(|error| malformed(path, error))? {
        let data = bridge::to_data(stored).map_err(|error| malformed(path, error))?;
        finite(name, data).map_err(|error| malformed(path, error))?;
    }
    let applied = store.apply_to(module).map_err(|error| malformed(path, error))?;
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
        hint: "the file is missing, truncated or damaged, or of another network: restore it, or delete its checkpoint folder to use the one before, if there is one",
    }
}
