//! Errors of a model's configuration.

/// An error about a network's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// A size or another key is out of range, or does not fit the others.
    #[error("`{key}` is {found}, expected {expected}")]
    Setting {
        /// The key.
        key: &'static str,
        /// Its value.
        found: String,
        /// The accepted values, and the fix.
        expected: String,
    },
    /// An unknown preset.
    #[error("unknown preset `{found}`, expected one of {expected}: change `--preset`")]
    UnknownPreset {
        /// The name found.
        found: String,
        /// The known names.
        expected: String,
    },
}

impl ModelError {
    pub(crate) fn setting(key: &'static str, found: impl ToString, expected: impl Into<String>) -> Self {
        Self::Setting { key, found: found.to_string(), expected: expected.into() }
    }

    /// Checks a size.
    pub(crate) fn unless_zero((key, size): (&'static str, usize)) -> Result<(), Self> {
        if size > 0 { Ok(()) } else { Err(Self::setting(key, size, "at least 1")) }
    }
}
