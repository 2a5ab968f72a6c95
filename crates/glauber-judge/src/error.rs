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
    /// What judges the tokens fails.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A judge failed for a reason of its own.
    #[error("the judge failed: {0}")]
    Own(#[source] Box<dyn std::error::Error + Send + Sync>),
}
