//! Targets small enough to list every sequence.

use glauber_chain::{ChainRng, TokenRows};
use glauber_tokens::{Token, TokenBatch};
use rayon::prelude::*;

use super::MAX_ENTRIES;
use crate::target::log_sum_exp;
use crate::{EnergyError, Result, Target};

/// A target with the probability of every sequence, shape `[state]`, site 0 varying slowest.
#[derive(Debug, Clone, PartialEq)]
pub struct Enumeration {
    vocab: usize,
    len: usize,
    log_partition: f64,
    probabilities: Vec<f64>,
}

/// The number of sequences.
///
/// # Errors
/// When there are more than [`MAX_ENTRIES`], or no site or token.
pub fn states(vocab: usize, len: usize) -> Result<usize> {
    EnergyError::unless_in_range(vocab > 0 && len > 0, "sites or tokens", 0.0, "at least 1")?;
    let states = u32::try_from(len).ok().and_then(|len| vocab.checked_pow(len)).filter(|&n| n <= MAX_ENTRIES);
    states.ok_or(EnergyError::TooLarge { entries: (vocab as f64).powf(len as f64), limit: MAX_ENTRIES })
}

/// Lists a target.
///
/// # Errors
/// When there are more than [`MAX_ENTRIES`] sequences, a density is NaN or `+∞`, or all are 0.
pub fn enumerate<T: Target + ?Sized>(target: &T) -> Result<Enumeration> {
    let (vocab, len) = (target.vocab(), target.len());
    let states = states(vocab, len)?;
    let mut logs = vec![0.0; states];
    logs.par_chunks_mut(1 << 12).enumerate().for_each(|(chunk, logs)| {
        let mut tokens = vec![0; len * logs.len()];
        for (at, tokens) in tokens.chunks_exact_mut(len).enumerate() {
            write_state(vocab, (chunk << 12) + at, tokens);
        }
        target.log_densities(TokenRows::new(&tokens, len), logs);
    });
    let log_partition = log_sum_exp(&logs);
    if !log_partition.is_finite() {
        return Err(match logs.iter().position(|log| log.is_nan() || *log == f64::INFINITY) {
            Some(at) => EnergyError::NotANumber { what: "state", at, found: logs[at] },
            None => EnergyError::Impossible,
        });
    }
    let probabilities = logs.into_iter().map(|log| (log - log_partition).exp()).collect();
    Ok(Enumeration { vocab, len, log_partition, probabilities })
}

pub(super) fn write_state(vocab: usize, mut state: usize, tokens: &mut [Token]) {
    for token in tokens.iter_mut().rev() {
        *token = (state % vocab) as Token;
        state /= vocab;
    }
}

impl Enumeration {
    /// `log Z`, in nats.
    pub fn log_partition(&self) -> f64 {
        self.log_partition
    }

    /// `π`, shape `[state]`.
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// The sequence of a state, shape `[site]`.
    pub fn sequence(&self, state: usize) -> Vec<Token> {
        let mut tokens = vec![0; self.len];
        write_state(self.vocab, state, &mut tokens);
        tokens
    }

    /// The state of a sequence, shape `[site]`.
    pub fn state(&self, tokens: &[Token]) -> usize {
        tokens.iter().fold(0, |state, &token| state * self.vocab + token as usize)
    }

    /// The mean of a function under `π`.
    pub fn mean(&self, f: impl Fn(&[Token]) -> f64) -> f64 {
        let mut tokens = vec![0; self.len];
        let mut value = |(state, p): (usize, &f64)| {
            write_state(self.vocab, state, &mut tokens);
            p * f(&tokens)
        };
        self.probabilities.iter().enumerate().filter(|(_, p)| **p > 0.0).map(&mut value).sum()
    }

    /// The marginals, shape `[site][token]`.
    pub fn marginals(&self) -> Vec<Vec<f64>> {
        let mut marginals = vec![vec![0.0; self.vocab]; self.len];
        let mut tokens = vec![0; self.len];
        for (state, p) in self.probabilities.iter().enumerate() {
            write_state(self.vocab, state, &mut tokens);
            tokens.iter().zip(&mut marginals).for_each(|(&token, law)| law[token as usize] += p);
        }
        marginals
    }

    /// Independent exact samples, shape `[row, site]`.
    pub fn sample(&self, rows: usize, seed: u64) -> TokenBatch {
        let mut batch = TokenBatch::filled(rows, self.len, 0);
        for (row, state) in draws(&self.probabilities, rows, seed).into_iter().enumerate() {
            write_state(self.vocab, state, batch.row_mut(row));
        }
        batch
    }
}

/// Independent draws from a law of shape `[state]`.
pub(crate) fn draws(probabilities: &[f64], count: usize, seed: u64) -> Vec<usize> {
    let mut below = 0.0;
    let add = |p: &f64| {
        below += p;
        below
    };
    let ends: Vec<f64> = probabilities.iter().map(add).collect();
    let mut rng = ChainRng::new(seed, 0);
    let mut draw = || {
        let wanted = rng.uniform() * below;
        ends.partition_point(|&end| end <= wanted).min(ends.len() - 1)
    };
    (0..count).map(|_| draw()).collect()
}
