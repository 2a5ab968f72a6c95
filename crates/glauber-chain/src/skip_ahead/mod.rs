//! Skipping what does not change: the lazy chain with one evaluation for many steps.

mod config;
mod held;
mod sampler;

pub use config::{ChangesPerEvaluation, SkipAhead};
pub use sampler::SkipAheadSampler;
