//! Errors of environments and of what learns in them.

use glauber_energy::EnergyError;

/// The result type of this crate.
pub type Result<T, E = GflownetError> = std::result::Result<T, E>;

/// An error about an environment, its exact values, or a training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GflownetError {
    /// A file of a buffer is not one.
    #[error("damaged sequences: {0}")]
    Damaged(String),
    /// Exact values would need too many states.
    #[error("the environment has more than {limit} states, too many to list; sample instead, or lower the size")]
    TooLarge {
        /// The most allowed.
        limit: usize,
    },
    /// A path that ends in a state without reward.
    #[error(
        "a path ends in {state}, which has no reward; look for actions that are missing, or probabilities that are NaN"
    )]
    DeadEnd {
        /// The state.
        state: String,
    },
    /// A reward that is no density.
    #[error("the reward of {state} is {found}, expected a finite log-density, or minus infinity")]
    Reward {
        /// The state.
        state: String,
        /// The log-reward found.
        found: f64,
    },
    /// An objective that needs flows of states, and a policy without them.
    #[error("the objective {objective} reads flows of states, which this network does not give; take {instead}")]
    NoFlows {
        /// The objective.
        objective: &'static str,
        /// What works.
        instead: &'static str,
    },
    /// An objective of own paths, and paths from elsewhere.
    #[error(
        "the objective {objective} holds on own paths alone; leave exploration and given ends out, or take another objective"
    )]
    OwnPaths {
        /// The objective.
        objective: &'static str,
    },
    /// An objective of given ends, and own paths, or no ends.
    #[error("the objective {objective} learns from samples of the target alone; give ends and no own paths")]
    GivenEnds {
        /// The objective.
        objective: &'static str,
    },
    /// Flows of stopping, where not every state may stop.
    #[error("flows of stopping need an environment in which every state may stop; take learned flows")]
    NoStop,
    /// Two lists that must agree in size differ.
    #[error("{what}: found {found}, expected {expected}")]
    Mismatch {
        /// What is counted.
        what: &'static str,
        /// The number found.
        found: usize,
        /// The number expected.
        expected: usize,
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
    /// A loss that is no number.
    #[error("the loss is {loss} at step {step}; lower the learning rate, or look for rewards of 0 where paths end")]
    Diverged {
        /// The step.
        step: usize,
        /// The loss found.
        loss: f64,
    },
    /// No objective of this name.
    #[error("unknown objective \"{found}\", expected one of: {expected}")]
    UnknownObjective {
        /// The name found.
        found: String,
        /// All names.
        expected: String,
    },
    /// A kernel has no law where a chain is.
    #[error(
        "the reverse kernel has no law at step {step}, site {site} of path {path}; the conditional must allow every token that noise draws"
    )]
    NoLaw {
        /// The step.
        step: usize,
        /// The site.
        site: usize,
        /// The path.
        path: usize,
    },
    /// A target failed.
    #[error(transparent)]
    Energy(#[from] EnergyError),
}
