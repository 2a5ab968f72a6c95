//! Variational Bayes over graphs and weights, with one law of weights for all graphs.

use nalgebra::{DMatrix, DVector};

use super::graph::members;
use super::scores::check_family;
use super::{DagSum, LinearGaussian, LocalScores, ParentSets, WeightLaw, WeightPosterior, sum_over_dags};
use crate::{EnergyError, Result};

/// A normal law for each edge, which all graphs with that edge share:
/// `φ(θ | G) = Π_{s→t ∈ G} N(θ_st; μ_st, v_st)`. As [`LocalScores`] it is the reward of VBG (Nishikawa-Toomey et al. 2022)
///
/// ```text
/// log R(G) = E_φ log p(data | θ, G) − KL(φ(θ | G) ‖ N(0, τ²I)),
/// ```
///
/// so that every sampler of graphs takes it. The prior over graphs is uniform.
///
/// The authors' code shares one normal law of all weights into a node, with their covariances. It draws the law of graphs
/// from a GFlowNet, and fits the weights by equations weighted with it. Here the edges are independent, as in the other update
/// of that code, and the two steps are exact: [`fitted`](Self::fitted) and [`alternate`]. [`LinearGaussian`] itself is the
/// reward of the best family, a law of its own for each parent set: that bound is the evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedWeights {
    exact: LinearGaussian,
    /// Shape `[source · sink]`.
    mean: Vec<f64>,
    variance: Vec<f64>,
}

impl SharedWeights {
    /// The laws of edges that are best for a law of graphs: weighted normal equations. With `w_s = P(s → j)` and
    /// `G = XᵀX`, for each node `j`
    ///
    /// ```text
    /// 1/v_sj = 1/τ² + G_ss/σ²,   μ_sj/τ² + Σ_t P(t → j | s → j) G_st μ_tj / σ² = G_sj/σ²
    /// ```
    ///
    /// An edge that is in no graph is fitted as if it came independently of the others.
    ///
    /// # Errors
    /// When the law of graphs is of another number of nodes, or the equations are singular within rounding.
    pub fn fitted(exact: LinearGaussian, graphs: &ParentSets) -> Result<Self> {
        let nodes = exact.nodes();
        EnergyError::unless_equal("nodes of the law of graphs", graphs.nodes(), nodes)?;
        let (ridge, noise) = (1.0 / exact.weight_variance, exact.noise_variance);
        let (mut mean, mut variance) = (vec![0.0; nodes * nodes], vec![0.0; nodes * nodes]);
        for sink in 0..nodes {
            let sources: Vec<usize> = (0..nodes).filter(|&source| source != sink).collect();
            let pairs = graphs.pairs(sink);
            let given = |s: usize, t: usize| match (s == t, pairs[s * nodes + s]) {
                (true, _) => 1.0,
                (_, share) if share > 0.0 => pairs[s * nodes + t] / share,
                _ => pairs[t * nodes + t],
            };
            let entry = |i: usize, j: usize| {
                let (s, t) = (sources[i], sources[j]);
                given(s, t) * exact.gram[(s, t)] / noise + if i == j { ridge } else { 0.0 }
            };
            let matrix = DMatrix::from_fn(sources.len(), sources.len(), entry);
            let pull = DVector::from_fn(sources.len(), |i, _| exact.gram[(sources[i], sink)] / noise);
            let lost = || EnergyError::Data("the equations of the weights are singular within rounding".into());
            let found = matrix.lu().solve(&pull).ok_or_else(lost)?;
            for (&source, &weight) in sources.iter().zip(&found) {
                mean[source * nodes + sink] = weight;
                variance[source * nodes + sink] = 1.0 / (ridge + exact.gram[(source, source)] / noise);
            }
        }
        Ok(Self { exact, mean, variance })
    }

    /// The means `μ`, shape `[source · sink]`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// The variances `v`, shape `[source · sink]`; 0 on the diagonal.
    pub fn variance(&self) -> &[f64] {
        &self.variance
    }

    fn law(&self, node: usize, parents: Vec<usize>) -> WeightPosterior {
        let (nodes, p) = (self.nodes(), parents.len());
        let mut covariance = vec![0.0; p * p];
        for (at, source) in parents.iter().enumerate() {
            covariance[at * (p + 1)] = self.variance[source * nodes + node];
        }
        let mean = parents.iter().map(|source| self.mean[source * nodes + node]).collect();
        WeightPosterior { parents, mean, covariance }
    }
}

impl WeightLaw for SharedWeights {
    fn weights(&self, node: usize, parents: u64) -> Result<WeightPosterior> {
        let parents: Vec<usize> = members(parents).collect();
        check_family(self.nodes(), node, &parents)?;
        Ok(self.law(node, parents))
    }
}

impl LocalScores for SharedWeights {
    fn nodes(&self) -> usize {
        self.exact.nodes()
    }

    /// The [bound](LinearGaussian::bound) of the node's evidence.
    fn score(&self, node: usize, parents: u64) -> f64 {
        self.exact.bound(node, &self.law(node, members(parents).collect())).unwrap_or(f64::NAN)
    }
}

/// What [`alternate`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct Alternated {
    /// The laws of weights.
    pub weights: SharedWeights,
    /// The law of graphs that is best for them.
    pub graphs: DagSum,
    /// The lower bound of [`log_evidence`](DagSum::log_evidence) after each step, in nats: graphs, then weights and graphs in
    /// turn. It never falls.
    pub bounds: Vec<f64>,
}

/// Variational Bayes with [`SharedWeights`], both steps exact: weights fitted to the law of graphs, then the law of graphs in
/// proportion to the reward, summed over all graphs of at most 14 nodes. It ends after so many rounds, or when one gains less
/// than 1e-12 of the bound. What it finds may depend on the start.
///
/// # Errors
/// As [`SharedWeights::fitted`] and [`sum_over_dags`].
pub fn alternate(exact: &LinearGaussian, start: &ParentSets, rounds: usize) -> Result<Alternated> {
    let mut weights = SharedWeights::fitted(exact.clone(), start)?;
    let mut graphs = sum_over_dags(&weights)?;
    let mut bounds = vec![graphs.log_evidence()];
    for _ in 0..rounds {
        let before = graphs.log_evidence();
        let sets = graphs.parent_sets();
        let next = SharedWeights::fitted(exact.clone(), &sets)?;
        bounds.push(before + sets.mean_score(&next)? - sets.mean_score(&weights)?);
        weights = next;
        graphs = sum_over_dags(&weights)?;
        bounds.push(graphs.log_evidence());
        if graphs.log_evidence() - before < 1e-12 * before.abs() {
            break;
        }
    }
    Ok(Alternated { weights, graphs, bounds })
}
