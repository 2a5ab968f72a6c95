//! Prepared tokens, mapped into memory.

use std::ops::Range;
use std::path::{Path, PathBuf};

use glauber_tokens::Token;
use memmap2::Mmap;

use crate::format::{HEADER, Index, SplitIndex, documents_path, labels_path, shard_path};
use crate::mapped::{Expected, highest, map};
use crate::{ShardError, Split};

/// Prepared data: two packed token streams and the statistics of training.
#[derive(Debug)]
pub struct TokenData {
    folder: PathBuf,
    fingerprint: String,
    vocab_size: usize,
    train: TokenStream,
    validation: TokenStream,
    counts: Vec<u64>,
}

impl TokenData {
    /// Maps a folder of a [`TokenWriter`](crate::TokenWriter), after reading all of it once to detect changes since it
    /// was written.
    ///
    /// # Errors
    /// [`ShardError::Io`], or [`ShardError::Cache`] when a file is missing, changed, of another size or of another
    /// codec.
    pub fn open(folder: &Path) -> Result<Self, ShardError> {
        let index = Index::read(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            train: TokenStream::open(folder, Split::Training, &index)?,
            validation: TokenStream::open(folder, Split::Validation, &index)?,
            fingerprint: index.fingerprint,
            vocab_size: index.vocab_size,
            counts: index.counts,
        })
    }

    /// The training stream.
    #[must_use]
    pub fn train(&self) -> &TokenStream {
        &self.train
    }

    /// The validation stream; empty without held-out data.
    #[must_use]
    pub fn validation(&self) -> &TokenStream {
        &self.validation
    }

    /// Unigram counts of the training stream, shape `[V]`, including tokens between documents.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Number of tokens `V` of the codec.
    #[must_use]
    pub fn vocab_size(&self) -> usize {
        self.vocab_size
    }

    /// Fingerprint of the codec.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// The cache folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// The token stream of a split. Text consists of documents with an end of text between them. Other items are
/// contiguous, and may have labels.
#[derive(Debug)]
pub struct TokenStream {
    split: Split,
    shards: Vec<Mmap>,
    shard_tokens: usize,
    token_bytes: usize,
    index: SplitIndex,
    /// Where documents start, u64 little-endian; absent when there are none.
    starts: Option<Mmap>,
    /// Labels, u32 little-endian; absent when there are none.
    labels: Option<Mmap>,
}

impl TokenStream {
    fn open(folder: &Path, split: Split, whole: &Index) -> Result<Self, ShardError> {
        let (layout, index) = (whole.layout(), whole.split(split));
        let (size, vocab) = (layout.token_bytes, layout.vocab_size);
        let mut shards = Vec::new();
        let mut left = index.tokens;
        while left > 0 {
            let tokens = left.min(layout.shard_tokens);
            let path = shard_path(folder, split, shards.len());
            let header = layout.header(tokens);
            let expected = Expected { header: &header, items: tokens, size, checksum: whole.checksum_of(&path)? };
            let mut most = 0;
            let shard = map(&path, expected, |bytes| most = most.max(highest(bytes, size)))?;
            if most as usize >= vocab {
                let reason = format!("it holds the token {most}, outside the vocabulary 0..{vocab}");
                return Err(ShardError::cache(&path, reason));
            }
            shards.push(shard);
            left -= tokens;
        }
        let items = |path: &Path, items: usize, size: usize, inspect: &mut dyn FnMut(&[u8])| {
            let expected = || Ok(Expected { header: &[], items, size, checksum: whole.checksum_of(path)? });
            (items > 0).then(|| map(path, expected()?, inspect)).transpose()
        };
        let (documents, labels) = (documents_path(folder, split), labels_path(folder, split));
        let (mut last, mut ordered) = (0, true);
        let starts = items(&documents, index.documents, 8, &mut |bytes| {
            for &start in bytes.as_chunks().0 {
                let start = u64::from_le_bytes(start);
                ordered &= last <= start;
                last = start;
            }
        })?;
        if !ordered || last > index.tokens as u64 {
            return Err(ShardError::cache(&documents, "documents are not contiguous"));
        }
        Ok(Self {
            split,
            shards,
            shard_tokens: layout.shard_tokens,
            token_bytes: size,
            index: index.clone(),
            starts,
            labels: items(&labels, index.labels, 4, &mut |_| ())?,
        })
    }

    /// Tokens in the stream, including those between documents.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.index.tokens
    }

    /// Characters of the text, for bits per character, without ends of text.
    #[must_use]
    pub fn characters(&self) -> u64 {
        self.index.characters
    }

    /// Bytes of the text as UTF-8, for bits per byte.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.index.bytes
    }

    /// Number of documents, the ranges between inserted ends of text.
    #[must_use]
    pub fn documents(&self) -> usize {
        self.index.documents
    }

    /// The range of a document in the stream, without its end of text.
    ///
    /// # Panics
    /// When `document ≥ documents()`.
    #[must_use]
    pub fn document(&self, document: usize) -> Range<usize> {
        assert!(document < self.documents(), "document {document} of {}", self.documents());
        let end = match document + 1 {
            next if next < self.documents() => self.start(next).saturating_sub(1).max(self.start(document)),
            _ => self.tokens(),
        };
        self.start(document)..end
    }

    fn start(&self, document: usize) -> usize {
        let bytes = self.starts.as_ref().map_or(&[][..], |starts| &starts[document * 8..][..8]);
        bytes.iter().rev().fold(0, |start, &byte| start << 8 | usize::from(byte))
    }

    /// The label of an item, in the order of writing; `None` without labels.
    #[must_use]
    pub fn label(&self, item: usize) -> Option<u32> {
        let bytes = self.labels.as_ref()?.get(item.checked_mul(4)?..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    }

    /// Copies the tokens from `offset` on into `out`, shape `[site]`; any offset up to `tokens() − out.len()` is valid.
    ///
    /// # Panics
    /// When the stream ends before `out` is full.
    pub fn window(&self, offset: usize, out: &mut [Token]) {
        let end = offset.checked_add(out.len());
        assert!(
            end.is_some_and(|end| end <= self.tokens()),
            "a window of {} tokens at {offset} of a stream of {}",
            out.len(),
            self.tokens()
        );
        let mut at = offset;
        let mut rest = out;
        while !rest.is_empty() {
            let (shard, inner) = (at / self.shard_tokens, at % self.shard_tokens);
            let (now, later) = rest.split_at_mut(rest.len().min(self.shard_tokens - inner));
            let bytes = &self.shards[shard][HEADER + inner * self.token_bytes..][..now.len() * self.token_bytes];
            for (token, bytes) in now.iter_mut().zip(bytes.chunks_exact(self.token_bytes)) {
                *token = bytes.iter().rev().fold(0, |token, &byte| token << 8 | Token::from(byte));
            }
            at += now.len();
            rest = later;
        }
    }

    /// The stream as sequences of `length` tokens.
    ///
    /// # Errors
    /// [`ShardError::TooShort`] when there is no sequence, or `length` is zero.
    pub fn sequences(&self, length: usize) -> Result<Sequences<'_>, ShardError> {
        if length == 0 || self.tokens() < length {
            let hint = match self.split {
                Split::Validation => " (or raise `validation_fraction`)",
                Split::Training => "",
            };
            return Err(ShardError::TooShort { split: self.split.name(), tokens: self.tokens(), length, hint });
        }
        Ok(Sequences { stream: self, length })
    }
}

/// A stream seen as sequences of one length: consecutive ones ([`get`](Self::get)), or windows at any offset
/// ([`window`](Self::window)). There is at least one of each.
#[derive(Debug, Clone, Copy)]
pub struct Sequences<'a> {
    stream: &'a TokenStream,
    length: usize,
}

impl Sequences<'_> {
    /// Number of consecutive sequences; an incomplete one at the end is omitted.
    #[must_use]
    pub fn count(&self) -> usize {
        self.stream.tokens() / self.length
    }

    /// Tokens in a sequence, `L`.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Copies the sequence `index` of [`count`](Self::count), shape `[site]`.
    ///
    /// # Panics
    /// When there is no such sequence, or `out` is not `L` long.
    pub fn get(&self, index: usize, out: &mut [Token]) {
        assert!(index < self.count(), "sequence {index} of {}", self.count());
        self.window(index * self.length, out);
    }

    /// Number of offsets a window can start at, `tokens − L + 1`.
    #[must_use]
    pub fn windows(&self) -> usize {
        self.stream.tokens() - self.length + 1
    }

    /// Copies the `L` tokens from offset `start` of [`windows`](Self::windows), shape `[site]`.
    ///
    /// # Panics
    /// When `start ≥ windows()`, or `out` is not `L` long.
    pub fn window(&self, start: usize, out: &mut [Token]) {
        assert_eq!(out.len(), self.length, "a sequence has {} sites", self.length);
        self.stream.window(start, out);
    }
}

#[cfg(test)]
mod tests;
