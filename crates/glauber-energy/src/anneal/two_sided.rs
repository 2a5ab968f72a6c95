//! Bounds of `log Z` from both sides.

use glauber_chain::statistics::Estimate;
use glauber_tokens::TokenBatch;

use super::{Increment, Levels, Particles, Population};
use crate::target::{Base, Target};
use crate::{EnergyError, Result};

/// Log-weights of chains in both directions, in nats: `E w = Z = 1 / E[1/w']`.
#[derive(Debug, Clone, PartialEq)]
pub struct TwoSided {
    /// `log w` of chains from the base, shape `[particle]`.
    pub forward: Vec<f64>,
    /// `log w'` of reversed chains from exact samples of the target, shape `[particle]`.
    pub backward: Vec<f64>,
}

impl TwoSided {
    /// `E log w ≤ log Z`, with its standard error.
    pub fn lower(&self) -> Estimate {
        Estimate::independent(&self.forward)
    }

    /// `E log w' ≥ log Z` (E27), with its standard error.
    pub fn upper(&self) -> Estimate {
        Estimate::independent(&self.backward)
    }
}

/// Brackets `log Z` (bidirectional Monte Carlo, Grosse et al. 2015). `samples`, shape `[particle, site]`, must be exact
/// and independent samples of the target: of an enumeration, or of long chains such as [`SwendsenWang`](crate::SwendsenWang).
///
/// Unlike an effective sample size, the gap shows modes that chains from the base miss.
///
/// # Errors
/// When sizes differ, or the target has no law somewhere.
pub fn two_sided<T: Target + ?Sized, B: Base + ?Sized>(
    target: &T,
    base: &B,
    samples: &TokenBatch,
    levels: &Levels,
    increment: Increment,
    seed: u64,
) -> Result<TwoSided> {
    EnergyError::unless_in_range(samples.rows() > 1, "samples", samples.rows() as f64, "at least 2")?;
    let mut forward = Particles::new(target, base, samples.rows(), seed)?;
    let blocks = forward.blocks();
    for steps in levels.sweeps(blocks) {
        forward.run(&steps, increment)?;
    }
    // Other streams than those of the chains from the base.
    let mut backward = Particles::at(target, base, samples, seed ^ 0x5eed)?;
    for step in levels.sweeps(blocks).rev().flat_map(|steps| steps.into_iter().rev()) {
        backward.back(step, increment)?;
    }
    Ok(TwoSided { forward: forward.log_weights(), backward: backward.log_weights() })
}
