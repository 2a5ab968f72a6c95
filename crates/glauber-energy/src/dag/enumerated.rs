//! All acyclic graphs of a few nodes, with their posterior.

use glauber_tokens::TokenBatch;
use rayon::prelude::*;

use super::graph::{acyclic, members};
use super::subsets::{check_score, none_possible};
use super::{Graph, LocalScores, ParentSets, metrics};
use crate::exact::draws;
use crate::target::log_sum_exp;
use crate::{EnergyError, Result};

/// The exact posterior over all acyclic graphs of at most 6 nodes (3,781,503 graphs).
#[derive(Debug, Clone, PartialEq)]
pub struct DagPosterior {
    nodes: usize,
    /// Bit `t·d + s` is the edge `s → t`; ascending, shape `[graph]`.
    codes: Vec<u64>,
    log_sum: f64,
    probabilities: Vec<f64>,
}

const MOST_NODES: usize = 6;

impl DagPosterior {
    /// Lists all graphs and scores them, with a uniform prior.
    ///
    /// # Errors
    /// When the nodes are fewer than 2 or more than 6, a score is NaN or `+∞`, or no graph is
    /// possible.
    pub fn enumerate<S: LocalScores + ?Sized>(scores: &S) -> Result<Self> {
        let nodes = scores.nodes();
        let fits = (2..=MOST_NODES).contains(&nodes);
        EnergyError::unless_in_range(fits, "nodes to enumerate", nodes as f64, "2 to 6")?;
        let mut codes = Vec::new();
        extend(&mut vec![0; nodes], 0, &mut codes);
        codes.sort_unstable();
        // Each score once.
        let sets = 1usize << nodes;
        let of = |at: usize| {
            let (node, set) = (at / sets, at % sets);
            if set >> node & 1 == 1 { 0.0 } else { scores.score(node, set as u64) }
        };
        let table: Vec<f64> = (0..nodes * sets).into_par_iter().map(of).collect();
        for (at, &found) in table.iter().enumerate() {
            check_score(at / sets, (at % sets) as u64, found)?;
        }
        let log = |code: &u64| -> f64 {
            (0..nodes).map(|node| table[node * sets + (code >> (node * nodes)) as usize % sets]).sum()
        };
        let logs: Vec<f64> = codes.par_iter().map(log).collect();
        let log_sum = log_sum_exp(&logs);
        if log_sum == f64::NEG_INFINITY {
            return Err(none_possible());
        }
        let probabilities = logs.into_iter().map(|log| (log - log_sum).exp()).collect();
        Ok(Self { nodes, codes, log_sum, probabilities })
    }

    /// Number of graphs.
    pub fn graphs(&self) -> usize {
        self.codes.len()
    }

    /// A graph by its place in the list.
    ///
    /// # Panics
    /// When there is no such place.
    pub fn graph(&self, place: usize) -> Graph {
        let code = self.codes[place];
        let mask = (1 << self.nodes) - 1;
        Graph::of_parents((0..self.nodes).map(|node| code >> (node * self.nodes) & mask).collect())
    }

    /// The place of a graph; `None` for graphs with a cycle or of another number of nodes.
    pub fn place(&self, graph: &Graph) -> Option<usize> {
        if graph.nodes() != self.nodes {
            return None;
        }
        let code = graph.parents().iter().rev().fold(0, |code, set| code << self.nodes | set);
        self.codes.binary_search(&code).ok()
    }

    /// The posterior, shape `[graph]`.
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// `ln Σ_G exp(score)`, in nats: `log Z` of [`DagTarget`](super::DagTarget).
    pub fn log_sum(&self) -> f64 {
        self.log_sum
    }

    /// `log p(data)` under a uniform prior over graphs, in nats.
    pub fn log_evidence(&self) -> f64 {
        self.log_sum - (self.graphs() as f64).ln()
    }

    /// `P(s → t | data)`, shape `[source · sink]`.
    pub fn edge_marginals(&self) -> Vec<f64> {
        let mut marginals = vec![0.0; self.nodes * self.nodes];
        for (&code, p) in self.codes.iter().zip(&self.probabilities) {
            for bit in members(code) {
                let (sink, source) = (bit / self.nodes, bit % self.nodes);
                marginals[source * self.nodes + sink] += p;
            }
        }
        marginals
    }

    /// The law of the parents of each node.
    pub fn parent_sets(&self) -> ParentSets {
        let mask = (1 << self.nodes) - 1;
        let of = |node: usize| self.codes.iter().map(move |code| code >> (node * self.nodes) & mask);
        ParentSets::of(self.nodes, |node| of(node).zip(self.probabilities.iter().copied()))
    }

    /// The posterior mean of [`shd`](super::shd) to a graph: what a perfect sampler scores.
    ///
    /// # Errors
    /// When the graph has another number of nodes.
    pub fn expected_shd(&self, truth: &Graph) -> Result<f64> {
        let each =
            (0..self.graphs()).map(|at| Ok(self.probabilities[at] * metrics::shd(&self.graph(at), truth)? as f64));
        each.sum()
    }

    /// Shares of sampled graphs, shape `[graph]`, from tokens of shape `[row, site]`.
    ///
    /// # Errors
    /// When there is no row, rows have another number of sites, or a graph has a cycle.
    pub fn shares(&self, tokens: &TokenBatch) -> Result<Vec<f64>> {
        EnergyError::unless_in_range(tokens.rows() > 0, "sampled graphs", 0.0, "at least 1")?;
        let mut shares = vec![0.0; self.graphs()];
        for (row, shown) in tokens.iter().enumerate() {
            let place = self.place(&Graph::from_tokens(self.nodes, shown)?);
            let cyclic = || EnergyError::Data(format!("sampled graph {row} has a cycle"));
            shares[place.ok_or_else(cyclic)?] += 1.0 / tokens.rows() as f64;
        }
        Ok(shares)
    }

    /// Independent exact draws, shape `[row, site]`.
    pub fn sample(&self, rows: usize, seed: u64) -> TokenBatch {
        let mut batch = TokenBatch::filled(rows, self.nodes * (self.nodes - 1), 0);
        for (row, place) in draws(&self.probabilities, rows, seed).into_iter().enumerate() {
            batch.row_mut(row).copy_from_slice(&self.graph(place).tokens());
        }
        batch
    }
}

/// Tries all parent sets of a node and of those after it.
fn extend(parents: &mut Vec<u64>, node: usize, codes: &mut Vec<u64>) {
    let nodes = parents.len();
    if node == nodes {
        codes.push(parents.iter().rev().fold(0, |code, set| code << nodes | set));
        return;
    }
    for set in (0..1u64 << nodes).filter(|set| set >> node & 1 == 0) {
        parents[node] = set;
        if acyclic(parents) {
            extend(parents, node + 1, codes);
        }
    }
    parents[node] = 0;
}
