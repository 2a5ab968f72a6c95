//! The posterior over graphs as a target on bits.

use glauber_tokens::{Site, Token};

use super::graph::{acyclic, pair_of, reaches, read_parents};
use super::{Graph, LocalScores, MAX_NODES};
use crate::{EnergyError, Result, Target};

/// `P(G | data)` on `d(d − 1)` bits, one for each ordered pair in the order of
/// [`site_of`](super::site_of). `log γ` is the sum of local scores, `−∞` for graphs with a cycle;
/// the prior is uniform.
///
/// The bits that would close a cycle have probability 0, so heat bath never leaves the acyclic
/// graphs. It is slow where data are many: to turn a strong edge round, it must first lose it.
/// Anneal, or take [`DagPairs`](super::DagPairs) or [`StructureMcmc`](super::StructureMcmc).
#[derive(Debug, Clone, PartialEq)]
pub struct DagTarget<S> {
    scores: S,
}

impl<S: LocalScores> DagTarget<S> {
    /// From local scores; wrap them in [`CachedScores`](super::CachedScores) for speed.
    ///
    /// # Errors
    /// When the nodes are fewer than 2 or more than 64.
    pub fn new(scores: S) -> Result<Self> {
        Graph::empty(scores.nodes())?;
        Ok(Self { scores })
    }

    /// The scores.
    pub fn scores(&self) -> &S {
        &self.scores
    }

    /// Number of nodes `d`.
    pub fn nodes(&self) -> usize {
        self.scores.nodes()
    }

    /// `log γ` of a graph, in nats.
    ///
    /// # Errors
    /// When the graph has another number of nodes.
    pub fn log_score(&self, graph: &Graph) -> Result<f64> {
        EnergyError::unless_equal("nodes of the graph", graph.nodes(), self.nodes())?;
        Ok(self.of_parents(graph.parents()))
    }

    pub(super) fn of_parents(&self, parents: &[u64]) -> f64 {
        if !acyclic(parents) {
            return f64::NEG_INFINITY;
        }
        parents.iter().enumerate().map(|(node, &set)| self.scores.score(node, set)).sum()
    }
}

impl<S: LocalScores> Target for DagTarget<S> {
    fn vocab(&self) -> usize {
        2
    }

    fn len(&self) -> usize {
        self.nodes() * (self.nodes() - 1)
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        let mut parents = [0; MAX_NODES];
        let parents = &mut parents[..self.nodes()];
        read_parents(tokens, parents);
        self.of_parents(parents)
    }

    /// The change of one node's score; a walk over bit sets finds whether the edge closes a cycle.
    fn log_ratios(&self, tokens: &[Token], site: Site, out: &mut [f64]) {
        let (source, sink) = pair_of(self.nodes(), site);
        local_ratios(self.nodes(), tokens, site, out, |set| {
            self.scores.score(sink, set | 1 << source) - self.scores.score(sink, set)
        });
    }

    /// Excludes an edge that closes a cycle with known ones. Without it, every graph can be completed.
    fn exclude(&self, known: &[Option<Token>], site: Site, possible: &mut [bool]) {
        let (source, sink) = pair_of(self.nodes(), site);
        let edges: Vec<Token> = known.iter().map(|token| token.unwrap_or(0)).collect();
        let mut parents = [0; MAX_NODES];
        let parents = &mut parents[..self.nodes()];
        read_parents(&edges, parents);
        possible[1] &= !reaches(parents, sink, source);
    }

    fn has_constraint(&self) -> bool {
        true
    }
}

/// Writes `Δ` of a bit where all acyclic graphs have mass: `gain`, given the sink's other parents,
/// is what the edge adds.
pub(super) fn local_ratios(nodes: usize, tokens: &[Token], site: Site, out: &mut [f64], gain: impl FnOnce(u64) -> f64) {
    let (source, sink) = pair_of(nodes, site);
    let mut parents = [0; MAX_NODES];
    let parents = &mut parents[..nodes];
    read_parents(tokens, parents);
    parents[sink] &= !(1 << source);
    if !acyclic(parents) {
        return out.fill(f64::NEG_INFINITY);
    }
    let with = if reaches(parents, sink, source) { f64::NEG_INFINITY } else { gain(parents[sink]) };
    // Of an impossible state, ratios are written up to a constant.
    let here = if tokens[site] != 0 && with > f64::NEG_INFINITY { with } else { 0.0 };
    (out[0], out[1]) = (0.0 - here, with - here);
}
