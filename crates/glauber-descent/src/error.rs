//! What can go wrong when a module learns.

use std::path::{Path, PathBuf};

/// An error of training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescentError {
    /// The loss stopped being a number.
    #[error(
        "the loss of step {step} is {loss}, the norm of its gradient {norm}: lower the learning rate, which is {learning_rate:e}"
    )]
    Diverged {
        /// The step.
        step: usize,
        /// The loss.
        loss: f64,
        /// The gradient's global norm.
        norm: f64,
        /// The learning rate of the step.
        learning_rate: f64,
    },
    /// Ranks that train together do not stand at the same place.
    #[error("{found}, the first at {expected}: all ranks must start from the same state, on machines that compute identically")]
    Apart {
        /// A rank that is elsewhere, with its step and a hash of its weights.
        found: String,
        /// Those of the first rank.
        expected: String,
    },
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// Numbers in a file are not finite.
    #[error("{path}: {found}; the training that wrote it has diverged, or the file is damaged")]
    NotFinite {
        /// The file.
        path: PathBuf,
        /// Which tensor holds what.
        found: String,
    },
    /// A file does not hold the tensors that are wanted.
    #[error("{path}: {found}; expected the tensors of this module")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
    },
}

impl DescentError {
    /// Attaches the path to an I/O error.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Io { path: path.into(), source }
    }
}
