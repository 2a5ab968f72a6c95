//! A batch of equally long token sequences.

use crate::{Site, Token, TokenError};

/// Row-major tokens, shape `[row, site]`. Every row has the same length `L ≥ 1`.
///
/// ```
/// use glauber_tokens::TokenBatch;
///
/// let batch = TokenBatch::from_rows([[0, 1, 2], [2, 1, 0]])?;
/// assert_eq!((batch.rows(), batch.len()), (2, 3));
/// assert_eq!(batch.row(1), [2, 1, 0]);
/// # Ok::<(), glauber_tokens::TokenError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct TokenBatch {
    tokens: Vec<Token>,
    len: usize,
}

impl TokenBatch {
    /// Takes a flat row-major buffer, shape `[row · site]`.
    ///
    /// # Errors
    /// [`TokenError::Ragged`] when `len` is zero or does not divide the buffer.
    pub fn new(tokens: Vec<Token>, len: usize) -> Result<Self, TokenError> {
        if len == 0 || !tokens.len().is_multiple_of(len) {
            return Err(TokenError::Ragged { found: tokens.len(), len });
        }
        Ok(Self { tokens, len })
    }

    /// `rows` sequences of `len` copies of `token`.
    ///
    /// # Panics
    /// When `len` is zero.
    pub fn filled(rows: usize, len: usize, token: Token) -> Self {
        assert!(len > 0, "a sequence has at least one site");
        Self { tokens: vec![token; rows * len], len }
    }

    /// Collects rows.
    ///
    /// # Errors
    /// [`TokenError::RowLength`] when the rows differ in length, [`TokenError::Ragged`] when they are empty or there is none.
    pub fn from_rows<R: AsRef<[Token]>>(rows: impl IntoIterator<Item = R>) -> Result<Self, TokenError> {
        let mut tokens = Vec::new();
        let mut len = 0;
        for (row, content) in rows.into_iter().enumerate() {
            let content = content.as_ref();
            if row == 0 {
                len = content.len();
            }
            if content.len() != len {
                return Err(TokenError::RowLength { row, found: content.len(), expected: len });
            }
            tokens.extend_from_slice(content);
        }
        Self::new(tokens, len)
    }

    /// Number of sequences.
    pub fn rows(&self) -> usize {
        self.tokens.len() / self.len
    }

    /// Sites per sequence, `L`.
    #[allow(clippy::len_without_is_empty)] // `len ≥ 1` always: a batch of no rows still has a row length
    pub fn len(&self) -> usize {
        self.len
    }

    /// The sequence of a row, shape `[site]`.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> &[Token] {
        &self.tokens[row * self.len..][..self.len]
    }

    /// The sequence of a row, mutable.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row_mut(&mut self, row: usize) -> &mut [Token] {
        &mut self.tokens[row * self.len..][..self.len]
    }

    /// All sequences in order.
    pub fn iter(&self) -> std::slice::ChunksExact<'_, Token> {
        self.tokens.chunks_exact(self.len)
    }

    /// The flat buffer, shape `[row · site]`.
    pub fn as_slice(&self) -> &[Token] {
        &self.tokens
    }

    /// The flat buffer, mutable.
    pub fn as_mut_slice(&mut self) -> &mut [Token] {
        &mut self.tokens
    }

    /// Converts the batch into its flat buffer.
    pub fn into_vec(self) -> Vec<Token> {
        self.tokens
    }

    /// Checks that every token is below `vocab`.
    ///
    /// # Errors
    /// [`TokenError::OutsideVocabulary`] names the first token that is too large.
    pub fn check_vocab(&self, vocab: usize) -> Result<(), TokenError> {
        match self.tokens.iter().position(|&t| t as usize >= vocab) {
            None => Ok(()),
            Some(at) => Err(TokenError::OutsideVocabulary {
                token: self.tokens[at],
                row: at / self.len,
                site: (at % self.len) as Site,
                vocab,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ragged_rows_are_refused_with_the_row() {
        let error = TokenBatch::from_rows([vec![1, 2], vec![3]]).unwrap_err();
        assert_eq!(error.to_string(), "row 1 has 1 tokens, expected 2");
        assert!(TokenBatch::new(vec![1, 2, 3], 2).is_err());
        assert!(TokenBatch::new(vec![], 0).is_err());
    }

    #[test]
    fn the_first_token_outside_the_vocabulary_is_named() {
        let batch = TokenBatch::new(vec![0, 1, 2, 7], 2).unwrap();
        assert!(batch.check_vocab(8).is_ok());
        assert_eq!(
            batch.check_vocab(7).unwrap_err(),
            TokenError::OutsideVocabulary { token: 7, row: 1, site: 1, vocab: 7 }
        );
    }
}
