//! Errors of features, networks, their files and their training.

use std::path::{Path, PathBuf};

use glauber_descent::DescentError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FidelityError {
    /// Numbers that do not form a set of vectors.
    #[error("{found}, expected {expected}")]
    Shape {
        /// What was found.
        found: String,
        /// What was expected.
        expected: String,
    },
    /// Two sets of vectors of different dimension.
    #[error("features of dimension {found}, expected {expected}: compute both sets with the same network")]
    Dimension {
        /// Dimension of a vector.
        found: usize,
        /// Dimension in the other set.
        expected: usize,
    },
    /// A feature that is not finite.
    #[error(
        "feature {feature} of image {image} is {found}, expected a finite number: the network's weights are damaged"
    )]
    NotFinite {
        /// The image, from 0.
        image: usize,
        /// The feature, from 0.
        feature: usize,
        /// What it is.
        found: f64,
    },
    /// Too few vectors.
    #[error("{found} images {what}, expected at least {least}")]
    TooFew {
        /// Which set it is.
        what: &'static str,
        /// Its size.
        found: usize,
        /// The least size.
        least: usize,
    },
    /// A matrix that is not a covariance.
    #[error("a covariance {found}, expected a symmetric matrix without negative eigenvalues")]
    Covariance {
        /// The reason.
        found: String,
    },
    /// A number of a configuration is out of range.
    #[error("`{key}` is {found}, expected {expected}")]
    Setting {
        /// The key.
        key: String,
        /// What it is.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// A network without classes.
    #[error("this network has no classes: list them in order as `classes` of its `network.toml`")]
    NoClasses,
    /// A file is malformed, or does not fit the description of its network.
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
    /// Training diverged.
    #[error(transparent)]
    Training(#[from] DescentError),
}

impl FidelityError {
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
