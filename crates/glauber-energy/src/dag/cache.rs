//! Scores that are computed once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::LocalScores;

/// Local scores kept in memory: all of them up to 12 nodes, computed at once on the rayon pool,
/// else those asked for. Threads may share it.
#[derive(Debug)]
pub struct CachedScores<S> {
    scores: S,
    kept: Kept,
}

#[derive(Debug)]
enum Kept {
    /// Shape `[node · parent set without the node's own bit]`.
    Table(Vec<f64>),
    Shards(Vec<Mutex<HashMap<(usize, u64), f64>>>),
}

/// Nodes up to which all scores are tabled: 12 · 2¹¹ of them.
const TABLED: usize = 12;
/// Parts of the cache, each behind its own lock.
const SHARDS: usize = 64;
/// Scores kept in a part; a full part is emptied. All parts hold some 200 MB at most.
const SHARD_ENTRIES: usize = 1 << 16;

/// A parent set with the node's own bit taken out.
fn squeezed(node: usize, parents: u64) -> usize {
    let low = parents & ((1 << node) - 1);
    (low | (parents >> node >> 1) << node) as usize
}

impl<S: LocalScores> CachedScores<S> {
    /// Keeps the scores of `scores`.
    pub fn new(scores: S) -> Self {
        let nodes = scores.nodes();
        if nodes == 0 || nodes > TABLED {
            let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
            return Self { scores, kept: Kept::Shards(shards) };
        }
        let sets = 1usize << (nodes - 1);
        let entry = |at: usize| {
            let (node, set) = (at / sets, (at % sets) as u64);
            let low = set & ((1 << node) - 1);
            scores.score(node, low | (set >> node) << (node + 1))
        };
        let table = (0..nodes * sets).into_par_iter().map(entry).collect();
        Self { scores, kept: Kept::Table(table) }
    }

    /// What computes the scores.
    pub fn inner(&self) -> &S {
        &self.scores
    }
}

impl<S: LocalScores> LocalScores for CachedScores<S> {
    fn nodes(&self) -> usize {
        self.scores.nodes()
    }

    fn score(&self, node: usize, parents: u64) -> f64 {
        debug_assert!(parents >> node & 1 == 0, "node {node} among its parents");
        match &self.kept {
            Kept::Table(table) => table[(node << (self.nodes() - 1)) + squeezed(node, parents)],
            Kept::Shards(shards) => {
                // Fibonacci hashing spreads sets that differ in one bit.
                let mixed = (parents ^ (node as u64) << 58).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                let shard = &shards[(mixed >> 58) as usize];
                let held = || shard.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(&found) = held().get(&(node, parents)) {
                    return found;
                }
                let found = self.scores.score(node, parents);
                let mut held = held();
                if held.len() >= SHARD_ENTRIES {
                    held.clear();
                }
                held.insert((node, parents), found);
                found
            }
        }
    }
}
