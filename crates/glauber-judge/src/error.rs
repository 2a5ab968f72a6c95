//! Why a judge cannot tell.

use glauber_chain::ChainError;

/// An error of a judge.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JudgeError {
    /// Sequences are shorter than what is counted in them.
    #[error("samples have {len} tokens, expected at least {longest}: judge longer samples, or shorter n-grams")]
    Short {
        /// Tokens of a sample.
        len: usize,
        /// Tokens of the longest n-gram that is counted.
        longest: usize,
    },
    /// There is nothing to judge.
    #[error("there are no samples, expected at least one")]
    Empty,
    /// There is less than a judge needs.
    #[error("found {found} {what}, expected at least {expected}")]
    TooFew {
        /// What there is too little of.
        what: &'static str,
        /// How much of it there is.
        found: usize,
        /// How much a judge needs.
        expected: usize,
    },
    /// A line of JSON lines is no text.
    #[error("line {number} is neither a JSON string nor an object with a string `text`")]
    Line {
        /// Which line, from 1.
        number: usize,
    },
    /// Vectors of different lengths, or one that is not finite.
    #[error("a feature vector has {found} numbers, expected {expected} finite numbers, as in the first vector")]
    Features {
        /// Numbers of the vector.
        found: usize,
        /// Numbers of the first one.
        expected: usize,
    },
    /// What judges the tokens fails.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A judge failed for a reason of its own.
    #[error("the judge failed: {0}")]
    Own(#[source] Box<dyn std::error::Error + Send + Sync>),
}
