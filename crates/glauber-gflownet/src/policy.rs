//! Policies: what builds an object, and what takes it apart.

use crate::Environment;
use crate::environment::set;

/// A forward and a backward policy, and the flows of states.
pub trait Policy<E: Environment>: Sync {
    /// The decisions at some states.
    fn decide(&self, environment: &E, states: &[E::State]) -> Decisions;

    /// `log Z_θ`, the flow of the source; 0 for a policy without one.
    fn log_partition(&self) -> f64 {
        0.0
    }

    /// What the flows of states are.
    fn flows(&self) -> Flows {
        Flows::Learned
    }
}

/// What the flow `F(s)` of a state is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Flows {
    /// Given by the policy. The flow of the source is `Z_θ`.
    #[default]
    Learned,
    /// `R(s) / P_F(stop|s)`, where a path may stop in every state. Detailed balance is then the modified one (E35) of
    /// DAG-GFlowNet (Deleu et al. 2022), and there is no `Z_θ`.
    OfStop,
}

/// Log-probabilities of actions at states, in nats; `−∞` for actions that are not allowed.
#[derive(Debug, Clone, PartialEq)]
pub struct Decisions {
    actions: usize,
    /// `log P_F`, shape `[state · action]`.
    pub forward: Vec<f64>,
    /// `log P_B`, shape `[state · action]`.
    pub backward: Vec<f64>,
    /// `log F`, shape `[state]`.
    pub flow: Vec<f64>,
}

impl Decisions {
    /// From logits: forbidden actions get `−∞`, and the others are normalised. Without backward logits, `P_B` is uniform.
    ///
    /// # Shapes
    /// - forward, backward: `[state · action]`
    /// - flow: `[state]`
    ///
    /// # Panics
    /// When the lists have other sizes.
    pub fn of_logits<E: Environment>(
        environment: &E,
        states: &[E::State],
        mut forward: Vec<f64>,
        backward: Option<Vec<f64>>,
        flow: Vec<f64>,
    ) -> Self {
        let actions = environment.actions();
        let mut backward = backward.unwrap_or_else(|| vec![0.0; states.len() * actions]);
        let cells = states.len() * actions;
        assert!(forward.len() == cells && backward.len() == cells && flow.len() == states.len(), "shapes of decisions");
        let mut flags = vec![false; actions];
        let rows = forward.chunks_exact_mut(actions).zip(backward.chunks_exact_mut(actions));
        for (state, (forward, backward)) in states.iter().zip(rows) {
            environment.allowed(state, &mut flags);
            normalise(forward, &flags);
            environment.undoable(state, &mut flags);
            normalise(backward, &flags);
        }
        Self { actions, forward, backward, flow }
    }

    /// The gradient by logits, from that by log-probabilities: `g − p Σ g` for each state. Flows stay what they are.
    ///
    /// # Panics
    /// When the gradient has another shape.
    #[must_use]
    pub fn by_logits(&self, mut gradient: Self) -> Self {
        let softmax = |by: &mut [f64], log: &[f64]| {
            assert_eq!(by.len(), log.len(), "a gradient of these decisions");
            for (by, log) in by.chunks_exact_mut(self.actions).zip(log.chunks_exact(self.actions)) {
                let total: f64 = by.iter().sum();
                by.iter_mut().zip(log).for_each(|(by, log)| *by -= log.exp() * total);
            }
        };
        softmax(&mut gradient.forward, &self.forward);
        softmax(&mut gradient.backward, &self.backward);
        gradient
    }

    /// Zeros for so many states.
    pub fn zeros(actions: usize, states: usize) -> Self {
        let cells = vec![0.0; states * actions];
        Self { actions, forward: cells.clone(), backward: cells, flow: vec![0.0; states] }
    }

    /// Appends the decisions at other states.
    ///
    /// # Panics
    /// When they have another number of actions.
    pub fn extend(&mut self, other: Self) {
        assert_eq!(self.actions, other.actions, "actions of the other decisions");
        self.forward.extend(other.forward);
        self.backward.extend(other.backward);
        self.flow.extend(other.flow);
    }

    /// The entries of a state, to write, shape `[action]`.
    pub fn forward_at_mut(&mut self, state: usize) -> &mut [f64] {
        &mut self.forward[state * self.actions..][..self.actions]
    }

    /// The backward entries of a state, to write, shape `[action]`.
    pub fn backward_at_mut(&mut self, state: usize) -> &mut [f64] {
        &mut self.backward[state * self.actions..][..self.actions]
    }

    /// `log P_F(·|s)` of a state, shape `[action]`.
    pub fn forward_at(&self, state: usize) -> &[f64] {
        &self.forward[state * self.actions..][..self.actions]
    }

    /// `log P_B(·|s)` of a state, shape `[action]`.
    pub fn backward_at(&self, state: usize) -> &[f64] {
        &self.backward[state * self.actions..][..self.actions]
    }
}

/// `log softmax` over the flagged entries; `−∞` elsewhere.
fn normalise(logits: &mut [f64], flags: &[bool]) {
    let top = set(flags).map(|action| logits[action]).fold(f64::NEG_INFINITY, f64::max);
    let mass: f64 = set(flags).map(|action| (logits[action] - top).exp()).sum();
    let shift = top + mass.ln();
    let uniform = -(set(flags).count() as f64).ln();
    for (logit, &flag) in logits.iter_mut().zip(flags) {
        // Where nothing has mass, everything allowed is alike.
        let log = if top == f64::NEG_INFINITY { uniform } else { *logit - shift };
        *logit = if flag { log } else { f64::NEG_INFINITY };
    }
}

/// Every allowed action as likely as any other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct UniformPolicy;

impl<E: Environment> Policy<E> for UniformPolicy {
    fn decide(&self, environment: &E, states: &[E::State]) -> Decisions {
        let logits = vec![0.0; states.len() * environment.actions()];
        Decisions::of_logits(environment, states, logits, None, vec![0.0; states.len()])
    }
}
