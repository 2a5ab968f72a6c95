//! Where training sequences come from.

use glauber_chain::ChainRng;
use glauber_chain::oracles::{MarkovMixture, MarkovSource};
use glauber_tokens::Token;

use crate::TrainError;

/// Tokens of a Markov source that n-grams are counted in, and the seed of their draw.
const COUNTED: usize = 1 << 20;
const COUNTED_SEED: u64 = 0xC0_7E47;

/// A source of sequences of any length, each drawn with the generator given: the same generator, the same sequence.
pub trait SequenceSource: Send + Sync {
    /// Draws one sequence, shape `[site]`, and says which class it belongs to, where sequences have classes.
    ///
    /// # Errors
    /// When the sequence cannot be read or made: [`TrainError::Source`].
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError>;

    /// The same draw, and which part of the data it lies in, where priors are made of [`text`](Self::text).
    ///
    /// # Errors
    /// As [`draw`](Self::draw).
    fn passage(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Passage, TrainError> {
        Ok(Passage { class: self.draw(rng, out)?, part: None })
    }

    /// What n-grams are counted in: the tokens in the order of the data. `None` where the data have no such order.
    fn text(&self) -> Option<Vec<Token>> {
        None
    }
}

/// What is told of a sequence that was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// The class, where sequences have classes.
    pub class: Option<usize>,
    /// The part of the [text](SequenceSource::text) that it lies in, which a prior is also made without; `None` where a prior of the
    /// whole text has not seen it.
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

    /// One long draw, of which training sees nothing.
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
