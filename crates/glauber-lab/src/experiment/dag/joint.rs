//! Graphs and weights together: the exact joint posterior, and VBG beside it.

use std::time::Instant;

use glauber_energy::dag::{
    CachedScores, DagPosterior, DagTarget, LinearGaussian, ParentSets, SharedWeights, Sharing, WeightLaw,
    WeightMoments, alternate, jensen_shannon,
};
use glauber_tokens::TokenBatch;

use super::builder::Builder;
use super::{CHAINS, Exact, Flags, NODES};

/// Columns that weights add.
pub const COLUMNS: &str =
    " error of a mean | of a variance | of a mean given the edge | of a variance | gap of the bound |";
/// Those of the exact posterior.
pub const ZEROS: &str = " 0 | 0 | 0 | 0 | 0 |";

/// Edges with a smaller probability are not judged given that they are there.
const SEEN: f64 = 0.05;

/// The exact joint posterior.
pub struct Joint {
    pub scores: LinearGaussian,
    log_evidence: f64,
    sets: ParentSets,
    moments: WeightMoments,
}

impl Joint {
    pub fn new(scores: &LinearGaussian, graphs: &DagPosterior) -> anyhow::Result<Self> {
        let sets = graphs.parent_sets();
        let moments = sets.weight_moments(scores)?;
        Ok(Self { scores: scores.clone(), log_evidence: graphs.log_evidence(), sets, moments })
    }

    /// The cells of [`COLUMNS`]: sampled graphs with given laws of weights beside the exact moments.
    pub fn cells(&self, tokens: &TokenBatch, law: &dyn WeightLaw, bound: Option<f64>) -> anyhow::Result<String> {
        let found = ParentSets::of_samples(NODES, tokens, None)?.weight_moments(law)?;
        let seen = |edge: &usize| self.moments.present[*edge] >= SEEN && found.present[*edge] > 0.0;
        let largest = |found: &[f64], exact: &[f64], edges: &mut dyn Iterator<Item = usize>| {
            edges.map(|edge| (found[edge] - exact[edge]).abs()).fold(0.0, f64::max)
        };
        let ((mean, variance), exact) = (found.overall(), self.moments.overall());
        let all = || 0..NODES * NODES;
        let errors = [
            largest(&mean, &exact.0, &mut all()),
            largest(&variance, &exact.1, &mut all()),
            largest(&found.mean, &self.moments.mean, &mut all().filter(seen)),
            largest(&found.variance, &self.moments.variance, &mut all().filter(seen)),
        ];
        let gap = bound.map_or("–".into(), |bound| format!("{:.4}", self.log_evidence - bound));
        Ok(format!(" {} | {gap} |", errors.map(|error| format!("{error:.4}")).join(" | ")))
    }
}

/// VBG with laws of weights that graphs share, both steps exact: two families, two starts.
pub fn shared(exact: &Exact, joint: &Joint, uniform: &TokenBatch) -> anyhow::Result<()> {
    let even = ParentSets::of_samples(NODES, uniform, None)?;
    for (by, sharing) in [("edge", Sharing::Edges), ("node", Sharing::Nodes)] {
        for (from, start) in [("uniform graphs", &even), ("the posterior", &joint.sets)] {
            let clock = Instant::now();
            let found = alternate(&joint.scores, start, sharing, 1000)?;
            let listed = DagPosterior::enumerate(&found.weights)?;
            let apart = jensen_shannon(listed.probabilities(), exact.listed.probabilities())?;
            let name = format!("VBG, laws by {by}, exact steps from {from}: exact law {apart:.4}");
            let (tokens, bound) = (listed.sample(uniform.rows(), 9), found.graphs.log_evidence());
            exact.report_bound(&name, &tokens, clock, &found.weights, bound)?;
        }
    }
    Ok(())
}

/// VBG with a network: a GFlowNet learns the graphs, and laws of edges are fitted to its samples, in turn. The first laws are
/// fitted to `uniform` graphs.
pub fn shared_by_network(exact: &Exact, joint: &Joint, uniform: &TokenBatch, flags: &Flags) -> anyhow::Result<()> {
    let start = Instant::now();
    let mut builder: Option<Builder> = None;
    let mut tokens = uniform.clone();
    for round in 1..=flags.rounds {
        let sets = ParentSets::of_samples(NODES, &tokens, None)?;
        let weights = SharedWeights::fitted(&joint.scores, &sets, Sharing::Edges)?;
        let target = DagTarget::new(CachedScores::new(weights))?;
        let builder = builder.get_or_insert_with(|| Builder::new(&target, exact.seed, flags.steps).heated());
        builder.train(&target, flags.steps * round / flags.rounds)?;
        tokens = builder.draw(&target, CHAINS * flags.samples)?;
        if round == flags.rounds {
            let law = builder.law(&target)?;
            let name = format!("VBG, laws by edge, GFlowNet: from its reward {:.4}", law.distance.jensen_shannon);
            exact.report_bound(&name, &tokens, start, target.scores().inner(), law.bound)?;
        }
    }
    Ok(())
}
