//! A table of log-densities.

use glauber_chain::ChainRng;
use glauber_tokens::Token;

use super::lattices::normal;
use crate::{EnergyError, Result, Target};

/// `log γ` of every sequence, shape `[state]`, site 0 varying slowest.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    vocab: usize,
    len: usize,
    logs: Vec<f64>,
}

impl Table {
    /// From a table in nats.
    ///
    /// # Errors
    /// When there is not one entry for each of the `V^L` sequences, those are more than 2²⁴, or an entry is NaN or `+∞`.
    pub fn new(vocab: usize, len: usize, logs: Vec<f64>) -> Result<Self> {
        let states = crate::exact::states(vocab, len)?;
        EnergyError::unless_equal("entries of the table", logs.len(), states)?;
        match logs.iter().position(|log| log.is_nan() || *log == f64::INFINITY) {
            Some(at) => Err(EnergyError::NotANumber { what: "state", at, found: logs[at] }),
            None => Ok(Self { vocab, len, logs }),
        }
    }

    /// Entries from N(0, `spread`²).
    ///
    /// # Errors
    /// When the table would have more than 2²⁴ entries.
    pub fn random(vocab: usize, len: usize, spread: f64, seed: u64) -> Result<Self> {
        let states = crate::exact::states(vocab, len)?;
        let mut rng = ChainRng::new(seed, 0);
        Self::new(vocab, len, (0..states).map(|_| spread * normal(&mut rng)).collect())
    }
}

impl Target for Table {
    fn vocab(&self) -> usize {
        self.vocab
    }

    fn len(&self) -> usize {
        self.len
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        self.logs[tokens.iter().fold(0, |state, &token| state * self.vocab + token as usize)]
    }
}
