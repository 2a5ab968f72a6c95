//! Flow matching.

use glauber_energy::log_sum_exp;

use super::{Criterion, PathObjective, mean_of_groups};
use crate::Terms;

/// `δ = log Σ_parents F(p) P_F(s|p) − log F(s)` of every state of a path but the source, with `F(s) = R(s)` where a path ends
/// (E9; Bengio et al., "Flow network based generative models for non-iterative diverse candidate generation", 2021).
///
/// What flows out of a state is its flow by construction, because the policy is normalised. The backward policy is not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FlowMatching(pub Criterion);

impl PathObjective for FlowMatching {
    fn name(&self) -> &'static str {
        "flow-matching"
    }

    fn loss(&self, terms: &Terms, gradient: &mut Terms) -> f64 {
        mean_of_groups(terms, gradient, |group, by, weight| {
            let parents = group.forward.len();
            let edges: Vec<f64> = group.forward.iter().zip(group.flow).map(|(forward, flow)| forward + flow).collect();
            let inflow = log_sum_exp(&edges);
            let [loss, slope] = self.0.of(inflow - group.flow[parents]);
            for (k, edge) in edges.iter().enumerate() {
                let slope = slope * weight * (edge - inflow).exp();
                by.forward[k] += slope;
                by.flow[k] += slope;
            }
            by.flow[parents] -= slope * weight;
            loss
        })
    }

    fn reads_parents(&self) -> bool {
        true
    }

    fn reads_flows(&self) -> bool {
        true
    }
}
