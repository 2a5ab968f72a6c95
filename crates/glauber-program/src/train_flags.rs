//! Flags of whatever trains a run.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use clap::Args;
use glauber_model::NetworkKind;
use glauber_train::objectives;

/// Folder, configuration, steps and devices: flags of whatever is trained in a folder and resumed.
#[derive(Debug, Clone, Args)]
pub struct FolderFlags {
    /// Run folder. Default: the next free folder in `runs/`
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Resume the run in `--run` from its last checkpoint, with the configuration stored there
    #[arg(long, requires = "run")]
    pub resume: bool,
    /// Configuration file (TOML); its keys override the defaults
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub config: Option<PathBuf>,
    /// Set a configuration key, e.g. `--set train.learning_rate=1e-3`. Overrides `--config` and `--data`; the other
    /// flags override `--set`
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "resume")]
    pub set: Vec<String>,
    /// Total number of optimiser steps. With `--resume`, the new total: finished steps are kept, and the learning-rate
    /// schedule is recomputed for the new total
    #[arg(long)]
    pub steps: Option<usize>,
    /// Sequences or images per optimiser step
    #[arg(long, conflicts_with = "resume")]
    pub batch: Option<usize>,
    /// Random seed: the same seed repeats the run
    #[arg(long, conflicts_with = "resume")]
    pub seed: Option<u64>,
    /// Device: cpu, wgpu, cuda or cuda:INDEX. Several devices share the training of a sequence model, e.g.
    /// cuda:0,cuda:1. `glauber device list` lists those available
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Micro-batches that each rank computes in parallel. Default: one per core on the CPU, one on other devices. The
    /// result does not depend on it
    #[arg(long)]
    pub threads: Option<usize>,
}

/// Flags of whatever trains a model.
#[derive(Debug, Clone, Args)]
pub struct TrainFlags {
    #[command(flatten)]
    folder: FolderFlags,
    /// Size of the network: tiny, small or ggm-387m
    #[arg(long, conflicts_with = "resume")]
    pub preset: Option<String>,
    /// Network architecture
    #[arg(long, conflicts_with = "resume", help = networks())]
    pub network: Option<String>,
    /// Loss
    #[arg(long, conflicts_with = "resume", help = losses())]
    pub objective: Option<String>,
    /// Tokens per sequence
    #[arg(long, conflicts_with = "resume")]
    pub length: Option<usize>,
    /// Number of sweeps of the forward chain
    #[arg(long, conflicts_with = "resume")]
    pub sweeps: Option<usize>,
}

impl Deref for TrainFlags {
    type Target = FolderFlags;

    fn deref(&self) -> &FolderFlags {
        &self.folder
    }
}

impl DerefMut for TrainFlags {
    fn deref_mut(&mut self) -> &mut FolderFlags {
        &mut self.folder
    }
}

/// What the objectives are called.
fn losses() -> String {
    let names: Vec<&str> = objectives().iter().map(|objective| objective.name()).collect();
    format!("Training objective: one of {}", names.join(", "))
}

/// What the designs of a network are called.
fn networks() -> String {
    let names: Vec<&str> = NetworkKind::ALL.iter().map(|kind| kind.name()).collect();
    format!("Network architecture: one of {}", names.join(", "))
}
