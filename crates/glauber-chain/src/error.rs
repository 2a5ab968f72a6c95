//! Errors of chains.

use glauber_schedule::Boundary;
use glauber_tokens::{Site, Step, Token, TokenError};

/// The result type of this crate.
pub type Result<T, E = ChainError> = std::result::Result<T, E>;

/// An error about a chain, a conditional or an oracle.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// A conditional wrote a NaN.
    #[error("the conditional of row {row}, site {site} at step {step} contains a NaN")]
    NotANumber {
        /// Row of the chain.
        row: usize,
        /// Site asked for.
        site: Site,
        /// Step asked for.
        step: Step,
    },
    /// A conditional has zero or infinite mass.
    #[error(
        "the conditional of row {row}, site {site} at step {step} has total mass {mass}, expected 1; \
         the tokens around the site may be impossible under the model"
    )]
    NoMass {
        /// Row of the chain.
        row: usize,
        /// Site asked for.
        site: Site,
        /// Step asked for.
        step: Step,
        /// The mass found.
        mass: f64,
    },
    /// Two sizes that must agree differ.
    #[error("{what}: found {found}, expected {expected}")]
    Mismatch {
        /// The measured quantity.
        what: &'static str,
        /// The size found.
        found: usize,
        /// The size expected.
        expected: usize,
    },
    /// A step beyond the horizon, or a start before the end.
    #[error("steps {to}..{from} are not a range within the reverse chain 0..{horizon}")]
    OutsideHorizon {
        /// The requested start.
        from: Step,
        /// The requested end.
        to: Step,
        /// The horizon.
        horizon: Step,
    },
    /// A site outside the sequences.
    #[error("site {site} is outside the sequence 0..{len}")]
    OutsideSequence {
        /// The site.
        site: Site,
        /// Sites per sequence.
        len: usize,
    },
    /// A parameter outside its range.
    #[error("`{key}` is {found}, expected {expected}")]
    OutOfRange {
        /// The parameter.
        key: &'static str,
        /// The value found.
        found: f64,
        /// The values allowed.
        expected: &'static str,
    },
    /// Probabilities that do not sum to one, or are negative or not finite.
    #[error("{what} sums to {sum}, expected non-negative numbers that sum to 1")]
    NotADistribution {
        /// The summed quantity.
        what: String,
        /// The sum.
        sum: f64,
    },
    /// More states than an enumeration can hold.
    #[error("{vocab}^{len} states are too many to enumerate, at most {limit} are; lower the vocabulary or the length")]
    TooManyStates {
        /// Vocabulary size.
        vocab: usize,
        /// Sites.
        len: usize,
        /// The most states allowed.
        limit: usize,
    },
    /// A lattice that multi-spin coding cannot colour as a checkerboard.
    #[error(
        "multi-spin coding needs a torus with even sides, found {height} x {width} with boundary {boundary:?}; \
         choose such a lattice or run `HeatBath` on this one"
    )]
    NoCheckerboard {
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
        /// The boundary condition.
        boundary: Boundary,
    },
    /// Observed tokens that a source cannot produce.
    #[error("the noisy tokens have probability 0 under the source, seen at site {site} (token {token}) of step {step}")]
    Impossible {
        /// The site.
        site: Site,
        /// Its token.
        token: Token,
        /// The step.
        step: Step,
    },
    /// A likelihood bound is infinite because the model gives probability 0 to a possible token.
    #[error(
        "the likelihood bound is infinite: at step {step} token {token} is possible at site {site} of row {row} given the data, \
         but the conditional gives it probability 0"
    )]
    InfiniteBound {
        /// Row of the data.
        row: usize,
        /// The site touched.
        site: Site,
        /// The token that the conditional forbids.
        token: Token,
        /// The step.
        step: Step,
    },
    /// A likelihood bound is infinite because the start of the reverse chain gives probability 0 to a possible end of
    /// the forward chain.
    #[error(
        "the likelihood bound is infinite: site {site} of row {row} still keeps its token {token} with probability {level:.1e} at the \
         horizon, but the start law gives that token probability 0; pass the bound a law of that signal with `with_signal_law`"
    )]
    StartForbids {
        /// Row of the data.
        row: usize,
        /// The site.
        site: Site,
        /// Its clean token.
        token: Token,
        /// The signal level at the horizon.
        level: f64,
    },
    /// The schedule is invalid.
    #[error(transparent)]
    Schedule(#[from] glauber_schedule::ScheduleError),
    /// The tokens are invalid.
    #[error(transparent)]
    Tokens(#[from] TokenError),
    /// A conditional failed.
    #[error("the conditional failed: {0}")]
    Conditional(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A generator failed.
    #[error("the generator failed: {0}")]
    Generator(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ChainError {
    /// Checks that a parameter is in its range.
    pub(crate) fn unless_in_range(good: bool, key: &'static str, found: f64, expected: &'static str) -> Result<()> {
        if good { Ok(()) } else { Err(Self::OutOfRange { key, found, expected }) }
    }

    /// Checks that two sizes agree.
    pub(crate) fn unless_equal(what: &'static str, found: usize, expected: usize) -> Result<()> {
        if found == expected { Ok(()) } else { Err(Self::Mismatch { what, found, expected }) }
    }

    /// Checks that probabilities, shape `[token]`, sum to 1 within a tolerance.
    pub(crate) fn unless_law(what: &str, law: &[f64], tolerance: f64) -> Result<()> {
        let sum: f64 = law.iter().sum();
        let good = law.iter().all(|&p| p >= 0.0) && (sum - 1.0).abs() <= tolerance;
        if good { Ok(()) } else { Err(Self::NotADistribution { what: what.into(), sum }) }
    }

    /// The error of a conditional whose mass is not a positive finite number.
    pub(crate) fn of_mass(row: usize, site: Site, step: Step, mass: f64) -> Self {
        if mass.is_nan() { Self::NotANumber { row, site, step } } else { Self::NoMass { row, site, step, mass } }
    }
}
