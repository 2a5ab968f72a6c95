//! The objectives, one file each.

mod binary;
mod denoising;
mod level_bound;
mod log_variance;
mod normalised_binary;
mod ratio_matching;
mod step_cross_entropy;

pub use binary::Binary;
pub use denoising::Denoising;
pub use level_bound::LevelBound;
pub use log_variance::LogVariance;
pub use normalised_binary::NormalisedBinary;
pub use ratio_matching::RatioMatching;
pub use step_cross_entropy::StepCrossEntropy;

use super::Objective;

/// The objectives that configurations can name.
pub(super) static ALL: &[&dyn Objective] =
    &[&Binary, &NormalisedBinary, &Denoising, &StepCrossEntropy, &RatioMatching, &LevelBound, &LogVariance];

pub(crate) use binary::binary_cross_entropy;
#[cfg(test)]
pub(crate) use binary::binary_excess;
pub(crate) use normalised_binary::signal_logit;
