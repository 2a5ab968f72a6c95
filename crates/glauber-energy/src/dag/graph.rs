//! Directed graphs as parent sets, and as tokens.

use glauber_tokens::{Site, Token};

use super::MAX_NODES;
use crate::{EnergyError, Result};

/// The site of the edge `source → sink` among `nodes(nodes − 1)`: pairs go row by row of the
/// adjacency matrix (row = source), without the diagonal.
pub fn site_of(nodes: usize, source: usize, sink: usize) -> Site {
    source * (nodes - 1) + sink - usize::from(sink > source)
}

/// The edge `(source, sink)` of a site.
pub fn pair_of(nodes: usize, site: Site) -> (usize, usize) {
    let (source, place) = (site / (nodes - 1), site % (nodes - 1));
    (source, place + usize::from(place >= source))
}

/// The nodes of a set, ascending.
pub(super) fn members(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let node = set.trailing_zeros() as usize;
        (set != 0).then(|| {
            set &= set - 1;
            node
        })
    })
}

/// Whether parent sets, shape `[node]`, have no cycle: nodes whose parents are all placed are
/// placed.
pub(super) fn acyclic(parents: &[u64]) -> bool {
    let mut placed = 0u64;
    loop {
        let before = placed;
        for (node, &set) in parents.iter().enumerate() {
            if set & !placed == 0 {
                placed |= 1 << node;
            }
        }
        if placed == before {
            return placed.count_ones() as usize == parents.len();
        }
    }
}

/// Whether a path leads from one node to another, along parent sets of shape `[node]`. A node
/// reaches itself.
pub(super) fn reaches(parents: &[u64], from: usize, to: usize) -> bool {
    let (mut seen, mut left) = (1u64 << to, 1u64 << to);
    while left != 0 && seen >> from & 1 == 0 {
        let node = left.trailing_zeros() as usize;
        left &= left - 1;
        left |= parents[node] & !seen;
        seen |= parents[node];
    }
    seen >> from & 1 == 1
}

/// Writes the parent sets of tokens into a buffer of shape `[node]`.
pub(super) fn read_parents(tokens: &[Token], parents: &mut [u64]) {
    let nodes = parents.len();
    parents.fill(0);
    for (source, row) in tokens.chunks_exact(nodes - 1).enumerate() {
        for (place, &token) in row.iter().enumerate() {
            parents[place + usize::from(place >= source)] |= u64::from(token != 0) << source;
        }
    }
}

/// A directed graph without self-loops on at most 64 nodes; it may have cycles.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Graph {
    /// Bit `s` of entry `t` is the edge `s → t`.
    parents: Vec<u64>,
}

impl Graph {
    /// A graph without edges.
    ///
    /// # Errors
    /// When the nodes are fewer than 2 or more than 64.
    pub fn empty(nodes: usize) -> Result<Self> {
        let fits = (2..=MAX_NODES).contains(&nodes);
        EnergyError::unless_in_range(fits, "nodes", nodes as f64, "2 to 64")?;
        Ok(Self { parents: vec![0; nodes] })
    }

    /// From edges `(source, sink)`.
    ///
    /// # Errors
    /// As [`empty`](Self::empty), and when an edge names a node that does not exist or has one node
    /// twice.
    pub fn new(nodes: usize, edges: &[(usize, usize)]) -> Result<Self> {
        let mut graph = Self::empty(nodes)?;
        for &(source, sink) in edges {
            let fits = source < nodes && sink < nodes && source != sink;
            let found = source.max(sink) as f64;
            EnergyError::unless_in_range(fits, "edge", found, "two distinct nodes of the graph")?;
            graph.parents[sink] |= 1 << source;
        }
        Ok(graph)
    }

    /// From tokens, shape `[site]`, in the order of [`site_of`]: 0 is no edge.
    ///
    /// # Errors
    /// As [`empty`](Self::empty), and when the tokens are not `nodes(nodes − 1)`.
    pub fn from_tokens(nodes: usize, tokens: &[Token]) -> Result<Self> {
        let mut graph = Self::empty(nodes)?;
        EnergyError::unless_equal("sites of a graph", tokens.len(), nodes * (nodes - 1))?;
        read_parents(tokens, &mut graph.parents);
        Ok(graph)
    }

    pub(super) fn of_parents(parents: Vec<u64>) -> Self {
        Self { parents }
    }

    /// Number of nodes.
    pub fn nodes(&self) -> usize {
        self.parents.len()
    }

    /// The parent sets, shape `[node]`: bit `s` of entry `t` is the edge `s → t`.
    pub fn parents(&self) -> &[u64] {
        &self.parents
    }

    /// Whether there is an edge from `source` to `sink`.
    ///
    /// # Panics
    /// When a node does not exist.
    pub fn has(&self, source: usize, sink: usize) -> bool {
        assert!(source < self.nodes(), "node {source} of {}", self.nodes());
        self.parents[sink] >> source & 1 == 1
    }

    /// Number of edges.
    pub fn edges(&self) -> usize {
        self.parents.iter().map(|set| set.count_ones() as usize).sum()
    }

    /// Whether there is no directed cycle.
    pub fn is_acyclic(&self) -> bool {
        acyclic(&self.parents)
    }

    /// The tokens, shape `[site]`, in the order of [`site_of`].
    pub fn tokens(&self) -> Vec<Token> {
        let nodes = self.nodes();
        let token = |site| {
            let (source, sink) = pair_of(nodes, site);
            Token::from(self.has(source, sink))
        };
        (0..nodes * (nodes - 1)).map(token).collect()
    }
}
