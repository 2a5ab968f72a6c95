//! Errors of tokenizers, their files and their inputs.

use std::path::{Path, PathBuf};

use glauber_descent::DescentError;
use glauber_tokens::TokenError;

/// The fix for weights that are not finite.
pub(crate) const DIVERGED: &str = "its training has diverged, or the file is damaged: take another checkpoint";

/// The fix for missing or different weights.
pub(crate) const UNFIT: &str = "expected what a network of this configuration or its training wrote: restore the file";

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImageError {
    /// A size or weight of a configuration is out of range.
    #[error("`{key}` is {found}, expected {expected}")]
    Setting {
        /// The key.
        key: String,
        /// What it is.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// A foreign configuration has an unsupported value, or lacks a key.
    #[error("{}: {found}, expected {expected}", path.display())]
    Unsupported {
        /// The configuration file.
        path: PathBuf,
        /// The key, with the tables it lies in, and what it is.
        found: String,
        /// The supported values.
        expected: String,
    },
    /// A checkpoint lacks a tensor.
    #[error("{}: no tensor `{key}` of shape {expected:?}: the checkpoint is incomplete, or does not match the configuration", path.display())]
    MissingTensor {
        /// The checkpoint.
        path: PathBuf,
        /// The tensor's name there.
        key: String,
        /// The shape that the configuration gives it.
        expected: Vec<usize>,
    },
    /// A file is malformed, or does not fit its configuration.
    #[error("{}: {found}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was found, with the name of its tensor, and the expectation or the fix.
        found: String,
    },
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Images, latents or indices of the wrong shape.
    #[error("{what} of shape {found:?}, expected {expected}")]
    Shape {
        /// The tensor's meaning.
        what: &'static str,
        /// The shape.
        found: Vec<usize>,
        /// The expected shape.
        expected: String,
    },
    /// Tokens that this tokenizer cannot decode.
    #[error("tokens of this tokenizer's grid: {0}")]
    Tokens(#[from] TokenError),
    /// There is no tokenizer at a path.
    #[error("{}: {found}; expected {expected}", path.display())]
    NoTokenizer {
        /// The path.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// An invalid image in encoding or decoding.
    #[error(transparent)]
    Pixels(#[from] glauber_pixels::PixelError),
    /// Training diverged.
    #[error("the loss is {loss} at step {step}: lower `learning_rate`, or the weight of the discriminator")]
    Diverged {
        /// The step, from 0.
        step: usize,
        /// The loss.
        loss: f64,
    },
    /// An error of training.
    #[error(transparent)]
    Descent(DescentError),
}

impl From<DescentError> for ImageError {
    fn from(error: DescentError) -> Self {
        match error {
            DescentError::Diverged { step, loss, .. } => Self::Diverged { step, loss },
            DescentError::Io { path, source } => Self::Io { path, source },
            DescentError::Malformed { path, found } => Self::malformed(&path, found, UNFIT),
            DescentError::NotFinite { path, found } => Self::malformed(&path, found, DIVERGED),
            other => Self::Descent(other),
        }
    }
}

impl ImageError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::Io { path: path.into(), source }
    }

    pub(crate) fn malformed(path: &Path, error: impl ToString, hint: &'static str) -> Self {
        let found = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        let found = found.chars().take(240).collect::<String>();
        Self::Malformed { path: path.into(), found: format!("{found}; {hint}") }
    }

    /// Checks a setting.
    pub(crate) fn require(
        holds: bool,
        key: impl Into<String>,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self::setting(key, found, expected)) }
    }

    pub(crate) fn setting(key: impl Into<String>, found: impl ToString, expected: impl Into<String>) -> Self {
        Self::Setting { key: key.into(), found: found.to_string(), expected: expected.into() }
    }
}
