//! Uniform acyclic graphs: their number, and exact draws.

use glauber_chain::ChainRng;
use glauber_tokens::{Site, Token};
use statrs::function::factorial::ln_binomial;

use super::graph::{acyclic, read_parents, site_of};
use super::target::local_ratios;
use super::{Graph, MAX_NODES};
use crate::target::{draw, log_sum_exp};
use crate::{Base, Result, Target};

/// The number of labelled acyclic graphs on some nodes: 1, 3, 25, 543, 29,281, … (Robinson 1973).
/// `None` above 14 nodes, where it would not fit.
pub fn dag_count(nodes: usize) -> Option<u128> {
    // counts[n][k]: graphs of n nodes of which k have no parent. All terms are positive.
    let mut counts = vec![vec![1u128]];
    if nodes > 14 {
        return None;
    }
    for n in 1..=nodes {
        let mut row = vec![0u128; n + 1];
        for (k, count) in row.iter_mut().enumerate().skip(1) {
            let (rest, subsets) = (n - k, 1u128 << k);
            let mut sum = u128::from(rest == 0);
            for (s, fewer) in counts[rest].iter().enumerate().skip(1) {
                sum += (subsets - 1).pow(s as u32) * (1u128 << (k * (rest - s))) * fewer;
            }
            let choices = (0..k).fold(1u128, |product, i| product * (n - i) as u128 / (i + 1) as u128);
            *count = choices * sum;
        }
        counts.push(row);
    }
    Some(counts[nodes].iter().sum())
}

/// The uniform law over all labelled acyclic graphs, on bits as [`DagTarget`](super::DagTarget) has
/// them: a known start of annealed chains.
///
/// Draws are exact up to the rounding of f64 (Kuipers and Moffa 2015): layers of nodes without
/// parents are peeled off by Robinson's recursion.
///
/// ```
/// use glauber_energy::dag::{UniformDags, dag_count};
///
/// let law = UniformDags::new(5)?;
/// assert!((law.log_count() - 29_281f64.ln()).abs() < 1e-12);
/// assert_eq!(dag_count(5), Some(29_281));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct UniformDags {
    nodes: usize,
    /// Shape `[nodes][nodes without a parent]`, logarithms of counts.
    counts: Vec<Vec<f64>>,
}

/// `ln` of the number of edge sets from `k` nodes to `rest` others, `s` of which need a parent:
/// `(2^k − 1)^s 2^{k(rest − s)}`.
fn log_ways(k: usize, s: usize, rest: usize) -> f64 {
    let nonempty = (-(-(k as f64)).exp2()).ln_1p() + k as f64 * 2f64.ln();
    s as f64 * nonempty + (k * (rest - s)) as f64 * 2f64.ln()
}

impl UniformDags {
    /// Over graphs of some nodes.
    ///
    /// # Errors
    /// When the nodes are fewer than 2 or more than 64.
    pub fn new(nodes: usize) -> Result<Self> {
        Graph::empty(nodes)?;
        let mut counts = vec![vec![0.0]];
        for n in 1..=nodes {
            let mut row = vec![f64::NEG_INFINITY; n + 1];
            for (k, count) in row.iter_mut().enumerate().skip(1) {
                *count = ln_binomial(n as u64, k as u64) + log_sum_exp(&later(&counts, k, n - k));
            }
            counts.push(row);
        }
        Ok(Self { nodes, counts })
    }

    /// `ln` of the number of graphs.
    pub fn log_count(&self) -> f64 {
        log_sum_exp(&self.counts[self.nodes])
    }

    /// A graph.
    pub fn graph(&self, rng: &mut ChainRng) -> Graph {
        let nodes = self.nodes;
        let mut labels: Vec<usize> = (0..nodes).collect();
        (1..nodes).rev().for_each(|at| labels.swap(at, rng.below(at + 1)));
        let mut parents = vec![0u64; nodes];
        let size = |mut logs: Vec<f64>, rng: &mut ChainRng| {
            draw(&mut logs, rng.uniform()).expect("some size has a positive count").0 as usize
        };
        let mut layer = size(self.counts[nodes].clone(), rng);
        let (mut start, mut end) = (0, layer);
        while end < nodes {
            layer = size(later(&self.counts, end - start, nodes - end), rng);
            for &node in &labels[end..end + layer] {
                // At least one parent in the layer before, any in those above it.
                while parents[node] == 0 {
                    labels[start..end].iter().for_each(|&parent| parents[node] |= (rng.below(2) as u64) << parent);
                }
                labels[..start].iter().for_each(|&parent| parents[node] |= (rng.below(2) as u64) << parent);
            }
            (start, end) = (end, end + layer);
        }
        Graph::of_parents(parents)
    }
}

/// Logarithms of counts by the size of the next layer, below one of `k` nodes, of `rest` nodes.
/// Entry 0 counts only if nothing is left.
fn later(counts: &[Vec<f64>], k: usize, rest: usize) -> Vec<f64> {
    counts[rest].iter().enumerate().map(|(s, count)| log_ways(k, s, rest) + count).collect()
}

impl Target for UniformDags {
    fn vocab(&self) -> usize {
        2
    }

    fn len(&self) -> usize {
        self.nodes * (self.nodes - 1)
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        let mut parents = [0; MAX_NODES];
        let parents = &mut parents[..self.nodes];
        read_parents(tokens, parents);
        if acyclic(parents) { -self.log_count() } else { f64::NEG_INFINITY }
    }

    fn log_ratios(&self, tokens: &[Token], site: Site, out: &mut [f64]) {
        local_ratios(self.nodes, tokens, site, out, |_| 0.0);
    }
}

impl Base for UniformDags {
    fn draw(&self, rng: &mut ChainRng, tokens: &mut [Token]) {
        let graph = self.graph(rng);
        tokens.fill(0);
        for (sink, &set) in graph.parents().iter().enumerate() {
            for source in super::graph::members(set) {
                tokens[site_of(self.nodes, source, sink)] = 1;
            }
        }
    }
}
