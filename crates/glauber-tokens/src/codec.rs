//! The trait between data and tokens.

use crate::{Token, TokenBatch};

/// Turns items into tokens and back: a text tokenizer, an image tokenizer, a puzzle.
pub trait Codec {
    /// The items to encode, for instance `str` or an image.
    type Item: ?Sized;
    /// The decoded items, for instance `String`.
    type Decoded;
    /// The error of encoding and decoding.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The tokens of an item, each below [`vocab_size`](Self::vocab_size), shape `[site]`.
    ///
    /// # Errors
    /// When the item cannot be expressed in this vocabulary.
    fn encode(&self, item: &Self::Item) -> Result<Vec<Token>, Self::Error>;

    /// Decodes tokens to an item. Noise decodes too: any tokens below [`vocab_size`](Self::vocab_size) give an item.
    ///
    /// # Errors
    /// When a token lies outside the vocabulary.
    fn decode(&self, tokens: &[Token]) -> Result<Self::Decoded, Self::Error>;

    /// Encodes several items, one entry per item. Override it if a batch is cheaper than single items.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    fn encode_all(&self, items: &[&Self::Item]) -> Result<Vec<Vec<Token>>, Self::Error> {
        items.iter().map(|item| self.encode(item)).collect()
    }

    /// Decodes a batch, one item per row. Override it if a batch is cheaper than single rows.
    ///
    /// # Errors
    /// As [`decode`](Self::decode).
    fn decode_all(&self, batch: &TokenBatch) -> Result<Vec<Self::Decoded>, Self::Error> {
        batch.iter().map(|tokens| self.decode(tokens)).collect()
    }

    /// Number of tokens `V`, special ones included.
    fn vocab_size(&self) -> usize;

    /// Structural tokens (end of text, mask), ascending.
    fn special(&self) -> &[Token];
}
