//! Ranks that work on a run together.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use burn::tensor::Device;
use glauber_chain::StepDiagnostics;
use glauber_ranks::{Alone, Ranks};
use glauber_tokens::{Token, TokenBatch};

use crate::Run;
use crate::error::{Context, Result};

/// A rank, with what this process knows of the others.
pub struct Rank {
    ranks: Rc<dyn Ranks>,
    /// How many threads of this process share its cores.
    pub here: usize,
    /// Of all ranks, where these can add up gradients among themselves.
    devices: Vec<Device>,
}

impl Deref for Rank {
    type Target = dyn Ranks;

    fn deref(&self) -> &Self::Target {
        &*self.ranks
    }
}

impl Rank {
    /// One of several, of which `here` are threads of this process. `devices`: those of all ranks, where these can add up gradients among
    /// themselves, else none.
    pub fn new(ranks: Rc<dyn Ranks>, here: usize, devices: Vec<Device>) -> Self {
        Self { ranks, here, devices }
    }

    /// For work that is not shared.
    pub fn alone() -> Self {
        Self::new(Rc::new(Alone), 1, Vec::new())
    }

    /// A training that this rank shares with the others.
    ///
    /// # Errors
    /// When they do not stand at the same place.
    pub fn share(&self, trainer: Run) -> Result<Run> {
        let ranks = Rc::clone(&self.ranks);
        Ok(match self.devices[..] {
            [] => trainer.among(ranks)?,
            _ => trainer.among_devices(ranks, self.devices.clone())?,
        })
    }

    /// Tells the other ranks which folder the first has begun or resumed; they wait for it in [`told`](Self::told).
    ///
    /// # Errors
    /// When it has no absolute path.
    pub fn tell(&self, folder: &Path) -> Result<()> {
        self.broadcast(std::path::absolute(folder)?.to_string_lossy().into_owned().into_bytes());
        Ok(())
    }

    /// The folder that the first rank has begun or resumed.
    ///
    /// # Errors
    /// When its name is no text.
    pub fn told(&self) -> Result<PathBuf> {
        Ok(String::from_utf8(self.broadcast(Vec::new())).ok().context("the first rank broadcast no run folder")?.into())
    }
}

/// The sequences that all ranks drew, in the order of the ranks, and what they took; at the first. None at the others.
///
/// # Errors
/// When they are of different lengths.
pub fn gathered(
    ranks: &dyn Ranks,
    own: &[Token],
    sites: usize,
    done: StepDiagnostics,
) -> Result<Option<(TokenBatch, StepDiagnostics)>> {
    let mut counts = [done.updates, done.changes, done.evaluations].map(|count| count as f64);
    ranks.sum_doubles(&mut counts);
    let all = ranks.gather(own.iter().flat_map(|token| token.to_le_bytes()).collect());
    if !ranks.is_first() {
        return Ok(None);
    }
    let tokens = all.iter().flat_map(|bytes| bytes.as_chunks().0).map(|bytes| Token::from_le_bytes(*bytes)).collect();
    let [updates, changes, evaluations] = counts.map(|count| count as u64);
    Ok(Some((TokenBatch::new(tokens, sites)?, StepDiagnostics { updates, changes, evaluations, rounds: done.rounds })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_alone_gathers_its_own() {
        let batch = TokenBatch::new(vec![1, 2, 70_000, 4], 2).unwrap();
        let done = StepDiagnostics { updates: 3, changes: 2, evaluations: 1, rounds: 1 };
        assert_eq!(gathered(&Alone, batch.as_slice(), 2, done).unwrap(), Some((batch, done)));
    }
}
