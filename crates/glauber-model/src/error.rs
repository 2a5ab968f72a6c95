//! Errors of a model's configuration.

/// An error about a network's configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The heads do not divide the width, or leave a width per head that cannot be rotated.
    #[error(
        "`model.width` is {width}, expected {heads} (`model.heads`) times a multiple of {multiple}: change `model.width` or `model.heads`"
    )]
    Heads {
        /// Width found.
        width: usize,
        /// Heads found.
        heads: usize,
        /// The required divisor of a head's width: 2 on a line, 4 on a grid.
        multiple: usize,
    },
    /// A size is zero.
    #[error("`{key}` is 0, expected at least 1")]
    Zero {
        /// The key of the size.
        key: &'static str,
    },
    /// A size is too large.
    #[error("`{key}` is {found}, expected at most {most}")]
    TooLarge {
        /// The key of the size.
        key: &'static str,
        /// The size found.
        found: usize,
        /// The most that is accepted.
        most: usize,
    },
    /// A network does not support a prior.
    #[error(
        "`model.prior` with the network `{network}`, expected none: leave the key out, or use another `model.network`"
    )]
    Prior {
        /// The network's name.
        network: &'static str,
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
