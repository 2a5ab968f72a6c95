//! Flags of whatever trains a run.

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use clap::Args;
use glauber_model::NetworkKind;
use glauber_train::objectives;

/// Folder, configuration, steps and devices: flags of whatever is trained in a folder and resumed.
#[derive(Debug, Clone, Args)]
pub struct FolderFlags {
    /// Run folder; by default the next free one of `runs/`
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Continue the run in `--run` from its last checkpoint, with its own configuration
    #[arg(long, requires = "run")]
    pub resume: bool,
    /// Configuration file, read over the defaults
    #[arg(long, value_name = "FILE", conflicts_with = "resume")]
    pub config: Option<PathBuf>,
    /// Set a configuration key, for instance `--set train.learning_rate=1e-3`; over `--config` and `--data`, under the other flags
    #[arg(long, value_name = "KEY=VALUE", conflicts_with = "resume")]
    pub set: Vec<String>,
    /// Optimiser steps in all; with `--resume` it makes the run longer, or shorter: what is done stays, and the learning rate follows the course
    /// of a run of so many steps from here on
    #[arg(long)]
    pub steps: Option<usize>,
    /// Sequences or images per optimiser step
    #[arg(long, conflicts_with = "resume")]
    pub batch: Option<usize>,
    /// Seed of everything random
    #[arg(long, conflicts_with = "resume")]
    pub seed: Option<u64>,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX, or for sequences several that share the work, as in cuda:0,cuda:1; `glauber device list`
    /// tells which are here
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Micro-batches that a rank computes side by side; by default as many as it has cores on the CPU device, one on others. The result does not
    /// depend on it
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
    /// Design of the network
    #[arg(long, conflicts_with = "resume", help = networks())]
    pub network: Option<String>,
    /// Loss
    #[arg(long, conflicts_with = "resume", help = losses())]
    pub objective: Option<String>,
    /// Tokens per sequence
    #[arg(long, conflicts_with = "resume")]
    pub length: Option<usize>,
    /// Sweeps of the forward chain
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
    format!("Loss: one of {}", names.join(", "))
}

/// What the designs of a network are called.
fn networks() -> String {
    let names: Vec<&str> = NetworkKind::ALL.iter().map(|kind| kind.name()).collect();
    format!("Design of the network: one of {}", names.join(", "))
}
