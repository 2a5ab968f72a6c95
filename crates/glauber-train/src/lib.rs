#![doc = include_str!("../README.md")]
//! A [`Trainer`] takes the steps of a [`Task`]; that of site classifiers is a [`SiteTask`], whose loss is an [`Objective`]. A
//! [`NetworkConditional`] samples what was learned.
//!
//! The library prints nothing, reads no clock, writes no file and holds no backend: the device is an argument. On burn's CPU
//! device layers are slow without the feature `cpu`, which fuses them.

mod conditional;
mod config;
mod device_sampler;
mod error;
mod fit;
mod objective;
mod optimiser;
mod precision;
mod site_task;
mod source;

pub use conditional::NetworkConditional;
pub use config::{Extension, TrainConfig, WholeSweeps, require, within};
pub use device_sampler::{DeviceChains, DeviceSampler};
pub use error::TrainError;
pub use fit::require_fixed_law;
pub use glauber_descent::{
    DescentError, LearningRateSchedule, ParamGroups, Settings, Step, Stream, Task, Trainer, UpdateRule, load_average,
    load_module, save_module,
};
pub use glauber_model::Asked;
pub use objective::{
    Binary, BlockSteps, Conditional, Denoising, DenoisingLaw, DeviceLaw, Drawing, Examples, Excess, Label, LevelBound,
    LogVariance, Losses, NormalisedBinary, Objective, Output, OwnToken, Place, RatioMatching, Right, SignalLogits,
    StepCrossEntropy, TargetList, Targets, Truth, excess_over_bayes, objective, objectives, register_objective,
};
pub use optimiser::{OptimiserKind, learning_rate};
pub use precision::Precision;
pub use site_task::{SiteTask, loss_and_gradients};
pub use source::{Passage, SequenceSource, Windows};
