//! Flags of a comparison.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;
use glauber_program::Layers;
use glauber_run::RunConfig;
use toml::Value;

const DEFAULTS: &str = include_str!("../../../configs/comparison.toml");

/// Optimiser steps of a run that only the clock ends.
const UNLIMITED: usize = 1 << 30;

#[derive(Debug, Args)]
pub struct Flags {
    /// Text files or folders for the second source, read as letters a to z and spaces; without them there is the Markov source alone
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub data: Vec<PathBuf>,
    /// Seconds that each run trains for; evaluations are not counted
    #[arg(long, default_value_t = 40.0, allow_negative_numbers = true)]
    pub seconds: f64,
    /// End each run after so many optimiser steps, if the clock has not
    #[arg(long)]
    pub steps: Option<usize>,
    /// Runs of each contestant, seeds 0, 1, …
    #[arg(long, default_value_t = 3)]
    pub seeds: u64,
    /// Steps between evaluations
    #[arg(long)]
    pub evaluate_every: Option<usize>,
    /// Held-out sequences of an evaluation, four times as many for a masked-query network: it answers for one site of each
    #[arg(long, default_value_t = 256)]
    pub held_out: usize,
    /// Held-out sequences of the likelihood bound, 32 steps of each
    #[arg(long, default_value_t = 128)]
    pub bound_sequences: usize,
    /// Where runs, table and picture go; finished runs that are there are not run again
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Set a key of every run's configuration, for instance `--set train.learning_rate=1e-3`
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX; `glauber device list` tells which are here
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Micro-batches computed side by side; by default as many as there are cores
    #[arg(long)]
    pub threads: Option<usize>,
}

impl Flags {
    /// Where everything goes.
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

    /// The configuration that runs on some data start from.
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
