//! Annealed chains: importance sampling (AIS), its Rao–Blackwellised form, and sequential Monte Carlo (SMC).

mod bits;
mod levels;
mod particles;
mod two_sided;

use std::ops::ControlFlow;

use glauber_chain::ChainRng;
use glauber_tokens::TokenBatch;

use crate::path_weight::{LogPartition, effective_particles};
use crate::target::log_sum_exp;
use crate::{EnergyError, Result};

pub use bits::IsingBits;
pub use levels::Levels;
pub use particles::Particles;
pub use two_sided::{TwoSided, two_sided};

/// What a level adds to the weight of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Increment {
    /// `log γ_k(x) − log γ_{k−1}(x)` at the state before the redraw (E23): annealed importance sampling.
    Annealed,
    /// `log Σ γ_k − log Σ γ_{k−1}` over the sites about to be redrawn (E25). The sums are those of the heat bath, so it
    /// costs one more evaluation of a sum, and its variance is lower.
    #[default]
    RaoBlackwell,
}

/// A block update of an annealed chain: the level rises from `from` to `to`, then block `block` is redrawn at `to`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LevelStep {
    /// The level before.
    pub from: f64,
    /// The level after.
    pub to: f64,
    /// The block that is redrawn.
    pub block: usize,
}

/// A number of annealed chains with their weights.
pub trait Population {
    /// Number of particles.
    fn particles(&self) -> usize;

    /// Blocks of a sweep.
    fn blocks(&self) -> usize;

    /// Adds the increments of a step to the weights. The states stay.
    ///
    /// # Errors
    /// When the target has no law there.
    fn weigh(&mut self, step: LevelStep, increment: Increment) -> Result<()>;

    /// Redraws the block of a step at its level.
    ///
    /// # Errors
    /// When the target has no law there.
    fn redraw(&mut self, step: LevelStep) -> Result<()>;

    /// All of some steps, particle by particle on the rayon pool.
    ///
    /// # Errors
    /// When the target has no law somewhere.
    fn run(&mut self, steps: &[LevelStep], increment: Increment) -> Result<()>;

    /// `log γ(x) − log p_0(x)` of every particle, shape `[particle]`: how fast `log γ_b` rises with `b`.
    fn slopes(&self) -> Vec<f64>;

    /// The log-weights, shape `[particle]`.
    fn log_weights(&self) -> Vec<f64>;

    /// Particle `i` becomes a copy of particle `ancestors[i]`; all weights become 0.
    fn resample(&mut self, ancestors: &[usize]);

    /// The states, shape `[particle, site]`.
    fn tokens(&self) -> TokenBatch;
}

/// Settings of an annealing.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Annealing {
    /// What a level adds.
    pub increment: Increment,
    /// Particles are resampled when the effective sample size falls below this share of their number; `None` for
    /// importance sampling. The check comes before every redraw.
    pub resample_below: Option<f64>,
    /// Seed of resampling and of the bootstrap.
    pub seed: u64,
}

/// What an annealing found.
#[derive(Debug, Clone, PartialEq)]
pub struct Annealed {
    /// `log Z`, in nats.
    pub log_partition: LogPartition,
    /// Log-weights of the states, shape `[particle]`: since the last resampling.
    pub log_weights: Vec<f64>,
    /// The states, shape `[particle, site]`.
    pub tokens: TokenBatch,
    /// How often particles were resampled.
    pub resamplings: usize,
    /// Effective sample size as a share of the particles, at every look: each sweep if particles are resampled, else some
    /// two hundred times.
    pub effective_shares: Vec<f64>,
}

/// What a watcher of an annealing sees: sweeps done, sweeps in all.
pub type Watch<'w> = dyn FnMut(usize, usize) -> ControlFlow<()> + 'w;

impl Annealing {
    /// Takes a population from its base to its target along the levels.
    ///
    /// Results do not depend on the number of threads.
    ///
    /// # Errors
    /// When the target has no law somewhere, or the watcher stops the run.
    pub fn run(&self, population: &mut dyn Population, levels: &Levels, watch: &mut Watch<'_>) -> Result<Annealed> {
        let mut sweeps = levels.sweeps(population.blocks());
        let of = sweeps.len();
        let n = population.particles();
        let mut rng = ChainRng::new(self.seed, u64::MAX - 1);
        let mut resampled: Vec<(f64, f64)> = Vec::new();
        let mut families: Vec<usize> = (0..n).collect();
        let mut effective_shares = Vec::new();
        // Particles meet where they are watched or resampled only.
        let together = if self.resample_below.is_some() { 1 } else { of.div_ceil(200) };
        let mut done = 0;
        while done < of {
            let part: Vec<LevelStep> = sweeps.by_ref().take(together).flatten().collect();
            done = of.min(done + together);
            match self.resample_below {
                None => population.run(&part, self.increment)?,
                Some(share) => {
                    // The weights of a step are of the states before its redraw: resampling comes in between.
                    for (at, &step) in part.iter().enumerate() {
                        population.weigh(step, self.increment)?;
                        let last = at + 1 == part.len() && done == of;
                        let weights = population.log_weights();
                        if weights.iter().all(|&log| log == f64::NEG_INFINITY) {
                            return Err(EnergyError::NoSupport);
                        }
                        let effective = effective_particles(&weights);
                        if !last && effective < share * n as f64 {
                            resampled.push((log_sum_exp(&weights) - (n as f64).ln(), effective));
                            let ancestors = systematic(&weights, rng.uniform());
                            population.resample(&ancestors);
                            families = ancestors.iter().map(|&ancestor| families[ancestor]).collect();
                        }
                        population.redraw(step)?;
                    }
                }
            }
            effective_shares.push(effective_particles(&population.log_weights()) / n as f64);
            if watch(done, of).is_break() {
                return Err(EnergyError::Stopped { done, of });
            }
        }
        let log_weights = population.log_weights();
        if log_weights.iter().all(|&log| log == f64::NEG_INFINITY) {
            return Err(EnergyError::NoSupport);
        }
        let log_partition = LogPartition::of_filter(&log_weights, &families, &resampled, self.seed);
        Ok(Annealed {
            log_partition,
            log_weights,
            tokens: population.tokens(),
            resamplings: resampled.len(),
            effective_shares,
        })
    }
}

/// Watches nothing, for a run that nobody stops.
pub fn unwatched(_: usize, _: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

/// Systematic resampling: the ancestors of all particles by one uniform number from 0 to 1, shape `[particle]`.
///
/// # Panics
/// When no particle has a weight above 0.
pub fn systematic(log_weights: &[f64], uniform: f64) -> Vec<usize> {
    let n = log_weights.len();
    let total = log_sum_exp(log_weights);
    assert!(total.is_finite(), "particles with a weight above 0");
    // Rounding may leave the last wanted place above the sum: it belongs to the last particle that weighs anything.
    let last = log_weights.iter().rposition(|log| *log > f64::NEG_INFINITY).unwrap_or(0);
    let mut ancestors = Vec::with_capacity(n);
    let (mut at, mut reached) = (0, (log_weights[0] - total).exp());
    for k in 0..n {
        let wanted = (k as f64 + uniform) / n as f64;
        while reached <= wanted && at < last {
            at += 1;
            reached += (log_weights[at] - total).exp();
        }
        ancestors.push(at);
    }
    ancestors
}
