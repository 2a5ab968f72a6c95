//! Cross-entropy.

use glauber_energy::log_sum_exp;

use super::PathObjective;
use crate::Terms;

/// `−Σ w̃ log p_θ(τ)`, with the weights of the batch, self-normalised (E19): the forward divergence `KL(π P_B ‖ p_θ)` up to a
/// constant, for paths that the policy drew itself. It covers all modes that the batch has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CrossEntropy {
    /// Weights are `w^power`. Below 1 it is the proximal variant, `η / (1 + η)` (PDNS): each round then has a target between
    /// the policy and `π`.
    pub power: f64,
}

impl PathObjective for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn loss(&self, terms: &Terms, gradient: &mut Terms) -> f64 {
        let logs: Vec<f64> = terms.log_weights().iter().map(|log| self.power * log).collect();
        let sum = log_sum_exp(&logs);
        let each = logs.iter().enumerate().map(|(path, log)| {
            let weight = (log - sum).exp();
            gradient.group_mut(path).forward.iter_mut().for_each(|g| *g -= weight);
            -weight * terms.group(path).forward.iter().sum::<f64>()
        });
        each.sum()
    }

    fn needs_own_paths(&self) -> bool {
        true
    }
}
