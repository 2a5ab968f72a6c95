//! Trajectory balance.

use super::{Criterion, PathObjective, mean_of_groups};
use crate::Terms;

/// `δ = log Z_θ + Σ_k log P_F − log R(x) − Σ_k log P_B` of a whole path (E6; Malkin et al., "Trajectory balance: improved
/// credit assignment in GFlowNets", 2022).
///
/// Of sequences that are filled in a uniform order, the terms of the order cancel (E12). On terms
/// [relative to a prior](Terms::relative_to) it is relative trajectory balance (E11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrajectoryBalance(pub Criterion);

impl PathObjective for TrajectoryBalance {
    fn name(&self) -> &'static str {
        "trajectory-balance"
    }

    fn loss(&self, terms: &Terms, gradient: &mut Terms) -> f64 {
        mean_of_groups(terms, gradient, |path, mut by, weight| {
            let [loss, slope] = self.0.of(path.flow[0] - path.log_weight());
            by.add_log_weight(-slope * weight);
            by.flow[0] += slope * weight;
            loss
        })
    }
}
