//! Exact Markov chains whose proposals a policy makes.

use glauber_chain::ChainRng;

use crate::paths::{Exploration, rewards};
use crate::walks::Walks;
use crate::{Environment, GflownetError, Paths, Policy, Result, Terms};

/// When a proposal of weight ratio `ρ` is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Acceptance {
    /// With `min(1, ρ)`.
    #[default]
    Metropolis,
    /// With `ρ / (1 + ρ)`, as the published EB-GFN code.
    Barker,
}

impl Acceptance {
    fn accepts(self, log_ratio: f64, rng: &mut ChainRng) -> bool {
        // Both have density 0: any move will do.
        let ratio = if log_ratio.is_nan() { f64::INFINITY } else { log_ratio.exp() };
        let probability = match self {
            Self::Metropolis => ratio.min(1.0),
            Self::Barker if ratio.is_infinite() => 1.0,
            Self::Barker => ratio / (1.0 + ratio),
        };
        rng.uniform() < probability
    }
}

/// Takes a terminal state apart by so many actions of the backward policy, and completes it by the forward policy (E13). The
/// acceptance makes the target stationary for any two policies.
///
/// All paths of the environment must have equal lengths, as of [`Filling`](crate::Filling).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackAndForth {
    /// Actions that are undone, `K`.
    pub actions: usize,
    /// The acceptance.
    pub acceptance: Acceptance,
}

impl BackAndForth {
    /// Moves every terminal state once; returns how many proposals were accepted.
    ///
    /// # Errors
    /// When a state has no reward, or one that is NaN or `+∞`, and when a path has another length after the move.
    ///
    /// # Panics
    /// When there is not one generator for each state.
    pub fn step<E, P>(&self, environment: &E, policy: &P, ends: &mut [E::State], rngs: &mut [ChainRng]) -> Result<usize>
    where
        E: Environment,
        P: Policy<E> + ?Sized,
    {
        let back = Walks::back(environment, policy, ends, self.actions, rngs);
        let forth = Walks::forth(environment, policy, &back.last(), Exploration::NONE, rngs);
        let mut lengths = (0..ends.len()).map(|path| [&back, &forth].map(|walks| walks.actions(path)));
        if let Some([expected, found]) = lengths.find(|[undone, done]| undone != done) {
            let what = "actions from where a path was taken apart; all paths must have equal lengths";
            return Err(GflownetError::Mismatch { what, found, expected });
        }
        let proposed = forth.last();
        let [before, after] = [rewards(environment, ends)?, rewards(environment, &proposed)?];
        let log_ratio = |path: usize| after[path] - forth.log_ratios[path] - before[path] + back.log_ratios[path];
        let mut accepted = 0;
        for (path, (end, proposed)) in ends.iter_mut().zip(proposed).enumerate() {
            if self.acceptance.accepts(log_ratio(path), &mut rngs[path]) {
                *end = proposed;
                accepted += 1;
            }
        }
        Ok(accepted)
    }
}

/// Independence Metropolis with a sampler's own paths as proposals: accepts with `min(1, w' / w)`. Its chain on paths has the
/// target as the law of their ends, so means over it are unbiased in the limit. Its acceptance falls where the sampler misses
/// a mode that the chain has found.
#[derive(Debug, Clone)]
pub struct IndependenceMetropolis<S> {
    /// The current terminal state of every chain.
    pub ends: Vec<S>,
    log_weights: Vec<f64>,
}

impl<S: Clone + PartialEq + std::fmt::Debug> IndependenceMetropolis<S> {
    /// Starts at the ends of some paths with their terms.
    pub fn new(paths: &Paths<S>, terms: &Terms) -> Self {
        Self { ends: paths.ends().cloned().collect(), log_weights: terms.log_weights() }
    }

    /// Proposes the ends of other paths, one for each chain; returns how many were accepted.
    ///
    /// # Panics
    /// When there is not one path and one generator for each chain.
    pub fn propose(&mut self, paths: &Paths<S>, terms: &Terms, rngs: &mut [ChainRng]) -> usize {
        let proposals = paths.ends().zip(terms.log_weights());
        assert!(paths.count() == self.ends.len() && rngs.len() == self.ends.len(), "a path for each chain");
        let mut accepted = 0;
        let chains = self.ends.iter_mut().zip(&mut self.log_weights).zip(rngs);
        for (((end, weight), rng), (proposed, other)) in chains.zip(proposals) {
            // A chain of weight 0 leaves at once.
            if *weight == f64::NEG_INFINITY || Acceptance::Metropolis.accepts(other - *weight, rng) {
                (*end, *weight) = (proposed.clone(), other);
                accepted += 1;
            }
        }
        accepted
    }
}
