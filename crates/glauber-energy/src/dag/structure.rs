//! Structure MCMC: Metropolis–Hastings on graphs by single edges.

use glauber_chain::ChainRng;
use glauber_tokens::{Token, TokenBatch};
use rayon::prelude::*;

use super::graph::members;
use super::{DagTarget, Graph, LocalScores, UniformDags};
use crate::target::Target;
use crate::{EnergyError, Result};

/// Settings of structure MCMC (Madigan and York 1995; Giudici and Castelo 2003): a step adds,
/// deletes or reverses one edge, uniformly among all steps that leave the graph acyclic. The
/// acceptance corrects for the sizes of the two neighbourhoods.
///
/// The Bayesian literature's baseline. Unlike heat bath it turns an edge round in one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StructureMcmc {
    /// Number of independent chains; each starts from a uniform acyclic graph.
    pub chains: usize,
    /// Steps before the first sample.
    pub burn_in: usize,
    /// Samples of each chain.
    pub samples: usize,
    /// Steps from a sample to the next; at least 1.
    pub thin: usize,
    /// Seed; chain `i` has stream `i`.
    pub seed: u64,
}

/// What structure MCMC found.
#[derive(Debug, Clone, PartialEq)]
pub struct StructureRun {
    /// The samples, shape `[chain · sample, site]`, chain by chain.
    pub tokens: TokenBatch,
    /// Accepted steps as a share of all.
    pub accepted: f64,
}

impl StructureMcmc {
    /// Runs the chains on the rayon pool. Results do not depend on the number of threads.
    ///
    /// # Errors
    /// When a number is 0 (burn-in may be), or a score is NaN or the start has probability 0.
    pub fn run<S: LocalScores>(&self, target: &DagTarget<S>) -> Result<StructureRun> {
        for (key, found) in [("chains", self.chains), ("samples", self.samples), ("thin", self.thin)] {
            EnergyError::unless_in_range(found > 0, key, found as f64, "at least 1")?;
        }
        let start = UniformDags::new(target.nodes())?;
        let chain = |row: usize| -> Result<(Vec<Token>, usize)> {
            let mut rng = ChainRng::new(self.seed, row as u64);
            let mut walk = Walk::at(target, start.graph(&mut rng), row)?;
            let mut accepted = 0;
            for _ in 0..self.burn_in {
                accepted += usize::from(walk.step(target, &mut rng, row)?);
            }
            let mut tokens = Vec::with_capacity(self.samples * target.len());
            for _ in 0..self.samples {
                for _ in 0..self.thin {
                    accepted += usize::from(walk.step(target, &mut rng, row)?);
                }
                tokens.extend(Graph::of_parents(walk.parents.clone()).tokens());
            }
            Ok((tokens, accepted))
        };
        let chains: Vec<_> = (0..self.chains).into_par_iter().map(chain).collect::<Result<_>>()?;
        let mut tokens = TokenBatch::filled(self.chains * self.samples, target.len(), 0);
        let each = tokens.as_mut_slice().chunks_exact_mut(self.samples * target.len());
        each.zip(&chains).for_each(|(rows, (found, _))| rows.copy_from_slice(found));
        let accepted: usize = chains.iter().map(|(_, accepted)| accepted).sum();
        let steps = self.chains * (self.burn_in + self.samples * self.thin);
        Ok(StructureRun { tokens, accepted: accepted as f64 / steps as f64 })
    }
}

/// Some steps of structure MCMC from a graph as bits, which then show the graph reached.
///
/// # Errors
/// When the graph has a cycle or probability 0, or a score is NaN.
pub(crate) fn structure_steps<S: LocalScores>(
    target: &DagTarget<S>,
    steps: usize,
    row: usize,
    tokens: &mut [Token],
    rng: &mut ChainRng,
) -> Result<()> {
    let mut walk = Walk::at(target, Graph::from_tokens(target.nodes(), tokens)?, row)?;
    for _ in 0..steps {
        walk.step(target, rng, row)?;
    }
    tokens.copy_from_slice(&Graph::of_parents(walk.parents).tokens());
    Ok(())
}

/// A step on one edge.
#[derive(Debug, Clone, Copy)]
enum Move {
    /// Adds the edge, or deletes it if it is there.
    Flip(usize, usize),
    Reverse(usize, usize),
}

/// A chain: a graph and what may happen to it.
struct Walk {
    /// Shape `[node]`, as in [`Graph`].
    parents: Vec<u64>,
    moves: Vec<Move>,
}

impl Walk {
    fn at<S: LocalScores>(target: &DagTarget<S>, graph: Graph, row: usize) -> Result<Self> {
        let (found, parents) = (target.of_parents(graph.parents()), graph.parents().to_vec());
        if !found.is_finite() {
            return Err(EnergyError::NotANumber { what: "chain", at: row, found });
        }
        let mut moves = Vec::new();
        list_moves(&parents, &mut moves);
        Ok(Self { parents, moves })
    }

    /// One step; whether it was accepted.
    fn step<S: LocalScores>(&mut self, target: &DagTarget<S>, rng: &mut ChainRng, row: usize) -> Result<bool> {
        let chosen = self.moves[rng.below(self.moves.len())];
        let score = |node: usize, parents: &[u64]| target.scores().score(node, parents[node]);
        let mut next = self.parents.clone();
        let mut gain = 0.0;
        match chosen {
            Move::Flip(source, sink) => {
                next[sink] ^= 1 << source;
                gain += score(sink, &next) - score(sink, &self.parents);
            }
            Move::Reverse(source, sink) => {
                next[sink] ^= 1 << source;
                next[source] ^= 1 << sink;
                gain += score(sink, &next) - score(sink, &self.parents);
                gain += score(source, &next) - score(source, &self.parents);
            }
        }
        if gain.is_nan() {
            return Err(EnergyError::NotANumber { what: "chain", at: row, found: gain });
        }
        let mut moves = Vec::with_capacity(self.moves.len() + 8);
        list_moves(&next, &mut moves);
        let ratio = gain + (self.moves.len() as f64 / moves.len() as f64).ln();
        let accepted = rng.uniform() < ratio.exp();
        if accepted {
            *self = Self { parents: next, moves };
        }
        Ok(accepted)
    }
}

/// Lists the steps that leave a graph acyclic, by the ancestors of every node (E34).
fn list_moves(parents: &[u64], moves: &mut Vec<Move>) {
    let nodes = parents.len();
    let mut above = parents.to_vec();
    for via in 0..nodes {
        let reached = above[via];
        above.iter_mut().filter(|set| **set >> via & 1 == 1).for_each(|set| *set |= reached);
    }
    for (sink, &set) in parents.iter().enumerate() {
        for source in (0..nodes).filter(|&source| source != sink) {
            if set >> source & 1 == 1 {
                moves.push(Move::Flip(source, sink));
                // Turned round, the edge closes a cycle if another path leads the same way.
                let others = set & !(1 << source);
                if !members(others).any(|parent| above[parent] >> source & 1 == 1) {
                    moves.push(Move::Reverse(source, sink));
                }
            } else if above[source] >> sink & 1 == 0 {
                moves.push(Move::Flip(source, sink));
            }
        }
    }
}
