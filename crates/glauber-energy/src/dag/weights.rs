//! Weights of edges beside graphs: their laws given a graph, and their moments under a law of graphs.

use std::collections::BTreeMap;

use glauber_chain::ChainRng;
use glauber_tokens::TokenBatch;
use nalgebra::{Cholesky, DMatrix, DVector};

use super::graph::members;
use super::{Graph, LocalScores, WeightPosterior, metrics};
use crate::targets::normal;
use crate::{EnergyError, Result};

/// A law of the weights of edges given a graph: normal, and independent from node to node.
pub trait WeightLaw: LocalScores {
    /// The law of the weights of the edges into a node; bit `s` of `parents` is the edge `s → node`.
    ///
    /// # Errors
    /// When the node or a parent does not exist, or the node is its own parent.
    fn weights(&self, node: usize, parents: u64) -> Result<WeightPosterior>;

    /// Draws the weights of a graph, shape `[source · sink]`, 0 without an edge. With a drawn graph it is a joint draw.
    ///
    /// # Errors
    /// When the graph has another number of nodes, or a covariance matrix is not positive definite.
    fn draw_weights(&self, graph: &Graph, rng: &mut ChainRng) -> Result<Vec<f64>> {
        let nodes = self.nodes();
        EnergyError::unless_equal("nodes of the graph", graph.nodes(), nodes)?;
        let mut drawn = vec![0.0; nodes * nodes];
        for (node, &set) in graph.parents().iter().enumerate() {
            let law = self.weights(node, set)?;
            let p = law.parents.len();
            let indefinite = || EnergyError::Data("the covariance of the weights is not positive definite".into());
            let factor = Cholesky::new(DMatrix::from_row_slice(p, p, &law.covariance)).ok_or_else(indefinite)?;
            let weights = factor.l() * DVector::from_fn(p, |_, _| normal(rng)) + DVector::from_vec(law.mean);
            law.parents.iter().zip(&weights).for_each(|(parent, weight)| drawn[parent * nodes + node] = *weight);
        }
        Ok(drawn)
    }
}

impl<L: WeightLaw + ?Sized> WeightLaw for &L {
    fn weights(&self, node: usize, parents: u64) -> Result<WeightPosterior> {
        (**self).weights(node, parents)
    }
}

/// The law of each node's parents under a law of graphs. Means of what is a sum over nodes need no more.
#[derive(Debug, Clone, PartialEq)]
pub struct ParentSets {
    /// Of each node, parent sets of positive probability, ascending.
    laws: Vec<Vec<(u64, f64)>>,
}

impl ParentSets {
    /// From sets with their mass, by node; masses of one set are added.
    pub(super) fn of<I: Iterator<Item = (u64, f64)>>(nodes: usize, sets: impl Fn(usize) -> I) -> Self {
        let law = |node: usize| {
            let mut law = BTreeMap::new();
            sets(node).filter(|(_, p)| *p > 0.0).for_each(|(set, p)| *law.entry(set).or_insert(0.0) += p);
            law.into_iter().collect()
        };
        Self { laws: (0..nodes).map(law).collect() }
    }

    /// Of sampled graphs: tokens of shape `[row, site]` in the order of [`site_of`](super::site_of). `log_weights`, shape
    /// `[row]`, are those of annealed particles.
    ///
    /// # Errors
    /// As [`edge_marginals`](super::edge_marginals).
    pub fn of_samples(nodes: usize, tokens: &TokenBatch, log_weights: Option<&[f64]>) -> Result<Self> {
        let mut rows = Vec::with_capacity(tokens.rows());
        metrics::each(nodes, tokens, log_weights, |graph, weight| {
            rows.push((graph.parents().to_vec(), weight));
            Ok(())
        })?;
        Ok(Self::of(nodes, |node| rows.iter().map(move |(parents, weight)| (parents[node], *weight))))
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.laws.len()
    }

    /// The parent sets of a node that have a positive probability, and that probability; bit `s` is the edge `s → node`.
    ///
    /// # Panics
    /// When the node does not exist.
    pub fn of_node(&self, node: usize) -> &[(u64, f64)] {
        &self.laws[node]
    }

    /// The mean score of a graph, in nats.
    ///
    /// # Errors
    /// When the scores are of another number of nodes.
    pub fn mean_score<S: LocalScores + ?Sized>(&self, scores: &S) -> Result<f64> {
        EnergyError::unless_equal("nodes of the scores", scores.nodes(), self.nodes())?;
        let of = |(node, law): (usize, &Vec<(u64, f64)>)| -> f64 {
            law.iter().map(|&(set, p)| p * scores.score(node, set)).sum()
        };
        Ok(self.laws.iter().enumerate().map(of).sum())
    }

    /// The moments of the weights of edges, graphs and weights drawn together.
    ///
    /// # Errors
    /// When the law of weights is of another number of nodes, or fails.
    pub fn weight_moments<L: WeightLaw + ?Sized>(&self, law: &L) -> Result<WeightMoments> {
        let nodes = self.nodes();
        EnergyError::unless_equal("nodes of the weights", law.nodes(), nodes)?;
        let zeros = vec![0.0; nodes * nodes];
        let mut moments = WeightMoments { present: zeros.clone(), mean: zeros.clone(), variance: zeros };
        for (sink, sets) in self.laws.iter().enumerate() {
            for &(set, p) in sets {
                let found = law.weights(sink, set)?;
                for (at, &source) in found.parents.iter().enumerate() {
                    moments.add(
                        source * nodes + sink,
                        p,
                        found.mean[at],
                        found.covariance[at * (found.parents.len() + 1)],
                    );
                }
            }
        }
        Ok(moments)
    }

    /// `P(s → node, t → node)`, shape `[s · t]`; the diagonal has the probabilities of edges.
    pub(super) fn pairs(&self, node: usize) -> Vec<f64> {
        let nodes = self.nodes();
        let mut pairs = vec![0.0; nodes * nodes];
        for &(set, p) in &self.laws[node] {
            members(set).for_each(|s| members(set).for_each(|t| pairs[s * nodes + t] += p));
        }
        pairs
    }
}

/// Moments of the weights of edges when graphs are uncertain too. Shapes are `[source · sink]`.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightMoments {
    /// `P(s → t)`.
    pub present: Vec<f64>,
    /// The mean of the weight given that there is the edge; 0 where it is in no graph.
    pub mean: Vec<f64>,
    /// The variance of the weight given that there is the edge; 0 where it is in no graph.
    pub variance: Vec<f64>,
}

impl WeightMoments {
    /// Mixes a normal law of mass `p` into that of an edge.
    fn add(&mut self, edge: usize, p: f64, mean: f64, variance: f64) {
        self.present[edge] += p;
        let (share, apart) = (p / self.present[edge], mean - self.mean[edge]);
        self.mean[edge] += share * apart;
        self.variance[edge] += share * (variance - self.variance[edge] + (1.0 - share) * apart * apart);
    }

    /// Mean and variance of all weights, where a weight is 0 without its edge.
    pub fn overall(&self) -> (Vec<f64>, Vec<f64>) {
        let each = self.present.iter().zip(&self.mean).zip(&self.variance);
        each.map(|((p, mean), variance)| (p * mean, p * (variance + (1.0 - p) * mean * mean))).unzip()
    }
}
