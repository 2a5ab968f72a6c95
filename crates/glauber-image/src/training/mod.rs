//! Training of autoencoders.

mod averages;
mod config;
mod discriminator;
mod trainer;

pub use config::{DiscriminatorConfig, TokenizerTrainConfig};
pub use trainer::{CodebookUsage, TokenizerLosses, TokenizerTrainer};
