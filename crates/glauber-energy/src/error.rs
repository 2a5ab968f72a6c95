//! Errors of targets and of what anneals to them.

use glauber_tokens::{Site, Token};

/// The result type of this crate.
pub type Result<T, E = EnergyError> = std::result::Result<T, E>;

/// An error about a target, its exact values or an annealed chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnergyError {
    /// A target gave a NaN, or a context in which no token is possible.
    #[error(
        "the target has no law at particle {row}, site {site}, level {level}: found a mass of {mass}, expected a positive \
         finite one; look for NaN or infinite terms, or for a start outside the support"
    )]
    NoLaw {
        /// The particle.
        row: usize,
        /// The site.
        site: Site,
        /// The annealing level `b`.
        level: f64,
        /// The mass found.
        mass: f64,
    },
    /// Every particle went through a state that the target forbids.
    #[error(
        "no particle stayed where the target allows it; take more particles, or a base that draws within the constraints"
    )]
    NoSupport,
    /// The base forbids a token that the target allows.
    #[error(
        "the base forbids token {token} at site {site} of particle {row}, which the target allows; take a base that allows \
         every sequence of the target"
    )]
    NotCovered {
        /// The particle.
        row: usize,
        /// The site.
        site: Site,
        /// The token.
        token: Token,
    },
    /// The target forbids every sequence.
    #[error(
        "the target forbids every sequence, expected one of positive density; look at its weights of 0, or infinite terms"
    )]
    Impossible,
    /// A density that is no number.
    #[error("the target has log-density {found} at {what} {at}, expected a number or minus infinity")]
    NotANumber {
        /// What has it: a particle, a state, a chain.
        what: &'static str,
        /// Which of them.
        at: usize,
        /// The log-density found.
        found: f64,
    },
    /// A setting outside its range.
    #[error("`{key}` is {found}, expected {expected}")]
    OutOfRange {
        /// The setting.
        key: &'static str,
        /// The value found.
        found: f64,
        /// The values allowed.
        expected: &'static str,
    },
    /// The pilot run failed.
    #[error("in the pilot run: {0}")]
    Pilot(#[source] Box<Self>),
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
    /// Exact values would need a table that is too large.
    #[error(
        "exact values need a table of {entries:.1e} entries or more, at most {limit} are allowed; anneal instead, or lower the size"
    )]
    TooLarge {
        /// Entries needed.
        entries: f64,
        /// The most allowed.
        limit: usize,
    },
    /// A factor graph that is not valid.
    #[error("factor graph: {0}")]
    Graph(String),
    /// A table of data that is not valid.
    #[error("data: {0}")]
    Data(String),
    /// A watcher stopped a pilot, an annealing or chains in equilibrium.
    #[error("stopped after {done} of {of} sweeps or updates")]
    Stopped {
        /// Sweeps or updates done.
        done: usize,
        /// Sweeps or updates in all.
        of: usize,
    },
    /// A chain failed.
    #[error(transparent)]
    Chain(#[from] glauber_chain::ChainError),
    /// An order of sites failed.
    #[error(transparent)]
    Schedule(#[from] glauber_schedule::ScheduleError),
}

impl EnergyError {
    pub(crate) fn unless_in_range(good: bool, key: &'static str, found: f64, expected: &'static str) -> Result<()> {
        if good { Ok(()) } else { Err(Self::OutOfRange { key, found, expected }) }
    }

    pub(crate) fn unless_equal(what: &'static str, found: usize, expected: usize) -> Result<()> {
        if found == expected { Ok(()) } else { Err(Self::Mismatch { what, found, expected }) }
    }
}
