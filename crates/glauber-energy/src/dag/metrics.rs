//! How good sampled graphs are.

use glauber_tokens::TokenBatch;

use super::Graph;
use super::graph::read_parents;
use crate::target::log_sum_exp;
use crate::{EnergyError, Result};

/// Shares of graphs that have each edge, shape `[source · sink]`, from tokens of shape `[row,
/// site]`; their sum is the expected number of edges. `log_weights`, shape `[row]`, are those of
/// annealed particles.
///
/// # Errors
/// When there is no row, sizes differ, the nodes are not 2 to 64, or the weights have no finite
/// mass.
pub fn edge_marginals(nodes: usize, tokens: &TokenBatch, log_weights: Option<&[f64]>) -> Result<Vec<f64>> {
    let mut marginals = vec![0.0; nodes * nodes];
    each(nodes, tokens, log_weights, |graph, weight| {
        for (sink, &set) in graph.parents().iter().enumerate() {
            super::graph::members(set).for_each(|source| marginals[source * nodes + sink] += weight);
        }
        Ok(())
    })?;
    Ok(marginals)
}

/// The mean of [`shd`] to a graph (E-SHD), over tokens of shape `[row, site]`, weighted as in
/// [`edge_marginals`]. The best value is that of the exact posterior, not 0.
///
/// # Errors
/// As [`edge_marginals`].
pub fn expected_shd(truth: &Graph, tokens: &TokenBatch, log_weights: Option<&[f64]>) -> Result<f64> {
    let mut mean = 0.0;
    each(truth.nodes(), tokens, log_weights, |graph, weight| {
        mean += weight * shd(graph, truth)? as f64;
        Ok(())
    })?;
    Ok(mean)
}

/// Calls for each row with its graph and its share of the weight.
pub(super) fn each(
    nodes: usize,
    tokens: &TokenBatch,
    log_weights: Option<&[f64]>,
    mut act: impl FnMut(&Graph, f64) -> Result<()>,
) -> Result<()> {
    let mut graph = Graph::empty(nodes)?;
    EnergyError::unless_equal("sites of the graphs", tokens.len(), nodes * (nodes - 1))?;
    EnergyError::unless_in_range(tokens.rows() > 0, "sampled graphs", 0.0, "at least 1")?;
    let even = vec![0.0; tokens.rows()];
    let logs = log_weights.unwrap_or(&even);
    EnergyError::unless_equal("log-weights of the graphs", logs.len(), tokens.rows())?;
    let mass = log_sum_exp(logs);
    EnergyError::unless_in_range(mass.is_finite(), "mass of the weights", mass, "a finite number")?;
    for (row, log) in tokens.iter().zip(logs) {
        let mut parents = graph.parents().to_vec();
        read_parents(row, &mut parents);
        graph = Graph::of_parents(parents);
        act(&graph, (log - mass).exp())?;
    }
    Ok(())
}

/// Structural Hamming distance: the pairs of nodes whose edges differ,
/// `½ Σ min(1, |A − A*| + |A − A*|ᵀ)`. A reversed edge counts 1.
///
/// # Errors
/// When the graphs have different numbers of nodes.
pub fn shd(graph: &Graph, truth: &Graph) -> Result<usize> {
    EnergyError::unless_equal("nodes of the graph", graph.nodes(), truth.nodes())?;
    let differs = |s: usize, t: usize| graph.has(s, t) != truth.has(s, t) || graph.has(t, s) != truth.has(t, s);
    Ok((0..graph.nodes()).map(|t| (0..t).filter(|&s| differs(s, t)).count()).sum())
}

/// The area under the ROC curve of edge marginals, shape `[source · sink]`, against a graph, over
/// all `d²` entries (the diagonal too, as published); ties count half. `None` if the graph has no
/// edge.
///
/// # Errors
/// When the marginals have another shape, or one is NaN.
pub fn auroc(marginals: &[f64], truth: &Graph) -> Result<Option<f64>> {
    let nodes = truth.nodes();
    EnergyError::unless_equal("edge marginals", marginals.len(), nodes * nodes)?;
    let wrong = marginals.iter().copied().find(|p| p.is_nan());
    EnergyError::unless_in_range(wrong.is_none(), "edge marginal", f64::NAN, "a number")?;
    let (mut on, mut off) = (Vec::new(), Vec::new());
    for (at, &p) in marginals.iter().enumerate() {
        if truth.has(at / nodes, at % nodes) { on.push(p) } else { off.push(p) }
    }
    if on.is_empty() {
        return Ok(None);
    }
    let wins = |p: f64| {
        off.iter()
            .map(|&q| {
                if p > q {
                    1.0
                } else if p == q {
                    0.5
                } else {
                    0.0
                }
            })
            .sum::<f64>()
    };
    Ok(Some(on.iter().map(|&p| wins(p)).sum::<f64>() / (on.len() * off.len()) as f64))
}

/// The Jensen–Shannon divergence of two laws, shape `[state]`, in nats: 0 to `ln 2`.
///
/// # Errors
/// When the shapes differ.
pub fn jensen_shannon(p: &[f64], q: &[f64]) -> Result<f64> {
    EnergyError::unless_equal("states of the second law", q.len(), p.len())?;
    let part = |x: f64, y: f64| if x > 0.0 { 0.5 * x * (2.0 * x / (x + y)).ln() } else { 0.0 };
    Ok(p.iter().zip(q).map(|(&x, &y)| part(x, y) + part(y, x)).sum())
}
