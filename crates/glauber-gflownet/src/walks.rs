//! Walks of many rows together, by a policy.

use std::fmt::Debug;

use glauber_chain::ChainRng;

use crate::{Environment, Exploration, Paths, Policy};

/// Chains of states, in the order in which they were drawn.
pub(crate) struct Walks<S> {
    states: Vec<Vec<S>>,
    actions: Vec<Vec<usize>>,
    is_back: bool,
    /// `Σ_k [ log P_F − log P_B ]` of every chain.
    pub(crate) log_ratios: Vec<f64>,
}

impl<S: Clone + PartialEq + Debug> Walks<S> {
    /// Draws by the forward policy from some states to terminal ones, one for each generator.
    pub(crate) fn forth<E, P>(
        environment: &E,
        policy: &P,
        starts: &[S],
        exploration: Exploration,
        rngs: &mut [ChainRng],
    ) -> Self
    where
        E: Environment<State = S>,
        P: Policy<E> + ?Sized,
    {
        let mut walks = Self::at(starts, false, rngs);
        walks.go(environment, policy, usize::MAX, rngs, |law, state, rng| {
            exploration.draw(environment, state, law, rng)
        });
        walks
    }

    /// Draws by the backward policy, of so many actions at most.
    pub(crate) fn back<E, P>(environment: &E, policy: &P, ends: &[S], most: usize, rngs: &mut [ChainRng]) -> Self
    where
        E: Environment<State = S>,
        P: Policy<E> + ?Sized,
    {
        let mut walks = Self::at(ends, true, rngs);
        walks.go(environment, policy, most, rngs, |law, _, rng| draw(law, rng));
        walks
    }

    fn at(starts: &[S], is_back: bool, rngs: &[ChainRng]) -> Self {
        assert_eq!(starts.len(), rngs.len(), "a generator for each path");
        let states = starts.iter().map(|start| vec![start.clone()]).collect();
        Self { states, actions: vec![Vec::new(); starts.len()], is_back, log_ratios: vec![0.0; starts.len()] }
    }

    /// Walks all rows together until none has a next state, or after so many actions.
    fn go<E, P>(
        &mut self,
        environment: &E,
        policy: &P,
        most: usize,
        rngs: &mut [ChainRng],
        next: impl Fn(&[f64], &S, &mut ChainRng) -> Option<usize>,
    ) where
        E: Environment<State = S>,
        P: Policy<E> + ?Sized,
    {
        let mut left: Vec<usize> = (0..self.states.len()).collect();
        for done in 0.. {
            let here: Vec<S> = left.iter().map(|&row| self.states[row][done].clone()).collect();
            if here.is_empty() {
                break;
            }
            let decisions = policy.decide(environment, &here);
            let forward = |at: usize| decisions.forward_at(at);
            let backward = |at: usize| decisions.backward_at(at);
            let sign = if self.is_back { -1.0 } else { 1.0 };
            let mut at = 0;
            left.retain(|&row| {
                let state = &here[at];
                let (law, other) = if self.is_back { (backward(at), forward(at)) } else { (forward(at), backward(at)) };
                // How likely the other policy comes back by the last action.
                let last = self.actions[row].last();
                self.log_ratios[row] -= last.map_or(0.0, |&last| sign * other[last]);
                at += 1;
                let Some(action) = (done < most).then(|| next(law, state, &mut rngs[row])).flatten() else {
                    return false;
                };
                self.log_ratios[row] += sign * law[action];
                self.actions[row].push(action);
                self.states[row].push(match self.is_back {
                    true => environment.undo(state, action),
                    false => environment.take(state, action),
                });
                true
            });
        }
    }

    /// Number of actions of a chain.
    pub(crate) fn actions(&self, row: usize) -> usize {
        self.actions[row].len()
    }

    /// The last state of every chain.
    pub(crate) fn last(&self) -> Vec<S> {
        self.states.iter().map(|states| states[states.len() - 1].clone()).collect()
    }

    /// As paths, which go forth.
    pub(crate) fn into_paths(self) -> Paths<S> {
        let turn = |(mut states, mut actions): (Vec<S>, Vec<usize>)| {
            if self.is_back {
                states.reverse();
                actions.reverse();
            }
            (states, actions)
        };
        Paths::of(self.states.into_iter().zip(self.actions).map(turn))
    }
}

/// Draws from log-probabilities, shape `[action]`; `None` where nothing is possible.
pub(crate) fn draw(law: &[f64], rng: &mut ChainRng) -> Option<usize> {
    let possible = law.iter().enumerate().filter(|(_, log)| **log > f64::NEG_INFINITY);
    let mut left = match possible.clone().count() {
        0 => return None,
        // One action needs no number.
        1 => 0.0,
        _ => rng.uniform(),
    };
    let mut found = None;
    for (action, log) in possible {
        found = Some(action);
        left -= log.exp();
        if left < 0.0 {
            break;
        }
    }
    found
}
