//! Errors of judges.

use glauber_chain::ChainError;

/// An error of a judge.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// Sequences are shorter than the n-grams.
    #[error("samples have {len} tokens, expected at least {longest}: judge longer samples, or shorter n-grams")]
    Short {
        /// Tokens of a sample.
        len: usize,
        /// Tokens of the longest n-gram.
        longest: usize,
    },
    /// There are no samples.
    #[error("there are no samples, expected at least one")]
    Empty,
    /// There are too few items.
    #[error("found {found} {what}, expected at least {expected}")]
    TooFew {
        /// The name of the items.
        what: &'static str,
        /// The number found.
        found: usize,
        /// The number needed.
        expected: usize,
    },
    /// A line of JSON lines is not a text.
    #[error("line {number} is neither a JSON string nor an object with a string `text`")]
    Line {
        /// The line, from 1.
        number: usize,
    },
    /// Vectors of different lengths, or one that is not finite.
    #[error("a feature vector has {found} numbers, expected {expected} finite numbers, as in the first vector")]
    Features {
        /// Dimension of the vector.
        found: usize,
        /// Dimension of the first vector.
        expected: usize,
    },
    /// An error of the law or conditional.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A judge failed.
    #[error("the judge failed: {0}")]
    Own(#[source] Box<dyn std::error::Error + Send + Sync>),
}
