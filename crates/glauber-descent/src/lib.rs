#![doc = include_str!("../README.md")]
//! What is learned is a [`Task`]; a [`Trainer`] takes its steps. Below them, for loops of one's own:
//! micro-batches are computed side by side ([`Replicas`]), their gradients are added up in a fixed order, over ranks as well ([`Exchange`]),
//! and an [`Optimiser`] moves each parameter by the [rule](UpdateRule) that its caller gave it ([`ParamGroups`]). What comes out
//! depends on the number of micro-batches and of ranks, never on threads.

mod error;
mod exchange;
mod gradients;
mod groups;
mod jobs;
mod lanes;
mod learning_rate;
mod muon;
mod optimiser;
mod storage;
mod task;
mod trainer;
mod weights;

pub use error::DescentError;
pub use exchange::Exchange;
pub use gradients::{Replicas, StepGradients, mean_gradients};
pub use groups::{ParamGroups, UpdateRule};
pub use lanes::Lanes;
pub use learning_rate::LearningRateSchedule;
pub use optimiser::{Optimiser, OptimiserConstants};
pub use storage::{TRAINER_FILES, load_average, load_module, save_module};
pub use task::{Stream, Task, scalar};
pub use trainer::{Settings, Step, Trainer};
pub use weights::{fingerprint, moving_average};
