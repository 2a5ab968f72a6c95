//! The trait between data and tokens.

use crate::{Token, TokenBatch};

/// Turns items into tokens and back: a text tokenizer, an image tokenizer, a puzzle.
pub trait Codec {
    /// What is encoded, for instance `str` or an image.
    type Item: ?Sized;
    /// What decoding gives back, for instance `String`.
    type Decoded;
    /// Why encoding or decoding can fail.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The tokens of an item, each below [`vocab_size`](Self::vocab_size), shape `[site]`.
    ///
    /// # Errors
    /// When the item cannot be expressed in this vocabulary.
    fn encode(&self, item: &Self::Item) -> Result<Vec<Token>, Self::Error>;

    /// The item that tokens stand for. Noise decodes too: any tokens below [`vocab_size`](Self::vocab_size) give an item.
    ///
    /// # Errors
    /// When a token lies outside the vocabulary.
    fn decode(&self, tokens: &[Token]) -> Result<Self::Decoded, Self::Error>;

    /// The tokens of several items, one entry for each. Override it where many at once cost less than one after another.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    fn encode_all(&self, items: &[&Self::Item]) -> Result<Vec<Vec<Token>>, Self::Error> {
        items.iter().map(|item| self.encode(item)).collect()
    }

    /// The items of a batch, one for each row. Override it where many at once cost less than one after another.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    fn decode_all(&self, batch: &TokenBatch) -> Result<Vec<Self::Decoded>, Self::Error> {
        batch.iter().map(|tokens| self.decode(tokens)).collect()
    }

    /// Number of tokens `V`, special ones included.
    fn vocab_size(&self) -> usize;

    /// Tokens that stand for structure rather than content (end of text, mask), ascending.
    fn special(&self) -> &[Token];
}
