//! Training configuration.

use std::ops::RangeInclusive;

use burn::tensor::Device;
use glauber_model::SiteClassifier;
use glauber_schedule::Schedule;
use serde::{Deserialize, Serialize};

use crate::{Denoising, Objective, OptimiserKind, Precision, TrainError, fit};

/// Settings of the training loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainConfig {
    /// The loss.
    pub objective: &'static dyn Objective,
    /// The optimiser.
    pub optimiser: OptimiserKind,
    /// Total number of optimiser steps.
    pub steps: usize,
    /// Sequences per optimiser step.
    pub batch: usize,
    /// Number of micro-batches per step. Their gradients are averaged (accumulation), and computed in parallel if there
    /// are threads. The result depends on this number, not on the threads.
    pub micro_batches: usize,
    /// Activation checkpointing: blocks store only their inputs, and recompute the rest in the backward pass. Less
    /// memory, more time, equal loss and gradients ([`Network::recomputing`](glauber_model::Network::recomputing)).
    pub checkpoint_activations: bool,
    /// Number type of the network's large layers.
    pub precision: Precision,
    /// Peak learning rate.
    pub learning_rate: f64,
    /// Learning rate at the last step, as a fraction of the peak.
    pub minimum_rate: f64,
    /// Steps of linear warm-up.
    pub warmup_steps: usize,
    /// Decoupled weight decay of linear layers' matrices, including modulations.
    pub weight_decay: f64,
    /// Decay of the gradient's moving average.
    pub beta_1: f64,
    /// Decay of the squared gradient's moving average.
    pub beta_2: f64,
    /// Maximal global norm of gradients (clipping).
    pub clip_norm: f64,
    /// Decay of the moving average of the weights, which validation and sampling use.
    pub average_decay: f64,
    /// Share of training sequences with a random part of the sites clamped to the data, so that a network conditioned
    /// on signal levels learns to use known sites.
    pub clamped_share: f64,
    /// Whether a training sequence has the labels of a whole sweep: each site in its context in the reverse chain,
    /// noised by the sweep to the left and not yet to the right. Otherwise all sites have labels in the context of one
    /// step, which the reverse chain uses at only one site.
    pub whole_sweeps: WholeSweeps,
    /// Share of training sequences that the network draws itself by its reverse chain, for objectives that compare the
    /// probabilities of whole sequences with a density. Each costs a pass for every site.
    pub own_share: f64,
    /// Share of training sequences without their class, so that the network also learns the unconditional law.
    pub class_dropout: f64,
    /// Steps between evaluations on held-out sequences.
    pub validate_every: usize,
    /// Held-out sequences per evaluation.
    pub validation_sequences: usize,
    /// Steps between samples; 0 for none.
    pub sample_every: usize,
    /// Sequences per sample.
    pub samples: usize,
    /// Steps between checkpoints.
    pub checkpoint_every: usize,
    /// Checkpoints kept.
    pub keep_checkpoints: usize,
    /// Earlier total numbers of steps of the run, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extended: Vec<Extension>,
}

/// Whether training sequences have the labels of a whole sweep; in files `true`, `false` or `"where-possible"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub enum WholeSweeps {
    /// Never.
    #[default]
    Never,
    /// Always; networks and schedules without such labels are an error.
    Always,
    /// For networks and schedules that support them: the network `hollow` without conditioning on the step, sites in
    /// their order, an objective of steps.
    WherePossible,
}

impl WholeSweeps {
    /// Whether sequences have them, for a network, schedule and objective.
    pub fn hold(self, network: &dyn SiteClassifier, objective: &dyn Objective, schedule: &Schedule) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::WherePossible => fit::check_sweeps(network, objective, schedule).is_ok(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected true, false or \"where-possible\"")]
enum Written {
    Always(bool),
    Named(Name),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Name {
    WherePossible,
}

impl From<Written> for WholeSweeps {
    fn from(written: Written) -> Self {
        match written {
            Written::Always(true) => Self::Always,
            Written::Always(false) => Self::Never,
            Written::Named(Name::WherePossible) => Self::WherePossible,
        }
    }
}

impl From<WholeSweeps> for Written {
    fn from(sweeps: WholeSweeps) -> Self {
        match sweeps {
            WholeSweeps::Always => Self::Always(true),
            WholeSweeps::Never => Self::Always(false),
            WholeSweeps::WherePossible => Self::Named(Name::WherePossible),
        }
    }
}

/// A change of a run's total number of steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extension {
    /// The step at which the total changed from `of`.
    pub step: usize,
    /// The earlier total number of steps.
    pub of: usize,
}

impl Default for TrainConfig {
    fn default() -> Self {
        Self {
            objective: &Denoising,
            optimiser: OptimiserKind::Muon,
            steps: 2000,
            batch: 32,
            micro_batches: 2,
            checkpoint_activations: false,
            precision: Precision::F32,
            learning_rate: 1e-2,
            minimum_rate: 0.01,
            warmup_steps: 100,
            weight_decay: 0.1,
            beta_1: 0.9,
            beta_2: 0.98,
            clip_norm: 1.0,
            average_decay: 0.995,
            clamped_share: 0.0,
            whole_sweeps: WholeSweeps::Never,
            own_share: 0.0,
            class_dropout: 0.1,
            validate_every: 100,
            validation_sequences: 64,
            sample_every: 500,
            samples: 2,
            checkpoint_every: 250,
            keep_checkpoints: 2,
            extended: Vec::new(),
        }
    }
}

impl TrainConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the first key that is out of range.
    pub fn validate(&self) -> Result<(), TrainError> {
        let counts = [
            ("train.steps", self.steps, 1 << 40),
            ("train.batch", self.batch, 1 << 16),
            ("train.micro_batches", self.micro_batches, 1 << 16),
            ("train.validate_every", self.validate_every, usize::MAX),
            ("train.validation_sequences", self.validation_sequences, 1 << 20),
            ("train.checkpoint_every", self.checkpoint_every, usize::MAX),
            ("train.keep_checkpoints", self.keep_checkpoints, usize::MAX),
        ];
        for (key, found, most) in counts {
            within(key, found, 1..=most)?;
        }
        within("train.samples", self.samples, 0..=1 << 12)?;
        let divides = self.batch.is_multiple_of(self.micro_batches);
        require(divides, "train.micro_batches", self.micro_batches, "a divisor of `train.batch`")?;
        let positive = [("train.learning_rate", self.learning_rate), ("train.clip_norm", self.clip_norm)];
        for (key, found) in positive {
            require(found > 0.0 && found.is_finite(), key, found, "a positive number")?;
        }
        let shares = [
            ("train.minimum_rate", self.minimum_rate),
            ("train.beta_1", self.beta_1),
            ("train.beta_2", self.beta_2),
            ("train.average_decay", self.average_decay),
            ("train.clamped_share", self.clamped_share),
            ("train.own_share", self.own_share),
            ("train.class_dropout", self.class_dropout),
        ];
        for (key, found) in shares {
            require((0.0..1.0).contains(&found), key, found, "a number in 0..1")?;
        }
        let recomputed = self.checkpoint_activations && self.precision != Precision::F32;
        require(!recomputed, "train.precision", "bf16", "f32, which `train.checkpoint_activations` is made for")?;
        let decay = self.weight_decay;
        require(decay >= 0.0 && decay.is_finite(), "train.weight_decay", decay, "a number of 0 or more")
    }

    /// Checks that these settings fit a network, a schedule and a device.
    ///
    /// # Errors
    /// If network, objective and schedule do not fit each other, or the device lacks the precision.
    pub fn check(&self, network: &dyn SiteClassifier, schedule: &Schedule, device: &Device) -> Result<(), TrainError> {
        fit::check(network, self.objective, schedule)?;
        if self.whole_sweeps == WholeSweeps::Always {
            fit::check_sweeps(network, self.objective, schedule)?;
        }
        self.check_paths(network, schedule)?;
        self.precision.check(device)
    }
}

impl TrainConfig {
    /// Checks that rows are whole paths, for objectives that compare paths, and that only those have own sequences.
    fn check_paths(&self, network: &dyn SiteClassifier, schedule: &Schedule) -> Result<(), TrainError> {
        let name = self.objective.name();
        if !self.objective.compares_paths() {
            let expected = format!("0 with the objective `{name}`, which learns from the data alone");
            return require(self.own_share == 0.0, "train.own_share", self.own_share, &expected);
        }
        let expected = format!("1, which the objective `{name}` needs: a sequence is then one path");
        require(schedule.sweeps() == 1, "schedule.sweeps", schedule.sweeps(), &expected)?;
        let sweeps = self.whole_sweeps.hold(network, self.objective, schedule);
        let expected = format!(
            "true, which the objective `{name}` needs, with the network `hollow` and `model.conditioning` = \"signal-level-only\""
        );
        require(sweeps, "train.whole_sweeps", "without effect here", &expected)?;
        let expected = format!("0, which the objective `{name}` needs: all of a sequence is drawn");
        require(self.clamped_share == 0.0, "train.clamped_share", self.clamped_share, &expected)?;
        let rows = self.batch / self.micro_batches;
        let expected =
            format!("at most {}, two sequences a part, which the objective `{name}` compares", self.batch / 2);
        require(rows > 1, "train.micro_batches", self.micro_batches, &expected)
    }
}

/// Checks that a number of a configuration is in a range.
///
/// # Errors
/// [`TrainError::Config`] names the key, what was found and what is accepted.
pub fn within(key: &'static str, found: usize, range: RangeInclusive<usize>) -> Result<(), TrainError> {
    let expected = match *range.end() {
        usize::MAX => format!("at least {}", range.start()),
        end => format!("a number in {}..={end}", range.start()),
    };
    require(range.contains(&found), key, found, &expected)
}

/// Checks a value of a configuration key.
///
/// # Errors
/// [`TrainError::Config`] names the key, what was found and what is accepted.
pub fn require(holds: bool, key: &'static str, found: impl ToString, expected: &str) -> Result<(), TrainError> {
    match holds {
        true => Ok(()),
        false => Err(TrainError::Config { key, found: found.to_string(), expected: expected.into() }),
    }
}
