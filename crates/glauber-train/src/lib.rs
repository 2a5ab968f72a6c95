//! Training of site classifiers: objectives with one minimiser, a loop in steps, run folders that resume bit for bit.
//!
//! A [`Trainer`] takes the steps of a [`Task`]; that of site classifiers is a [`SiteTask`], whose loss is an [`Objective`]. A [`Run`] keeps
//! what comes out in a [`RunFolder`], from which a [`NetworkConditional`] samples.
//!
//! The library prints nothing, reads no clock and holds no backend: progress goes to an [`Observer`], the device is an argument. On burn's CPU
//! device layers are slow without the feature `cpu`, which fuses them.

mod conditional;
mod config;
mod device_sampler;
mod error;
mod fit;
mod image_config;
mod objective;
mod observer;
mod optimiser;
mod precision;
mod run;
mod site_task;
mod source;
mod trainer;

pub use conditional::NetworkConditional;
pub use config::{DataConfig, Extension, RunConfig, TrainConfig};
pub use device_sampler::{DeviceChains, DeviceSampler};
pub use error::TrainError;
pub use glauber_descent::{
    Course, DescentError, ParamGroups, Settings, Step, Stream, Task, Trainer, UpdateRule, load_average, load_module,
    save_module,
};
pub use glauber_model::Asked;
pub use image_config::{ImageConfig, ImageTokens, ImagesConfig, TokenizerConfig};
pub use objective::{
    Binary, Conditional, Denoising, DenoisingLaw, DeviceLaw, Drawing, Examples, Excess, Label, NormalisedBinary,
    Objective, Output, Place, RatioMatching, SignalLogits, StepCrossEntropy, TargetList, Targets, Truth,
    excess_over_bayes, objective, objectives, register_objective,
};
pub use observer::{Event, Flow, Observer};
pub use optimiser::{OptimiserKind, learning_rate};
pub use precision::Precision;
pub use run::{
    Change, CheckpointInfo, Curve, FolderLock, MetricLine, Panel, RunCodec, RunFolder, Scale, TrainingState,
    Vocabulary, changes, picture,
};
pub use site_task::{SiteTask, loss_and_gradients};
pub use source::{SequenceSource, Windows};
pub use trainer::{ExcessFn, Run, SampleFn, Surroundings};
