//! The hypergrid as an environment.

use glauber_energy::Target;
use glauber_tokens::Token;

use crate::Environment;

/// A walk on `H^D` cells from the origin (Bengio et al. 2021): an action raises one coordinate, or stops. A coordinate at
/// `H − 1` cannot rise (as in torchgfn and gfnx; the code of 2021 ends the walk there).
///
/// The reward is any target of `D` sites and `H` tokens. Actions `0..D` raise a coordinate; action `D` stops. Features are
/// the coordinates one-hot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GridWalk<T>(pub T);

/// A cell, and whether the walk has stopped there.
pub type GridState = (Vec<Token>, bool);

impl<T: Target> Environment for GridWalk<T> {
    type State = GridState;

    fn actions(&self) -> usize {
        self.0.len() + 1
    }

    fn source(&self) -> GridState {
        (vec![0; self.0.len()], false)
    }

    fn allowed(&self, (cell, stopped): &GridState, allowed: &mut [bool]) {
        let last = (self.0.vocab() - 1) as Token;
        cell.iter().zip(allowed.iter_mut()).for_each(|(&at, may)| *may = !stopped && at < last);
        allowed[cell.len()] = !stopped;
    }

    fn undoable(&self, (cell, stopped): &GridState, undoable: &mut [bool]) {
        cell.iter().zip(undoable.iter_mut()).for_each(|(&at, may)| *may = !stopped && at > 0);
        undoable[cell.len()] = *stopped;
    }

    fn take(&self, (cell, stopped): &GridState, action: usize) -> GridState {
        let (mut cell, mut stopped) = (cell.clone(), *stopped);
        match cell.get_mut(action) {
            Some(at) => *at += 1,
            None => stopped = true,
        }
        (cell, stopped)
    }

    fn undo(&self, (cell, stopped): &GridState, action: usize) -> GridState {
        let (mut cell, mut stopped) = (cell.clone(), *stopped);
        match cell.get_mut(action) {
            Some(at) => *at -= 1,
            None => stopped = false,
        }
        (cell, stopped)
    }

    fn log_reward(&self, (cell, stopped): &GridState) -> Option<f64> {
        stopped.then(|| self.0.log_density(cell))
    }

    fn stop(&self) -> Option<usize> {
        Some(self.0.len())
    }

    fn features(&self) -> usize {
        self.0.len() * self.0.vocab()
    }

    fn write_features(&self, (cell, _): &GridState, features: &mut [f32]) {
        features.fill(0.0);
        cell.iter().enumerate().for_each(|(d, &at)| features[d * self.0.vocab() + at as usize] = 1.0);
    }
}
