//! Errors of schedules.

use glauber_tokens::{Site, Token};

/// An error about a noise law, a site order or a schedule.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// A vocabulary of fewer than one token.
    #[error("the vocabulary is empty; a noise law needs at least one token")]
    EmptyVocabulary,
    /// A token outside the vocabulary.
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
        /// The counted entries.
        what: &'static str,
        /// Entries found.
        found: usize,
        /// The vocabulary size.
        vocab: usize,
    },
    /// A configuration needs an input that is missing.
    #[error("noise kind `{kind}` needs {missing}, but none was given")]
    MissingInput {
        /// The value of `kind`.
        kind: &'static str,
        /// The missing input.
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
    /// Weights or counts that sum to zero.
    #[error("{what} sum to zero, so they define no distribution; {fix}")]
    NoMass {
        /// The summed numbers.
        what: &'static str,
        /// The fix.
        fix: &'static str,
    },
    /// A moving law as a part of a mixture.
    #[error("a part of a mixture is of kind `moving`, expected laws that are constant over the signal levels")]
    MovingPart,
    /// A moving law with an order whose sites have different levels.
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
    /// An order that does not fit the sequence, or cannot be extended.
    #[error("{0}")]
    Order(String),
    /// Invalid levels of reverse sweeps.
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
    /// The chain keeps too much signal at the horizon.
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
    /// Checks that a number is in its range.
    pub(crate) fn unless_in_range(
        good: bool,
        key: &'static str,
        found: f64,
        expected: &'static str,
    ) -> Result<(), Self> {
        if good { Ok(()) } else { Err(Self::OutOfRange { key, found, expected }) }
    }
}
