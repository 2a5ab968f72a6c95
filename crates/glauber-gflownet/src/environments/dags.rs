//! Acyclic graphs that are built edge by edge.

use glauber_energy::Target;
use glauber_energy::dag::{DagTarget, LocalScores, pair_of};
use glauber_tokens::Token;

use crate::Environment;

/// A directed acyclic graph, built edge by edge (DAG-GFlowNet, Deleu et al. 2022). Every graph may be the last: the last
/// action stops, the others add an edge, in the order of [`site_of`](glauber_energy::dag::site_of).
///
/// Which edges close no cycle is read from the transitive closure (E34). Features are the edges, 0 or 1, then the closure.
pub struct DagBuilding<'a, S> {
    target: &'a DagTarget<S>,
}

/// A graph under construction.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DagState {
    /// Edges, shape `[site]`.
    edges: Vec<Token>,
    /// Bit `t` of entry `s`: whether `s` is `t` or a path leads from `s` to `t`.
    reached: Vec<u64>,
    stopped: bool,
}

impl DagState {
    /// The edges as tokens, shape `[site]`.
    pub fn edges(&self) -> &[Token] {
        &self.edges
    }
}

impl<'a, S: LocalScores> DagBuilding<'a, S> {
    /// The graphs of a posterior.
    pub fn new(target: &'a DagTarget<S>) -> Self {
        Self { target }
    }

    /// The terminal state of a graph, edges of shape `[site]`.
    pub fn complete(&self, edges: &[Token]) -> DagState {
        DagState { edges: edges.to_vec(), reached: self.closure(edges), stopped: true }
    }

    fn closure(&self, edges: &[Token]) -> Vec<u64> {
        let nodes = self.target.nodes();
        let mut reached: Vec<u64> = (0..nodes).map(|node| 1 << node).collect();
        (0..edges.len()).filter(|&site| edges[site] != 0).for_each(|site| close(&mut reached, pair_of(nodes, site)));
        reached
    }
}

/// Adds an edge to a closure (E34): what reaches the source now reaches all that the sink does.
fn close(reached: &mut [u64], (source, sink): (usize, usize)) {
    let beyond = reached[sink];
    reached.iter_mut().filter(|set| **set >> source & 1 == 1).for_each(|set| *set |= beyond);
}

impl<S: LocalScores> Environment for DagBuilding<'_, S> {
    type State = DagState;

    fn actions(&self) -> usize {
        self.target.len() + 1
    }

    fn source(&self) -> DagState {
        let edges = vec![0; self.target.len()];
        DagState { reached: self.closure(&edges), edges, stopped: false }
    }

    fn allowed(&self, state: &DagState, allowed: &mut [bool]) {
        let nodes = self.target.nodes();
        for (site, &edge) in state.edges.iter().enumerate() {
            let (source, sink) = pair_of(nodes, site);
            allowed[site] = !state.stopped && edge == 0 && state.reached[sink] >> source & 1 == 0;
        }
        allowed[state.edges.len()] = !state.stopped;
    }

    fn undoable(&self, state: &DagState, undoable: &mut [bool]) {
        state.edges.iter().zip(undoable.iter_mut()).for_each(|(&edge, may)| *may = !state.stopped && edge != 0);
        undoable[state.edges.len()] = state.stopped;
    }

    fn take(&self, state: &DagState, action: usize) -> DagState {
        let mut state = state.clone();
        match state.edges.get_mut(action) {
            Some(edge) => {
                *edge = 1;
                close(&mut state.reached, pair_of(self.target.nodes(), action));
            }
            None => state.stopped = true,
        }
        state
    }

    fn undo(&self, state: &DagState, action: usize) -> DagState {
        let mut state = state.clone();
        match state.edges.get_mut(action) {
            Some(edge) => {
                *edge = 0;
                state.reached = self.closure(&state.edges);
            }
            None => state.stopped = false,
        }
        state
    }

    fn log_reward(&self, state: &DagState) -> Option<f64> {
        state.stopped.then(|| self.target.log_density(&state.edges))
    }

    fn stop(&self) -> Option<usize> {
        Some(self.target.len())
    }

    fn features(&self) -> usize {
        self.target.len() + self.target.nodes() * self.target.nodes()
    }

    fn write_features(&self, state: &DagState, features: &mut [f32]) {
        let (edges, closure) = features.split_at_mut(state.edges.len());
        edges.iter_mut().zip(&state.edges).for_each(|(feature, &edge)| *feature = edge as f32);
        let nodes = self.target.nodes();
        let reaches = |at: usize| state.reached[at / nodes] >> (at % nodes) & 1;
        closure.iter_mut().enumerate().for_each(|(at, feature)| *feature = reaches(at) as f32);
    }
}
