//! Training of site classifiers: objectives with one minimiser, over any source of sequences.
//!
//! A [`Trainer`] takes the steps of a [`Task`]; that of site classifiers is a [`SiteTask`], whose loss is an [`Objective`]. A
//! [`NetworkConditional`] samples what was learned.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use burn::tensor::Device;
//! use glauber_chain::{HeatBath, ReverseSampler, Sampler};
//! use glauber_model::{ModelConfig, Network, Preset};
//! use glauber_schedule::{Schedule, ScheduleConfig};
//! use glauber_train::{Denoising, NetworkConditional, SiteTask, TrainConfig, Windows};
//!
//! let (device, length, vocab) = (Device::flex(), 8, 3);
//! let source = Windows::new([0, 1, 2].repeat(20), length)?; // 0, 1, 2, 0, 1, 2, …
//! let schedule = Schedule::from_config(&ScheduleConfig::default(), length, vocab, None, None)?;
//! let model = ModelConfig { width: 16, heads: 2, ..Preset::Tiny.config() };
//! let network = Network::new(&model, vocab, length, 0, &device)?; // seed 0
//! let task = SiteTask::new(&network, &source, &schedule, &Denoising, 4)?; // 4 sequences a micro-batch
//! let config = TrainConfig { steps: 3, ..TrainConfig::default() };
//! let mut trainer = config.trainer(network, 0, &device, 1);
//! while trainer.steps() < config.steps {
//!     println!("{:.3} nats a site", trainer.step(&task)?.loss);
//! }
//! let conditional = NetworkConditional::new(trainer.average(), &Denoising, &schedule, &device)?;
//! let sampler = ReverseSampler::new(&schedule, HeatBath::default());
//! let mut chains = sampler.start(2, 42); // 2 chains of noise, seed 42
//! sampler.sample(&conditional, &mut chains)?;
//! assert!(chains.tokens().iter().all(|row| row.len() == length));
//! # Ok(())
//! # }
//! ```
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
    Losses, NormalisedBinary, Objective, Output, OwnToken, Place, RatioMatching, Right, SignalLogits, StepCrossEntropy,
    TargetList, Targets, Truth, excess_over_bayes, objective, objectives, register_objective,
};
pub use optimiser::{OptimiserKind, learning_rate};
pub use precision::Precision;
pub use site_task::{SiteTask, loss_and_gradients};
pub use source::{Passage, SequenceSource, Windows};
