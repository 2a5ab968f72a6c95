//! What can be wrong with a schedule.

use glauber_tokens::{Site, Token};

/// An error about a noise law, a site order or a schedule.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// A vocabulary of fewer than one token.
    #[error("the vocabulary is empty; a noise law needs at least one token")]
    EmptyVocabulary,
    /// A token that the vocabulary lacks.
    #[error("token {token} is outside the vocabulary 0..{vocab}")]
    OutsideVocabulary {
        /// The token found.
        token: Token,
        /// The vocabulary size.
        vocab: usize,
    },
    /// A vector over tokens has the wrong length.
    #[error("found {found} {what}, expected one for each of the {vocab} tokens")]
    VocabularySize {
        /// What was counted.
        what: &'static str,
        /// Entries found.
        found: usize,
        /// The vocabulary size.
        vocab: usize,
    },
    /// A configuration asks for something that the data did not give.
    #[error("noise kind `{kind}` needs {missing}, but none was given")]
    MissingInput {
        /// The value of `kind`.
        kind: &'static str,
        /// What is missing.
        missing: &'static str,
    },
    /// A number outside its range.
    #[error("`{key}` is {found}, expected {expected}")]
    OutOfRange {
        /// The configuration key.
        key: &'static str,
        /// The value found.
        found: f64,
        /// The values allowed.
        expected: &'static str,
    },
    /// Weights or counts that sum to nothing.
    #[error("{what} sum to zero, so they define no distribution; {fix}")]
    NoMass {
        /// What was summed.
        what: &'static str,
        /// What to change.
        fix: &'static str,
    },
    /// A law that moves as a part of another one.
    #[error("a part of a mixture is of kind `moving`, expected laws that are constant over the signal levels")]
    MovingPart,
    /// A law that moves, with an order that has no levels for all sites alike.
    #[error("noise of kind `moving` needs an order that touches each site once per sweep; set another `order`")]
    MovingOrder,
    /// A count that must be positive is zero.
    #[error("`{key}` is 0, expected at least 1")]
    Zero {
        /// The configuration key.
        key: &'static str,
    },
    /// More steps than a `usize` counts.
    #[error("{len} sites times {sweeps} sweeps overflow the step counter; lower `sweeps`")]
    TooManySteps {
        /// Sites.
        len: usize,
        /// Sweeps.
        sweeps: usize,
    },
    /// An order that does not fit the sequence, or that cannot go on.
    #[error("{0}")]
    Order(String),
    /// Levels that are no levels of reverse sweeps.
    #[error(
        "`sweeps` lists {found:?}, expected {sweeps} levels, one per sweep, that rise from above {final_level} (`final_signal`) to 1"
    )]
    SweepEnds {
        /// The levels found.
        found: Vec<f64>,
        /// Sweeps of the order.
        sweeps: usize,
        /// The level that the forward chain ends at.
        final_level: f64,
    },
    /// The chain does not forget the data.
    #[error(
        "site {site} still keeps its token with probability {level:.3e} after {sweeps} sweeps, more than the allowed {bound:.0e}; \
         raise `sweeps`, lower `final_signal`, or set `allow_residual_signal = true`"
    )]
    ResidualSignal {
        /// The site with the most signal left.
        site: Site,
        /// Its signal level at the horizon.
        level: f64,
        /// Sweeps of the order.
        sweeps: usize,
        /// The level allowed.
        bound: f64,
    },
}

impl ScheduleError {
    /// That a number is in its range.
    pub(crate) fn unless_in_range(
        good: bool,
        key: &'static str,
        found: f64,
        expected: &'static str,
    ) -> Result<(), Self> {
        if good { Ok(()) } else { Err(Self::OutOfRange { key, found, expected }) }
    }
}
