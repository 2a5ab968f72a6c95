//! Sources of training sequences.

use glauber_chain::ChainRng;
use glauber_chain::oracles::{MarkovMixture, MarkovSource};
use glauber_tokens::Token;

use crate::TrainError;

/// Number of tokens of a Markov source for counting n-grams, and the seed of their draw.
const COUNTED: usize = 1 << 20;
const COUNTED_SEED: u64 = 0xC0_7E47;

/// A source of sequences of any length. Draws depend only on the given generator.
pub trait SequenceSource: Send + Sync {
    /// Draws one sequence, shape `[site]`, and returns its class, if sequences have classes.
    ///
    /// # Errors
    /// [`TrainError::Source`] when the sequence cannot be read or generated.
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError>;

    /// [`draw`](Self::draw) with the part of the data of the sequence, if priors are counted on [`text`](Self::text).
    ///
    /// # Errors
    /// As [`draw`](Self::draw).
    fn passage(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Passage, TrainError> {
        Ok(Passage { class: self.draw(rng, out)?, part: None })
    }

    /// `log γ(x)` of a sequence, in nats, if the sequences sample an unnormalised law `γ`.
    fn log_density(&self, tokens: &[Token]) -> Option<f64> {
        let _ = tokens;
        None
    }

    /// The tokens in the order of the data, for counting n-grams. `None` if the data have no such order.
    fn text(&self) -> Option<Vec<Token>> {
        None
    }
}

/// Class and part of a drawn sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// The class, if sequences have classes.
    pub class: Option<usize>,
    /// The part of the [text](SequenceSource::text) that contains it, which a prior can exclude; `None` if the prior
    /// was not counted on it.
    pub part: Option<usize>,
}

/// Windows at uniform offsets of tokens in memory.
///
/// ```
/// use glauber_train::Windows;
///
/// assert!(Windows::new(vec![1, 2, 3, 4], 3).is_ok());
/// assert!(Windows::new(vec![1, 2], 3).is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Windows(Vec<Token>);

impl Windows {
    /// For sequences of up to `len` sites.
    ///
    /// # Errors
    /// [`TrainError::Sequence`] when there are fewer tokens than sites.
    pub fn new(tokens: Vec<Token>, len: usize) -> Result<Self, TrainError> {
        match tokens.len() < len.max(1) {
            true => Err(TrainError::Sequence {
                found: format!("{} tokens", tokens.len()),
                expected: format!("at least {}, the sites of a sequence", len.max(1)),
            }),
            false => Ok(Self(tokens)),
        }
    }
}

impl SequenceSource for Windows {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        let start = rng.below(self.0.len() - out.len() + 1);
        out.copy_from_slice(&self.0[start..start + out.len()]);
        Ok(None)
    }
}

impl SequenceSource for MarkovSource {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        out.copy_from_slice(&self.sample(out.len(), rng));
        Ok(None)
    }

    /// One long draw, which is not used in training.
    fn text(&self) -> Option<Vec<Token>> {
        Some(self.sample(COUNTED, &mut ChainRng::new(COUNTED_SEED, 0)))
    }
}

impl SequenceSource for MarkovMixture {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        let (class, tokens) = self.sample(out.len(), rng);
        out.copy_from_slice(&tokens);
        Ok(Some(class))
    }
}
