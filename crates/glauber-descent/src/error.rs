//! Errors of training.

use std::path::{Path, PathBuf};

/// An error of training.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescentError {
    /// The loss or the gradient is not finite.
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
    /// Ranks differ in their step or their weights.
    #[error(
        "{found}, the first at {expected}: all ranks must start from the same state, on machines that compute identically"
    )]
    Apart {
        /// The first rank that differs, with its step and a hash of its weights.
        found: String,
        /// Step and hash of the first rank.
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
        /// The tensor and its value.
        found: String,
    },
    /// A file does not contain the expected tensors.
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
