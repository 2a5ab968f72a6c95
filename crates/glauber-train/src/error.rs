//! Errors of training.

use glauber_descent::DescentError;

/// An error of training or of evaluating a network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A configuration value is out of range.
    #[error("`{key}` is {found}, expected {expected}")]
    Config {
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// The accepted values.
        expected: String,
    },
    /// The objective cannot learn under this noise law.
    #[error(
        "objective `{objective}` needs a noise law under which every token can be drawn, but token {token} has probability 0: \
         set `schedule.noise` to uniform or unigram, or `train.objective = \"denoising\"`"
    )]
    NoiseLaw {
        /// The objective.
        objective: &'static str,
        /// A token that noise never draws.
        token: u32,
    },
    /// Ranks differ in their step or their weights.
    #[error(
        "{found}, the first at {expected}: all ranks must share the run folder, run the same program, and run on machines that compute identically"
    )]
    Apart {
        /// The first rank that differs, with its step and a hash of its weights.
        found: String,
        /// Step and hash of the first rank.
        expected: String,
    },
    /// The loss or the gradient is not finite.
    #[error(
        "the loss of step {step} is {loss}, the norm of its gradient {norm}: lower `train.learning_rate` in the run's `config.toml` (the rate is now \
         {learning_rate:e}) and resume it, or start a new run"
    )]
    Diverged {
        /// The step.
        step: usize,
        /// The loss, in nats.
        loss: f64,
        /// The gradient's global norm.
        norm: f64,
        /// The learning rate of the step.
        learning_rate: f64,
    },
    /// A class outside the network's classes.
    #[error("class {found} of a network that was trained with {classes} classes, numbered from 0")]
    Class {
        /// The requested class.
        found: usize,
        /// The network's number of classes.
        classes: usize,
    },
    /// A source returned a sequence that does not fit the network.
    #[error("a training sequence has {found}, expected {expected}: does the data match the run's configuration?")]
    Sequence {
        /// What was found.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// A device could not draw samples.
    #[error("drawing samples: {0}")]
    Sampling(String),
    /// A source could not give a sequence.
    #[error(transparent)]
    Source(Box<dyn std::error::Error + Send + Sync>),
    /// An error of the schedule.
    #[error(transparent)]
    Schedule(#[from] glauber_schedule::ScheduleError),
    /// An error of the network.
    #[error(transparent)]
    Model(#[from] glauber_model::ModelError),
    /// An error of the chain.
    #[error(transparent)]
    Chain(#[from] glauber_chain::ChainError),
    /// An error of the training step.
    #[error(transparent)]
    Descent(DescentError),
}

impl From<DescentError> for TrainError {
    fn from(error: DescentError) -> Self {
        match error {
            DescentError::Diverged { step, loss, norm, learning_rate } => {
                Self::Diverged { step, loss, norm, learning_rate }
            }
            DescentError::Apart { found, expected } => Self::Apart { found, expected },
            other => Self::Descent(other),
        }
    }
}
