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
    /// A noise law without mass, of parts that cannot be mixed, without an input that it needs, or that does not fit its order.
    #[error("{0}")]
    Law(String),
    /// An order that does not fit the sequence, has more steps than a `usize` counts, or cannot be extended.
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
