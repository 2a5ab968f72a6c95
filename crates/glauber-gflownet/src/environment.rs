//! Environments: what a GFlowNet builds, action by action.

use std::fmt::Debug;
use std::hash::Hash;

/// A directed acyclic graph of states with one source, whose terminal states have rewards (Bengio et al. 2021).
///
/// Actions have numbers. An action that leads from `s` to `s'` is undone from `s'` by the same number. Every path from the
/// source to a state has equally many actions.
pub trait Environment: Sync {
    /// A state.
    type State: Clone + Eq + Hash + Debug + Send + Sync;

    /// Number of actions.
    fn actions(&self) -> usize;

    /// The source, where every path starts.
    fn source(&self) -> Self::State;

    /// Writes which actions a state allows, shape `[action]`; none in a terminal state.
    fn allowed(&self, state: &Self::State, allowed: &mut [bool]);

    /// Writes which actions may have led to a state, shape `[action]`; none at the source.
    fn undoable(&self, state: &Self::State, undoable: &mut [bool]);

    /// The state after an allowed action.
    fn take(&self, state: &Self::State, action: usize) -> Self::State;

    /// The state before an action that may have led here.
    fn undo(&self, state: &Self::State, action: usize) -> Self::State;

    /// `log R` of a terminal state, in nats; `None` for other states.
    fn log_reward(&self, state: &Self::State) -> Option<f64>;

    /// `log R` of some states, shape `[state]`. Override it if rewards are cheaper together, as those of a network.
    fn log_rewards(&self, states: &[Self::State]) -> Vec<Option<f64>> {
        states.iter().map(|state| self.log_reward(state)).collect()
    }

    /// The action that ends a path, if every state that is not terminal allows it.
    fn stop(&self) -> Option<usize> {
        None
    }

    /// Number of features of a state.
    fn features(&self) -> usize;

    /// Writes a state as numbers for a network, shape `[feature]`.
    fn write_features(&self, state: &Self::State, features: &mut [f32]);
}

/// The numbers of the set flags.
pub(crate) fn set(flags: &[bool]) -> impl Iterator<Item = usize> + '_ {
    flags.iter().enumerate().filter(|(_, flag)| **flag).map(|(action, _)| action)
}
