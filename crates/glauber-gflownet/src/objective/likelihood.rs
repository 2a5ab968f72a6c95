//! Likelihood of given ends.

use super::{PathObjective, mean_of_groups};
use crate::Terms;

/// `−Σ log p_θ(τ)`, the mean over paths that lead back from samples of the target: weighted denoising cross-entropy (E20) by whole
/// paths. Its least is the forward divergence `KL(π P_B ‖ p_θ)` up to a constant. It covers every mode that the samples have.
///
/// The samples may be particles of annealing, ends of own paths drawn by their weights, or states of a chain
/// ([`Buffer`](crate::Buffer)). With proximal weights, `w^{η/(1+η)}`, a round aims between the policy and the target (PDNS).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Likelihood;

impl PathObjective for Likelihood {
    fn name(&self) -> &'static str {
        "likelihood"
    }

    fn loss(&self, terms: &Terms, gradient: &mut Terms) -> f64 {
        mean_of_groups(terms, gradient, |path, by, weight| {
            by.forward.iter_mut().for_each(|g| *g -= weight);
            -path.forward.iter().sum::<f64>()
        })
    }

    fn needs_ends(&self) -> bool {
        true
    }
}
