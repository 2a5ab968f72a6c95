//! Detailed balance.

use super::{Criterion, PathObjective, mean_of_groups};
use crate::Terms;

/// `δ = log F(s) + log P_F(s'|s) − log F(s') − log P_B(s|s')` of every action of a path, their mean (E7; Bengio et al.,
/// "GFlowNet foundations", 2021). With [flows of stopping](crate::Flows::OfStop) it is the modified one, (E35).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DetailedBalance(pub Criterion);

impl PathObjective for DetailedBalance {
    fn name(&self) -> &'static str {
        "detailed-balance"
    }

    fn loss(&self, terms: &Terms, gradient: &mut Terms) -> f64 {
        mean_of_groups(terms, gradient, |path, by, weight| {
            let actions = path.forward.len();
            let share = 1.0 / actions.max(1) as f64;
            let mut sum = 0.0;
            for k in 0..actions {
                let residual = path.flow[k] + path.forward[k] - path.flow[k + 1] - path.backward[k];
                let [loss, slope] = self.0.of(residual);
                let slope = slope * weight * share;
                by.forward[k] += slope;
                by.backward[k] -= slope;
                by.flow[k] += slope;
                by.flow[k + 1] -= slope;
                sum += loss * share;
            }
            sum
        })
    }

    fn reads_flows(&self) -> bool {
        true
    }
}
