//! Sequences that are filled site by site.

use glauber_energy::Target;
use glauber_tokens::{Site, Token};

use crate::Environment;

/// Which empty site may be filled next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FillingOrder {
    /// Any.
    #[default]
    Any,
    /// The first.
    LeftToRight,
}

/// A sequence of a target, filled site by site from nothing (`docs/math.md`). Action `i·V + a` puts token `a` at the empty
/// site `i`. In any order, states are those of absorbing noise, an empty site being a masked one.
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

    /// The state of a complete sequence, shape `[site]`.
    pub fn complete(tokens: &[Token]) -> Vec<Option<Token>> {
        tokens.iter().copied().map(Some).collect()
    }

    /// The sequence of a terminal state; `None` where a site is empty.
    pub fn sequence(state: &[Option<Token>]) -> Option<Vec<Token>> {
        state.iter().copied().collect()
    }

    fn sites<'a>(&self, state: &'a [Option<Token>], filled: bool) -> impl Iterator<Item = Site> + 'a {
        let sites = (0..state.len()).filter(move |&site| state[site].is_some() == filled);
        let one = self.order == FillingOrder::LeftToRight;
        // Filled sites are a prefix: the last of them was filled last.
        let skipped = if one && filled { sites.clone().count().saturating_sub(1) } else { 0 };
        sites.skip(skipped).take(if one { 1 } else { usize::MAX })
    }
}

impl<T: Target> Environment for Filling<T> {
    type State = Vec<Option<Token>>;

    fn actions(&self) -> usize {
        self.target.len() * self.target.vocab()
    }

    fn source(&self) -> Self::State {
        vec![None; self.target.len()]
    }

    fn allowed(&self, state: &Self::State, allowed: &mut [bool]) {
        allowed.fill(false);
        let vocab = self.target.vocab();
        self.sites(state, false).for_each(|site| allowed[site * vocab..][..vocab].fill(true));
    }

    fn undoable(&self, state: &Self::State, undoable: &mut [bool]) {
        undoable.fill(false);
        let vocab = self.target.vocab();
        for site in self.sites(state, true) {
            let token = state[site].map_or(0, |token| token as usize);
            undoable[site * vocab + token] = true;
        }
    }

    fn take(&self, state: &Self::State, action: usize) -> Self::State {
        let (mut state, vocab) = (state.clone(), self.target.vocab());
        state[action / vocab] = Some((action % vocab) as Token);
        state
    }

    fn undo(&self, state: &Self::State, action: usize) -> Self::State {
        let mut state = state.clone();
        state[action / self.target.vocab()] = None;
        state
    }

    fn log_reward(&self, state: &Self::State) -> Option<f64> {
        Self::sequence(state).map(|tokens| self.target.log_density(&tokens))
    }

    fn features(&self) -> usize {
        self.actions()
    }

    fn write_features(&self, state: &Self::State, features: &mut [f32]) {
        features.fill(0.0);
        let filled = state.iter().enumerate().filter_map(|(site, token)| token.map(|token| (site, token as usize)));
        filled.for_each(|(site, token)| features[site * self.target.vocab() + token] = 1.0);
    }
}
