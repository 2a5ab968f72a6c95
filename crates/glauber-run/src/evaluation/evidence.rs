//! What a run says of `log Z` of its target.

use glauber_chain::statistics::Estimate;
use glauber_chain::{BoundTerms, ReverseKernel, SiteConditional};
use glauber_energy::{Exact, LogPartition, Model, ProductLaw, log_sum_exp};
use glauber_gflownet::{Evidence, reverse_paths};
use glauber_schedule::Schedule;
use glauber_tokens::TokenBatch;

use crate::error::Result;

/// Paths per progress report.
const BATCH: usize = 64;

/// Bounds of `log Z`, and what the weights of own paths say (E14, E15), in nats.
#[derive(Debug, Clone)]
pub struct TargetEvidence {
    /// The exact `log Z`, where one exists.
    pub exact: Option<Exact>,
    /// The mean of `log w` over own paths.
    pub lower: Estimate,
    /// The mean of `log γ(x)` and the bound (N) of `x`, over samples of the target.
    pub upper: Estimate,
    /// `log Z` by the weights of own paths.
    pub log_partition: LogPartition,
    /// Effective paths and acceptance.
    pub evidence: Evidence,
    /// The share of own paths that end where the target is 0.
    pub forbidden: f64,
    /// Means of the target's observables.
    pub means: Vec<WeightedMean>,
    /// The names of the nodes, where sequences are graphs.
    pub nodes: Vec<String>,
}

/// The mean of an observable over the ends of own paths.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct WeightedMean {
    /// What was measured.
    pub name: String,
    /// By the weights of the paths; NaN if all are 0.
    pub mean: f64,
    /// Its standard error, or NaN.
    pub standard_error: f64,
    /// Without weights.
    pub unweighted: f64,
    /// The exact mean, where it is known.
    pub exact: Option<f64>,
}

/// `Σ w f / Σ w`, with its standard error to first order.
fn weighted(log_weights: &[f64], values: &[f64]) -> Estimate {
    let total = log_sum_exp(log_weights);
    let shares: Vec<f64> = log_weights.iter().map(|log| (log - total).exp()).collect();
    let mean: f64 = shares.iter().zip(values).map(|(share, value)| share * value).sum();
    let variance: f64 = shares.iter().zip(values).map(|(share, value)| (share * (value - mean)).powi(2)).sum();
    Estimate { mean, standard_error: variance.sqrt() }
}

/// Weighs as many own paths as there are samples; `terms` are the bound of these samples.
pub(super) fn evidence<K: ReverseKernel>(
    model: &Model,
    (schedule, kernel, conditional): (&Schedule, &K, &dyn SiteConditional),
    (samples, terms): (&TokenBatch, &BoundTerms),
    seed: u64,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<TargetEvidence> {
    let base = ProductLaw::new(&vec![schedule.law().probabilities().to_vec(); schedule.len()]);
    let mut own = Vec::with_capacity(samples.rows());
    let mut values = vec![Vec::with_capacity(samples.rows()); model.observables.len()];
    for (part, rows) in samples.as_slice().chunks(BATCH * samples.len()).enumerate() {
        let (count, seed) = (rows.len() / samples.len(), seed ^ (part as u64 + 1) << 32);
        let paths = reverse_paths(&*model.target, &base, conditional, schedule, kernel, count, seed)?;
        own.extend(paths.log_weights);
        for (observable, values) in model.observables.iter().zip(&mut values) {
            values.extend(paths.tokens.iter().map(|tokens| (observable.measure)(tokens)));
        }
        progress(own.len(), samples.rows());
    }
    let back = samples.iter().zip(terms.totals()).map(|(x, nats)| model.target.log_density(x) + nats);
    let back: Vec<f64> = back.collect();
    let means = model.observables.iter().zip(&values).map(|(observable, values)| {
        let Estimate { mean, standard_error } = weighted(&own, values);
        let unweighted = values.iter().sum::<f64>() / values.len() as f64;
        WeightedMean { name: observable.name.clone(), mean, standard_error, unweighted, exact: observable.exact }
    });
    Ok(TargetEvidence {
        exact: model.exact()?,
        lower: Estimate::independent(&own),
        upper: Estimate::independent(&back),
        log_partition: LogPartition::new(&own, seed),
        evidence: Evidence::new(&own, Some(&back)),
        forbidden: own.iter().filter(|log| **log == f64::NEG_INFINITY).count() as f64 / own.len() as f64,
        means: means.collect(),
        nodes: model.nodes.clone(),
    })
}

#[cfg(test)]
mod tests {
    use glauber_chain::oracles::EnumeratedTable;
    use glauber_chain::{BoundSampling, ChainRng, Lazy, LikelihoodBound};
    use glauber_energy::{LatticeConfig, TargetConfig, exact};
    use glauber_schedule::{NoiseLaw, SignalShape, SiteOrder};

    use super::*;

    /// With the exact conditionals every path weighs `Z`, up to the start: both bounds and the estimate are `log Z`.
    #[test]
    fn exact_conditionals_leave_no_gap() {
        let lattice = LatticeConfig { rows: 2, columns: 2, open: true };
        let model = TargetConfig::Potts { lattice, colours: 3, coupling: 0.9 }.model("").unwrap();
        let listed = exact::enumerate(&*model.target).unwrap();
        let table = EnumeratedTable::new(3, 4, listed.probabilities().to_vec()).unwrap();
        let order = SiteOrder::round_robin(4, 3).unwrap();
        let law = NoiseLaw::uniform(3).unwrap();
        let schedule = Schedule::new(SignalShape::Linear, order, law, 1e-3, false).unwrap();
        let (conditional, kernel) = (table.conditional(&schedule).unwrap(), Lazy::default());
        let samples = listed.sample(400, 3);
        let mut rngs = ChainRng::streams(4, samples.rows());
        let sampling = BoundSampling { draws: schedule.horizon(), rows: 64 };
        let bound = LikelihoodBound::new(&schedule, kernel);
        let terms = bound.estimate(&conditional, &samples, &mut rngs, sampling).unwrap();
        let mut done = 0;
        let chain = (&schedule, &kernel, &conditional as &dyn SiteConditional);
        let found = evidence(&model, chain, (&samples, &terms), 5, &mut |at, _| done = at).unwrap();
        let log_z = listed.log_partition();
        assert_eq!(done, 400);
        assert!((found.exact.unwrap().value - log_z).abs() < 1e-9);
        assert!((found.lower.mean - log_z).abs() < 1e-3 && found.lower.standard_error < 1e-3, "{found:?}");
        assert!((found.log_partition.estimate - log_z).abs() < 1e-3, "{found:?}");
        assert!((found.upper.mean - log_z).abs() < 4.0 * found.upper.standard_error + 1e-3, "{found:?}");
        for mean in &found.means {
            let at = model.observables.iter().position(|observable| observable.name == mean.name).unwrap();
            let each = (0..81).map(|state| table.sequence(state)).map(|x| (model.observables[at].measure)(&x));
            let exact: f64 = each.zip(listed.probabilities()).map(|(value, p)| value * p).sum();
            assert!((mean.mean - exact).abs() < 4.0 * mean.standard_error, "{mean:?} for {exact}");
        }
        assert!(found.forbidden == 0.0 && found.means.len() == 2, "{found:?}");
        assert!(found.evidence.effective_share > 0.999 && found.evidence.acceptance > 0.99, "{found:?}");
    }
}
