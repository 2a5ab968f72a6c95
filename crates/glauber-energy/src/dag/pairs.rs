//! The posterior over graphs with a token for each pair of nodes.

use glauber_tokens::{Site, Token, TokenBatch};

use super::graph::{acyclic, reaches, site_of};
use super::{Graph, LocalScores, MAX_NODES};
use crate::{EnergyError, Result, Target};

/// The target of [`DagTarget`](super::DagTarget) on `d(d − 1)/2` tokens, one for each pair of nodes
/// `a < b`: 0 is no edge, 1 is `a → b`, 2 is `b → a`. Pairs go `(0, 1), (0, 2), (1, 2), (0, 3), …`.
///
/// Heat bath on it turns an edge round in one update. On single bits the edge must first go, which
/// strong data forbid: there the direction of an edge freezes.
#[derive(Debug, Clone, PartialEq)]
pub struct DagPairs<S> {
    scores: S,
}

impl<S: LocalScores> DagPairs<S> {
    /// From local scores; wrap them in [`CachedScores`](super::CachedScores) for speed.
    ///
    /// # Errors
    /// When the nodes are fewer than 2 or more than 64.
    pub fn new(scores: S) -> Result<Self> {
        Graph::empty(scores.nodes())?;
        Ok(Self { scores })
    }

    /// The graph of tokens, shape `[pair]`.
    ///
    /// # Errors
    /// When there is another number of tokens.
    pub fn graph(&self, tokens: &[Token]) -> Result<Graph> {
        EnergyError::unless_equal("pairs of nodes", tokens.len(), self.len())?;
        let mut parents = vec![0; self.scores.nodes()];
        read(tokens, &mut parents);
        Ok(Graph::of_parents(parents))
    }

    /// Tokens of graphs on bits, shape `[row, site]` in the order of [`site_of`], from tokens of
    /// shape `[row, pair]`.
    ///
    /// # Errors
    /// When rows have another number of pairs.
    pub fn bits(&self, tokens: &TokenBatch) -> Result<TokenBatch> {
        EnergyError::unless_equal("pairs of nodes", tokens.len(), self.len())?;
        let nodes = self.scores.nodes();
        let mut bits = TokenBatch::filled(tokens.rows(), nodes * (nodes - 1), 0);
        for (row, shown) in tokens.iter().enumerate() {
            for ((a, b), &token) in pairs(nodes).zip(shown) {
                match token {
                    1 => bits.row_mut(row)[site_of(nodes, a, b)] = 1,
                    2 => bits.row_mut(row)[site_of(nodes, b, a)] = 1,
                    _ => {}
                }
            }
        }
        Ok(bits)
    }
}

/// All pairs `a < b`, in the order of the sites.
fn pairs(nodes: usize) -> impl Iterator<Item = (usize, usize)> {
    (1..nodes).flat_map(|b| (0..b).map(move |a| (a, b)))
}

fn read(tokens: &[Token], parents: &mut [u64]) {
    parents.fill(0);
    for ((a, b), &token) in pairs(parents.len()).zip(tokens) {
        parents[b] |= u64::from(token == 1) << a;
        parents[a] |= u64::from(token == 2) << b;
    }
}

impl<S: LocalScores> Target for DagPairs<S> {
    fn vocab(&self) -> usize {
        3
    }

    fn len(&self) -> usize {
        self.scores.nodes() * (self.scores.nodes() - 1) / 2
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        let mut parents = [0; MAX_NODES];
        let parents = &mut parents[..self.scores.nodes()];
        read(tokens, parents);
        if !acyclic(parents) {
            return f64::NEG_INFINITY;
        }
        parents.iter().enumerate().map(|(node, &set)| self.scores.score(node, set)).sum()
    }

    fn log_ratios(&self, tokens: &[Token], site: Site, out: &mut [f64]) {
        let mut parents = [0; MAX_NODES];
        let parents = &mut parents[..self.scores.nodes()];
        read(tokens, parents);
        let Some((a, b)) = pairs(parents.len()).nth(site) else { return out.fill(f64::NAN) };
        parents[a] &= !(1 << b);
        parents[b] &= !(1 << a);
        if !acyclic(parents) {
            return out.fill(f64::NEG_INFINITY);
        }
        let gain = |source: usize, sink: usize| {
            if reaches(parents, sink, source) {
                return f64::NEG_INFINITY;
            }
            self.scores.score(sink, parents[sink] | 1 << source) - self.scores.score(sink, parents[sink])
        };
        out.copy_from_slice(&[0.0, gain(a, b), gain(b, a)]);
        let here = out[tokens[site] as usize];
        if here > f64::NEG_INFINITY {
            out.iter_mut().for_each(|ratio| *ratio -= here);
        }
    }
}
