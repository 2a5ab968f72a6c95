//! Errors of tokens.

use crate::{Site, Token};

/// An error about tokens or batches of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// A flat buffer does not divide into rows of the requested length.
    #[error("{found} tokens do not divide into sequences of length {len}")]
    Ragged {
        /// Tokens in the buffer.
        found: usize,
        /// Requested sequence length.
        len: usize,
    },
    /// A row has the wrong length.
    #[error("row {row} has {found} tokens, expected {expected}")]
    RowLength {
        /// The row.
        row: usize,
        /// Its length.
        found: usize,
        /// The length of the batch's rows.
        expected: usize,
    },
    /// A token lies outside the vocabulary.
    #[error("token {token} at row {row}, site {site} is outside the vocabulary 0..{vocab}")]
    OutsideVocabulary {
        /// The token found.
        token: Token,
        /// Its row.
        row: usize,
        /// Its site.
        site: Site,
        /// The vocabulary size.
        vocab: usize,
    },
}
