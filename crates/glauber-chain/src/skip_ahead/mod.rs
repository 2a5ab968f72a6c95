//! Skip-ahead: the lazy chain with one evaluation for many steps.

mod config;
mod held;
mod sampler;

pub use config::{ChangesPerEvaluation, SkipAhead};
pub(crate) use held::unmix;
pub use sampler::SkipAheadSampler;
