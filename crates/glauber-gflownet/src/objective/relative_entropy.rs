//! Relative entropy.

use super::PathObjective;
use crate::Terms;

/// `KL(p_θ(τ) ‖ π P_B) − log Z`, the mean of `−log w` over paths that the policy drew itself. Its gradient is
/// `−E[(log w − mean) ∇ log p_θ(τ)]`, REINFORCE with the batch's mean as baseline, `(n − 1) / n` of it in expectation (E18).
/// It is half of the gradient of trajectory balance with `log Z_θ` at that mean. Other paths give another gradient: do not explore with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RelativeEntropy;

impl PathObjective for RelativeEntropy {
    fn name(&self) -> &'static str {
        "relative-entropy"
    }

    fn loss(&self, terms: &Terms, gradient: &mut Terms) -> f64 {
        let weights = terms.log_weights();
        let n = weights.len() as f64;
        let mean = weights.iter().sum::<f64>() / n;
        for (path, weight) in weights.iter().enumerate() {
            let by = gradient.group_mut(path);
            by.forward.iter_mut().for_each(|g| *g += (mean - weight) / n);
            // A learned backward policy climbs the bound.
            by.backward.iter_mut().for_each(|g| *g -= 1.0 / n);
        }
        -mean
    }

    fn needs_own_paths(&self) -> bool {
        true
    }
}
