//! Variational Bayes over graphs and weights, with one law of weights for all graphs.

use nalgebra::{Cholesky, DMatrix, DVector};

use super::graph::members;
use super::scores::check_family;
use super::{DagSum, LinearGaussian, LocalScores, ParentSets, WeightLaw, WeightPosterior, sum_over_dags};
use crate::{EnergyError, Result};

/// What all graphs share of the law of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// A law for each edge, `φ(θ | G) = Π_{s→t ∈ G} N(θ_st; μ_st, v_st)`: a graph has the weights of its edges only.
    Edges,
    /// A law for each node, of the weights from all other nodes with their covariances: `φ(θ) = Π_t N(θ_t; μ_t, Σ_t)` whatever
    /// the graph. A graph reads the weights of its edges. The authors' code fits this one.
    Nodes,
}

/// Normal laws of weights that all graphs [share](Sharing). As [`LocalScores`] they are the reward of VBG (Nishikawa-Toomey et
/// al., "Bayesian learning of causal structure and mechanisms with GFlowNets and variational Bayes", 2022)
///
/// ```text
/// log R(G) = E_φ log p(data | θ, G) − KL(φ(θ | G) ‖ N(0, τ²I)),
/// ```
///
/// so that every sampler of graphs takes it. The prior over graphs is uniform.
///
/// The paper alternates between a GFlowNet of graphs by that reward, and weights [fitted](Self::fitted) to its graphs.
/// [`alternate`] does both exactly. [`LinearGaussian`] itself is the reward of the best family, a law for each parent set: there
/// the bound is the evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedWeights {
    exact: LinearGaussian,
    sharing: Sharing,
    /// Of each node, the law of the weights from all others.
    laws: Vec<WeightPosterior>,
    /// Of each node, the divergence of that law from the prior.
    divergences: Vec<f64>,
}

impl SharedWeights {
    /// The laws that are best for a law of graphs, by weighted normal equations. With `G = XᵀX`, for each node `j`
    ///
    /// ```text
    /// edges:  1/v_s = 1/τ² + G_ss/σ²,   μ_s/τ² + Σ_t P(t → j | s → j) G_st μ_t / σ² = G_sj/σ²
    /// nodes:  Σ⁻¹ = I/τ² + (P(s → j, t → j) G_st / σ²)_st,   Σ⁻¹ μ = (P(s → j) G_sj / σ²)_s
    /// ```
    ///
    /// By edges, one that is in no graph is fitted as if it came independently of the others. By nodes, it keeps the prior.
    ///
    /// # Errors
    /// When the law of graphs is of another number of nodes, or the equations are singular within rounding.
    pub fn fitted(exact: &LinearGaussian, graphs: &ParentSets, sharing: Sharing) -> Result<Self> {
        let nodes = exact.nodes();
        EnergyError::unless_equal("nodes of the law of graphs", graphs.nodes(), nodes)?;
        let fit = |node: usize| match sharing {
            Sharing::Edges => by_edges(exact, node, &graphs.pairs(node)),
            Sharing::Nodes => by_node(exact, node, &graphs.pairs(node)),
        };
        let lost = || EnergyError::Data("the equations of the weights are singular within rounding".into());
        let laws = (0..nodes).map(|node| fit(node).ok_or_else(lost)).collect::<Result<Vec<_>>>()?;
        let divergences = laws.iter().map(|law| exact.divergence(law)).collect::<Result<_>>()?;
        Ok(Self { exact: exact.clone(), sharing, laws, divergences })
    }

    /// The law of the weights of some parents.
    fn law(&self, node: usize, parents: Vec<usize>) -> WeightPosterior {
        let (law, all) = (&self.laws[node], self.nodes() - 1);
        // The node itself is not among the others.
        let places: Vec<usize> = parents.iter().map(|&source| source - usize::from(source > node)).collect();
        let row = |&i: &usize| places.iter().map(move |&j| law.covariance[i * all + j]);
        let covariance = places.iter().flat_map(row).collect();
        WeightPosterior { mean: places.iter().map(|&i| law.mean[i]).collect(), parents, covariance }
    }
}

fn others(nodes: usize, node: usize) -> Vec<usize> {
    (0..nodes).filter(|&source| source != node).collect()
}

/// `pairs` are `P(s → node, t → node)`, shape `[s · t]`.
fn by_edges(exact: &LinearGaussian, node: usize, pairs: &[f64]) -> Option<WeightPosterior> {
    let (nodes, ridge, noise) = (exact.nodes(), 1.0 / exact.weight_variance, exact.noise_variance);
    let parents = others(nodes, node);
    let given = |s: usize, t: usize| match pairs[s * nodes + s] {
        share if share > 0.0 => pairs[s * nodes + t] / share,
        _ => pairs[t * nodes + t],
    };
    let p = parents.len();
    let precision = |s: usize| ridge + exact.gram[(s, s)] / noise;
    let matrix = DMatrix::from_fn(p, p, |i, j| match (parents[i], parents[j]) {
        (s, t) if s == t => precision(s),
        (s, t) => given(s, t) * exact.gram[(s, t)] / noise,
    });
    let pull = DVector::from_fn(p, |i, _| exact.gram[(parents[i], node)] / noise);
    let mean = matrix.lu().solve(&pull)?.as_slice().to_vec();
    let variances = DVector::from_fn(p, |i, _| 1.0 / precision(parents[i]));
    Some(WeightPosterior { parents, mean, covariance: DMatrix::from_diagonal(&variances).as_slice().to_vec() })
}

/// As [`by_edges`].
fn by_node(exact: &LinearGaussian, node: usize, pairs: &[f64]) -> Option<WeightPosterior> {
    let (nodes, ridge, noise) = (exact.nodes(), 1.0 / exact.weight_variance, exact.noise_variance);
    let parents = others(nodes, node);
    let both = |s: usize, t: usize| pairs[s * nodes + t] / noise;
    let p = parents.len();
    let entry = |i: usize, j: usize| both(parents[i], parents[j]) * exact.gram[(parents[i], parents[j])];
    let matrix = DMatrix::from_fn(p, p, |i, j| entry(i, j) + if i == j { ridge } else { 0.0 });
    let pull = DVector::from_fn(p, |i, _| both(parents[i], parents[i]) * exact.gram[(parents[i], node)]);
    let factor = Cholesky::new(matrix)?;
    let mean = factor.solve(&pull).as_slice().to_vec();
    Some(WeightPosterior { parents, mean, covariance: factor.inverse().as_slice().to_vec() })
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

    /// The node's part of `log R`. NaN if a covariance matrix is lost in rounding.
    fn score(&self, node: usize, parents: u64) -> f64 {
        let law = self.law(node, members(parents).collect());
        let divergence = match self.sharing {
            Sharing::Edges => self.exact.divergence(&law).unwrap_or(f64::NAN),
            Sharing::Nodes => self.divergences[node],
        };
        self.exact.likelihood(node, &law) - divergence
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
/// ```
/// use glauber_energy::dag::{DataTable, LinearGaussian, Sharing, alternate, sum_over_dags};
///
/// let csv = "a,b\n0,.1\n1,.9\n2,2.1\n-1,-1\n";
/// let scores = LinearGaussian::new(&DataTable::from_csv(csv.as_bytes())?, 0.1, 1.0)?; // noise variance .1
/// let exact = sum_over_dags(&scores)?;
/// let joint = exact.parent_sets().weight_moments(&scores)?; // entry 1 is the edge a → b
/// let found = alternate(&scores, &exact.parent_sets(), Sharing::Edges, 100)?;
/// let shared = found.graphs.parent_sets().weight_moments(&found.weights)?;
/// assert!((shared.mean[1] - joint.mean[1]).abs() < 1e-9); // two nodes: one edge at most, nothing is lost
/// # Ok::<(), glauber_energy::EnergyError>(())
/// ```
///
/// # Errors
/// As [`SharedWeights::fitted`] and [`sum_over_dags`].
pub fn alternate(exact: &LinearGaussian, start: &ParentSets, sharing: Sharing, rounds: usize) -> Result<Alternated> {
    let mut weights = SharedWeights::fitted(exact, start, sharing)?;
    let mut graphs = sum_over_dags(&weights)?;
    let mut bounds = vec![graphs.log_evidence()];
    for _ in 0..rounds {
        let before = graphs.log_evidence();
        let sets = graphs.parent_sets();
        let next = SharedWeights::fitted(exact, &sets, sharing)?;
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
