//! Flags of a comparison.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;
use glauber_program::Layers;
use glauber_run::RunConfig;
use toml::Value;

const DEFAULTS: &str = include_str!("../../../configs/comparison.toml");

/// Number of steps of a run that ends by time only.
const UNLIMITED: usize = 1 << 30;

#[derive(Debug, Args)]
pub struct Flags {
    /// Text files or folders of a second source, reduced to the letters a to z and spaces. Default: the Markov source
    /// alone
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// Training seconds per run, without evaluations
    #[arg(long, default_value_t = 40.0, allow_negative_numbers = true)]
    pub seconds: f64,
    /// End each run after this many optimiser steps, if its time is not over before
    #[arg(long)]
    pub steps: Option<usize>,
    /// Runs per model, with seeds 0, 1, …
    #[arg(long, default_value_t = 3)]
    pub seeds: u64,
    /// Steps between evaluations
    #[arg(long)]
    pub evaluate_every: Option<usize>,
    /// Held-out sequences per evaluation. A masked-query network uses four times as many, because it predicts one site
    /// of each
    #[arg(long, default_value_t = 256)]
    pub held_out: usize,
    /// Held-out sequences for the likelihood bound, with 32 steps each
    #[arg(long, default_value_t = 128)]
    pub bound_sequences: usize,
    /// Output folder for runs, table and plot. Finished runs in it are not repeated
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Set a configuration key in every run, e.g. `--set train.learning_rate=1e-3`
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Device: cpu, wgpu, cuda or cuda:INDEX. `glauber device list` lists those available
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Micro-batches computed in parallel. Default: one per core
    #[arg(long)]
    pub threads: Option<usize>,
}

impl Flags {
    /// The output folder.
    pub fn out(&self, experiment: &str) -> PathBuf {
        self.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(experiment))
    }

    /// Checks the numbers.
    pub fn check(&self) -> anyhow::Result<()> {
        let seconds = self.seconds;
        ensure!(seconds > 0.0 && seconds.is_finite(), "`--seconds` is {seconds}, expected a positive number");
        let sequences = [("--held-out", self.held_out), ("--bound-sequences", self.bound_sequences)];
        for (flag, found) in sequences {
            ensure!((2..=1 << 18).contains(&found), "`{flag}` is {found}, expected a number in 2..={}", 1 << 18);
        }
        ensure!((1..=1000).contains(&self.seeds), "`--seeds` is {}, expected a number in 1..=1000", self.seeds);
        Ok(())
    }

    /// The base configuration of runs on the given data.
    pub fn config(&self, data: Value) -> anyhow::Result<RunConfig> {
        let mut layers = Layers::built_in(DEFAULTS)?;
        layers.set_numbers([
            ("train.steps", self.steps.or(Some(UNLIMITED))),
            ("train.validate_every", self.evaluate_every),
            ("train.validation_sequences", Some(self.held_out)),
        ])?;
        layers.set("data", data)?;
        for setting in &self.set {
            layers.set_text(setting)?;
        }
        layers.finish()
    }
}
