//! Sequences that are filled site by site.

use glauber_chain::TokenRows;
use glauber_energy::Target;
use glauber_tokens::{Site, Token};

use crate::Environment;

/// A sequence, `None` where a site is empty; shape `[site]`.
pub type FillingState = Vec<Option<Token>>;

/// The state of a complete sequence, shape `[site]`.
pub fn filled(tokens: &[Token]) -> FillingState {
    tokens.iter().copied().map(Some).collect()
}

/// The sequence of a state; `None` where a site is empty.
pub fn filled_tokens(state: &[Option<Token>]) -> Option<Vec<Token>> {
    state.iter().copied().collect()
}

/// Which empty site may be filled next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FillingOrder {
    /// Any.
    #[default]
    Any,
    /// The first.
    LeftToRight,
}

/// A sequence of a target, filled site by site from nothing.
///
/// In any order, action `i·V + a` puts token `a` at the empty site `i`; states are those of absorbing noise, an empty site being
/// a masked one. From left to right, action `a` puts token `a` at the first empty site.
///
/// Features are the tokens one-hot, zeros for an empty site.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Filling<T> {
    /// The target, whose density is the reward.
    pub target: T,
    /// Which sites may be next.
    pub order: FillingOrder,
}

impl<T: Target> Filling<T> {
    /// Any empty site may be next.
    pub fn any_order(target: T) -> Self {
        Self { target, order: FillingOrder::Any }
    }

    /// The first empty site is next.
    pub fn left_to_right(target: T) -> Self {
        Self { target, order: FillingOrder::LeftToRight }
    }

    /// The site that an action fills, and its token.
    fn filled_by(&self, state: &[Option<Token>], action: usize) -> (Site, Token) {
        let vocab = self.target.vocab();
        match self.order {
            FillingOrder::Any => (action / vocab, (action % vocab) as Token),
            FillingOrder::LeftToRight => (count(state), action as Token),
        }
    }
}

/// Number of filled sites.
fn count(state: &[Option<Token>]) -> usize {
    state.iter().flatten().count()
}

impl<T: Target> Environment for Filling<T> {
    type State = FillingState;

    fn actions(&self) -> usize {
        match self.order {
            FillingOrder::Any => self.target.len() * self.target.vocab(),
            FillingOrder::LeftToRight => self.target.vocab(),
        }
    }

    fn source(&self) -> Self::State {
        vec![None; self.target.len()]
    }

    fn allowed(&self, state: &Self::State, allowed: &mut [bool]) {
        match self.order {
            FillingOrder::Any => {
                let sites = allowed.chunks_exact_mut(self.target.vocab());
                state.iter().zip(sites).for_each(|(token, allowed)| allowed.fill(token.is_none()));
            }
            FillingOrder::LeftToRight => allowed.fill(count(state) < state.len()),
        }
    }

    fn undoable(&self, state: &Self::State, undoable: &mut [bool]) {
        undoable.fill(false);
        let mut filled = state.iter().enumerate().filter_map(|(site, token)| token.map(|token| (site, token as usize)));
        match self.order {
            FillingOrder::Any => filled.for_each(|(site, token)| undoable[site * self.target.vocab() + token] = true),
            FillingOrder::LeftToRight => filled.next_back().into_iter().for_each(|(_, token)| undoable[token] = true),
        }
    }

    fn take(&self, state: &Self::State, action: usize) -> Self::State {
        let (mut state, (site, token)) = (state.clone(), self.filled_by(state, action));
        state[site] = Some(token);
        state
    }

    fn undo(&self, state: &Self::State, action: usize) -> Self::State {
        let mut state = state.clone();
        let site = match self.order {
            FillingOrder::Any => action / self.target.vocab(),
            FillingOrder::LeftToRight => count(&state) - 1,
        };
        state[site] = None;
        state
    }

    fn log_reward(&self, state: &Self::State) -> Option<f64> {
        filled_tokens(state).map(|tokens| self.target.log_density(&tokens))
    }

    fn log_rewards(&self, states: &[Self::State]) -> Vec<Option<f64>> {
        let full: Vec<Option<Vec<Token>>> = states.iter().map(|state| filled_tokens(state)).collect();
        let tokens: Vec<Token> = full.iter().flatten().flatten().copied().collect();
        let mut logs = vec![0.0; full.iter().flatten().count()];
        self.target.log_densities(TokenRows::new(&tokens, self.target.len()), &mut logs);
        let mut logs = logs.into_iter();
        full.iter().map(|tokens| tokens.as_ref().and_then(|_| logs.next())).collect()
    }

    fn features(&self) -> usize {
        self.target.len() * self.target.vocab()
    }

    fn write_features(&self, state: &Self::State, features: &mut [f32]) {
        features.fill(0.0);
        let filled = state.iter().enumerate().filter_map(|(site, token)| token.map(|token| (site, token as usize)));
        filled.for_each(|(site, token)| features[site * self.target.vocab() + token] = 1.0);
    }
}
