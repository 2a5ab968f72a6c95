//! What can be wrong with features, a network, its files, or its training.

use std::path::{Path, PathBuf};

use glauber_descent::DescentError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FidelityError {
    /// Numbers that are no set of vectors.
    #[error("{found}, expected {expected}")]
    Shape {
        /// What they are.
        found: String,
        /// What they should be.
        expected: String,
    },
    /// Two sets of vectors of different dimension.
    #[error("features of dimension {found}, expected {expected}: compute both sets with the same network")]
    Dimension {
        /// Numbers of a vector.
        found: usize,
        /// Those of the other set.
        expected: usize,
    },
    /// A feature that is infinite or no number.
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
    /// Too few vectors for what is asked.
    #[error("{found} images {what}, expected at least {least}")]
    TooFew {
        /// Which set it is.
        what: &'static str,
        /// Its size.
        found: usize,
        /// The least size.
        least: usize,
    },
    /// A matrix that is the covariance of nothing.
    #[error("a covariance {found}, expected a symmetric matrix without negative eigenvalues")]
    Covariance {
        /// What is wrong.
        found: String,
    },
    /// A number of a configuration cannot be.
    #[error("`{key}` is {found}, expected {expected}")]
    Setting {
        /// The key.
        key: String,
        /// What it is.
        found: String,
        /// What it may be.
        expected: String,
    },
    /// A network was asked for classes and has none.
    #[error("this network has no classes: list them in order as `classes` of its `network.toml`")]
    NoClasses,
    /// A file is not what it should be, or does not fit the description of its network.
    #[error("{}: {found}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What was found, by the name of its tensor, and what was expected or mends it.
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
    /// Training ran away.
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

    pub(crate) fn setting(key: impl Into<String>, found: impl ToString, expected: impl Into<String>) -> Self {
        Self::Setting { key: key.into(), found: found.to_string(), expected: expected.into() }
    }
}
