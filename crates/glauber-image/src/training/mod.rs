//! Training of autoencoders.

mod averages;
mod config;
mod discriminator;
mod draws;
mod legacy;
mod state;
mod tasks;
mod trainer;
mod usage;

pub use config::{DiscriminatorConfig, TokenizerTrainConfig};
pub use trainer::{TokenizerLosses, TokenizerTrainer};
pub use usage::CodebookUsage;
