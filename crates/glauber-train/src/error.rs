//! What can go wrong in training.

use std::path::{Path, PathBuf};

use glauber_descent::DescentError;

use crate::run::checkpoint::HINT;

/// An error of training, of a run folder or of a checkpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path}: {found}; {hint}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What to do.
        hint: &'static str,
    },
    /// A configuration value is out of range.
    #[error("`{key}` is {found}, expected {expected}")]
    Config {
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// What is accepted.
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
        /// A token that noise never shows.
        token: u32,
    },
    /// Ranks that train together do not stand at the same place.
    #[error(
        "{found}, the first at {expected}: all ranks must see the same run folder, be the same program, and run on machines that compute alike"
    )]
    Apart {
        /// A rank that is elsewhere, with its step and a hash of its weights.
        found: String,
        /// Those of the first rank.
        expected: String,
    },
    /// The loss stopped being a number.
    #[error(
        "the loss of step {step} is {loss}, the norm of its gradient {norm}: lower `train.learning_rate` in the run's `config.toml` (the rate is now \
         {learning_rate:e}) and resume it, or begin a new run"
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
    /// The run folder belongs to something else.
    #[error("{path}: {found}, expected {expected}")]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What was expected, and which flag changes it.
        expected: String,
    },
    /// A class that the network does not know.
    #[error("class {found} of a network that was trained with {classes} classes, numbered from 0")]
    Class {
        /// The class asked for.
        found: usize,
        /// How many it knows.
        classes: usize,
    },
    /// A source gave a sequence that the network has no place for.
    #[error(
        "a sequence that was drawn has {found}, expected {expected}: is this the data that the run is configured for?"
    )]
    Sequence {
        /// What was found.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// Samples could not be drawn while training.
    #[error("drawing samples: {0}")]
    Sampling(String),
    /// The picture could not be drawn.
    #[error("drawing {path}: {reason}")]
    Picture {
        /// The picture.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The schedule refused.
    #[error(transparent)]
    Schedule(#[from] glauber_schedule::ScheduleError),
    /// The network refused.
    #[error(transparent)]
    Model(#[from] glauber_model::ModelError),
    /// The chain refused.
    #[error(transparent)]
    Chain(#[from] glauber_chain::ChainError),
    /// Training refused.
    #[error(transparent)]
    Descent(DescentError),
    /// The text or its tokens refused.
    #[error(transparent)]
    Text(#[from] glauber_text::TextError),
    /// What turns other data into tokens could not be kept.
    #[error(transparent)]
    Codec(Box<dyn std::error::Error + Send + Sync>),
}

impl From<DescentError> for TrainError {
    fn from(error: DescentError) -> Self {
        match error {
            DescentError::Diverged { step, loss, norm, learning_rate } => {
                Self::Diverged { step, loss, norm, learning_rate }
            }
            DescentError::Apart { found, expected } => Self::Apart { found, expected },
            DescentError::Io { path, source } => Self::Io { path, source },
            DescentError::Malformed { path, found } | DescentError::NotFinite { path, found } => {
                Self::Malformed { path, found, hint: HINT }
            }
            other => Self::Descent(other),
        }
    }
}

impl TrainError {
    /// Attaches the path to an I/O error.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Io { path: path.into(), source }
    }
}
