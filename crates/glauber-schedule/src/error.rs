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
    /// A lattice that does not cover the sequence.
    #[error("a {height} × {width} lattice has {} sites, but the sequence has {len}; change `height` or `width`", height.saturating_mul(*width))]
    LatticeSize {
        /// Rows of the lattice.
        height: usize,
        /// Columns of the lattice.
        width: usize,
        /// Sites of the sequence.
        len: usize,
    },
    /// A strided block that is empty or larger than the sequence.
    #[error("`block` is {block}, expected a number of sites between 1 and the {len} of the sequence")]
    BlockSize {
        /// The size found.
        block: usize,
        /// Sites of the sequence.
        len: usize,
    },
    /// A user-made order cannot be given another number of sweeps.
    #[error(
        "a user-made order of {sweeps} sweeps cannot be given {asked}: nothing tells how its blocks go on; list the blocks of all sweeps \
         with `from_blocks`, or use another order"
    )]
    FixedOrder {
        /// Sweeps of the order.
        sweeps: usize,
        /// Sweeps asked for.
        asked: usize,
    },
    /// A block of a user-made order names a site that the sequence lacks.
    #[error("step {step} touches site {site}, but the sequence has the sites 0..{len}")]
    OutsideSequence {
        /// The step.
        step: usize,
        /// The site it names.
        site: Site,
        /// Sites of the sequence.
        len: usize,
    },
    /// A block of a user-made order names a site twice.
    #[error("step {step} touches site {site} twice; a block names each of its sites once")]
    RepeatedSite {
        /// The step.
        step: usize,
        /// The site.
        site: Site,
    },
    /// A block of a user-made order names no site.
    #[error("step {step} touches no site; leave the empty block out")]
    EmptyBlock {
        /// The step.
        step: usize,
    },
    /// Levels that are no levels of reverse sweeps.
    #[error(
        "`sweeps` lists {found:?}, expected {sweeps} levels that rise from above {final_level} (`final_signal`) to 1, one for each sweep"
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
        "site {site} still carries its token with probability {level:.3e} after {sweeps} sweeps, more than the allowed {bound:.0e}; \
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
