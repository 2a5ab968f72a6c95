//! Ranks that share a run.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use burn::tensor::Device;
use glauber_chain::StepDiagnostics;
use glauber_ranks::{Alone, World};
use glauber_tokens::{Token, TokenBatch};

use crate::Run;
use crate::error::{Context, Result};

/// A rank and its world.
pub struct Rank {
    ranks: Rc<dyn World>,
    /// The number of rank threads that share the cores of this process.
    pub here: usize,
    /// The devices of all ranks, if they can all-reduce gradients.
    devices: Vec<Device>,
}

impl Deref for Rank {
    type Target = dyn World;

    fn deref(&self) -> &Self::Target {
        &*self.ranks
    }
}

impl Rank {
    /// A rank in a world with `here` threads in this process. `devices` are those of all ranks if they can all-reduce,
    /// else empty.
    pub fn new(ranks: Rc<dyn World>, here: usize, devices: Vec<Device>) -> Self {
        Self { ranks, here, devices }
    }

    /// A world of one rank.
    pub fn alone() -> Self {
        Self::new(Rc::new(Alone), 1, Vec::new())
    }

    /// Lets this rank take part in the training of a run.
    ///
    /// # Errors
    /// If the ranks have different steps or weights.
    pub fn join(&self, trainer: Run) -> Result<Run> {
        let ranks = Rc::clone(&self.ranks);
        Ok(match self.devices[..] {
            [] => trainer.with_world(ranks)?,
            _ => trainer.with_world_on_devices(ranks, self.devices.clone())?,
        })
    }

    /// Broadcasts the run folder that the first rank started or resumed; the others wait for it in
    /// [`receive_folder`](Self::receive_folder).
    ///
    /// # Errors
    /// If it has no absolute path.
    pub fn broadcast_folder(&self, folder: &Path) -> Result<()> {
        self.broadcast(std::path::absolute(folder)?.to_string_lossy().into_owned().into_bytes());
        Ok(())
    }

    /// The run folder that the first rank started or resumed.
    ///
    /// # Errors
    /// If its name is not Unicode.
    pub fn receive_folder(&self) -> Result<PathBuf> {
        Ok(String::from_utf8(self.broadcast(Vec::new())).ok().context("the first rank broadcast no run folder")?.into())
    }
}

/// Gathers the samples of all ranks, in their order, and the summed step counts at the first rank; `None` at the
/// others.
///
/// # Errors
/// If the sequences have different lengths.
pub fn gather_samples(
    ranks: &dyn World,
    own: &[Token],
    sites: usize,
    done: StepDiagnostics,
) -> Result<Option<(TokenBatch, StepDiagnostics)>> {
    let mut counts = [done.updates, done.changes, done.evaluations].map(|count| count as f64);
    ranks.all_reduce_f64(&mut counts);
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
        assert_eq!(gather_samples(&Alone, batch.as_slice(), 2, done).unwrap(), Some((batch, done)));
    }
}
