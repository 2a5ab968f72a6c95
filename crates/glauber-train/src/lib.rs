//! Training of site classifiers: objectives with one minimiser, a loop in steps, run folders that resume bit for bit.
//!
//! The loop is [`Trainer`]; what it learns is an [`Objective`]; what it leaves behind is a [`RunFolder`], from which a
//! [`NetworkConditional`] samples.
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
mod source;
mod trainer;

pub use conditional::NetworkConditional;
pub use config::{DataConfig, Extension, RunConfig, TrainConfig};
pub use device_sampler::{DeviceChains, DeviceSampler};
pub use error::TrainError;
pub use image_config::{ImageConfig, ImageTokens, ImagesConfig, TokenizerConfig};
pub use objective::{Asked, Drawing, Examples, Excess, Objective, excess_over_bayes};
pub use observer::{Event, Flow, Observer};
pub use optimiser::{OptimiserKind, learning_rate, loss_and_gradients};
pub use precision::Precision;
pub use run::{
    Change, CheckpointInfo, Curve, FolderLock, MetricLine, Panel, RunCodec, RunFolder, Scale, TrainingState,
    Vocabulary, changes, picture,
};
pub use source::SequenceSource;
pub use trainer::{ExcessFn, SampleFn, Surroundings, Trainer};
