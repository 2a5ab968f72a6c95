//! Sub-trajectory balance.

use super::{Criterion, PathObjective, mean_of_groups};
use crate::Terms;

/// The mean over all parts of a path, a part of `n` actions weighted by `λⁿ`, of
/// `δ_mn = log F(s_m) − log F(s_n) + Σ_{k=m}^{n−1} [ log P_F − log P_B ]` (E8; Madan et al., "Learning GFlowNets from
/// partial episodes", 2023). `λ → 0` is detailed balance, `λ → ∞` trajectory balance; the paper takes .9.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SubTrajectoryBalance {
    /// `λ`.
    pub lambda: f64,
    /// How large a residual is.
    pub criterion: Criterion,
}

impl PathObjective for SubTrajectoryBalance {
    fn name(&self) -> &'static str {
        "sub-trajectory-balance"
    }

    fn loss(&self, terms: &Terms, gradient: &mut Terms) -> f64 {
        mean_of_groups(terms, gradient, |path, by, weight| {
            let actions = path.forward.len();
            // Divided by the largest power, so that no λ overflows.
            let longest = if self.lambda > 1.0 { actions as i32 } else { 1 };
            let part = |n: usize| self.lambda.powi(n as i32 - longest);
            let mass: f64 = (1..=actions).map(|n| part(n) * (actions + 1 - n) as f64).sum();
            let mut sum = 0.0;
            // By how much each action's terms enter, as differences along the path.
            let mut changes = vec![0.0; actions + 1];
            for m in 0..actions {
                let mut residual = path.flow[m];
                for n in m + 1..=actions {
                    residual += path.forward[n - 1] - path.backward[n - 1];
                    let [loss, slope] = self.criterion.of(residual - path.flow[n]);
                    let share = part(n - m) / mass;
                    let slope = slope * share * weight;
                    by.flow[m] += slope;
                    by.flow[n] -= slope;
                    changes[m] += slope;
                    changes[n] -= slope;
                    sum += loss * share;
                }
            }
            let mut slope = 0.0;
            for (k, change) in changes[..actions].iter().enumerate() {
                slope += change;
                by.forward[k] += slope;
                by.backward[k] -= slope;
            }
            sum
        })
    }

    fn reads_flows(&self) -> bool {
        true
    }
}
