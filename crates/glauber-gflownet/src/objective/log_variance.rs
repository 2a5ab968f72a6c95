//! Log-variance.

use super::PathObjective;
use crate::Terms;

/// The variance of `log w` over the batch (E10; VarGrad, Richter et al. 2020): trajectory balance with the mean of `log w` in
/// place of `log Z_θ`, which then needs no learning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogVariance;

impl PathObjective for LogVariance {
    fn name(&self) -> &'static str {
        "log-variance"
    }

    fn loss(&self, terms: &Terms, gradient: &mut Terms) -> f64 {
        let weights = terms.log_weights();
        let n = weights.len() as f64;
        let mean = weights.iter().sum::<f64>() / n;
        // The mean's own gradient cancels.
        let each = weights.iter().enumerate().map(|(path, weight)| {
            let residual = mean - weight;
            gradient.group_mut(path).add_log_weight(-2.0 * residual / n);
            residual * residual / n
        });
        each.sum()
    }
}
