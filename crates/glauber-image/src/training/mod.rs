//! Training of autoencoders.

mod averages;
mod config;
mod descent;
mod discriminator;
mod draws;
mod pass;
mod state;
mod trainer;
mod usage;

pub use config::{DiscriminatorConfig, TokenizerTrainConfig};
pub use trainer::{TokenizerLosses, TokenizerTrainer};
pub use usage::CodebookUsage;
