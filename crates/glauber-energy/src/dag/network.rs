//! Data from random networks.

use glauber_chain::ChainRng;

use super::{DataTable, Graph};
use crate::targets::normal;
use crate::{EnergyError, Result};

/// Linear-Gaussian data of an Erdős–Rényi network, the benchmark of DAG-GFlowNet and VBG: a
/// Bernoulli lower triangle with its nodes permuted, weights from N(0, 1), no constant term.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RandomNetwork {
    /// Number of nodes `d`.
    pub nodes: usize,
    /// Expected number of edges; each of the `d(d − 1)/2` pairs is joined with the same
    /// probability.
    pub edges: f64,
    /// Rows of data.
    pub rows: usize,
    /// **Variance** of the noise, σ². Published codes differ: "0.1" is a standard deviation in the
    /// code of 2022 (a variance of .01), and a variance in gfnx.
    pub noise_variance: f64,
    /// Seed: stream 0 has the graph, stream 1 the weights, stream 2 the rows.
    pub seed: u64,
}

/// Data and the network that they come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Simulated {
    /// The graph.
    pub graph: Graph,
    /// The weights, shape `[source · sink]`, 0 without an edge.
    pub weights: Vec<f64>,
    /// The data; columns are called `x0`, `x1`, ….
    pub data: DataTable,
}

impl RandomNetwork {
    /// Draws a network and its data.
    ///
    /// # Errors
    /// When the nodes are not 2 to 64, or the edges not 0 to `d(d − 1)/2`. When the rows are fewer
    /// than 2, or the variance is not positive and finite.
    pub fn simulate(&self) -> Result<Simulated> {
        let (nodes, noise) = (self.nodes, self.noise_variance);
        Graph::empty(nodes)?;
        let share = self.edges / (nodes * (nodes - 1) / 2) as f64;
        EnergyError::unless_in_range((0.0..=1.0).contains(&share), "edges", self.edges, "0 to all pairs")?;
        let good = noise > 0.0 && noise.is_finite();
        EnergyError::unless_in_range(good, "noise variance", noise, "a positive number")?;
        EnergyError::unless_in_range(self.rows > 1, "rows", self.rows as f64, "at least 2")?;
        let mut rng = ChainRng::new(self.seed, 0);
        let mut order: Vec<usize> = (0..nodes).collect();
        (1..nodes).rev().for_each(|at| order.swap(at, rng.below(at + 1)));
        let mut edges = Vec::new();
        for later in 0..nodes {
            let joined = order[..later].iter().filter(|_| rng.uniform() < share);
            edges.extend(joined.map(|&source| (source, order[later])));
        }
        let graph = Graph::new(nodes, &edges)?;
        let mut rng = ChainRng::new(self.seed, 1);
        let mut weights = vec![0.0; nodes * nodes];
        edges.iter().for_each(|&(source, sink)| weights[source * nodes + sink] = normal(&mut rng));
        let mut rng = ChainRng::new(self.seed, 2);
        let mut values = vec![0.0; self.rows * nodes];
        for row in values.chunks_exact_mut(nodes) {
            for &node in &order {
                let pull: f64 = (0..nodes).map(|source| weights[source * nodes + node] * row[source]).sum();
                row[node] = pull + noise.sqrt() * normal(&mut rng);
            }
        }
        let data = DataTable::new((0..nodes).map(|node| format!("x{node}")).collect(), values)?;
        Ok(Simulated { graph, weights, data })
    }
}
