//! Prepared tokens, mapped into memory.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use glauber_tokens::Token;
use memmap2::Mmap;

use crate::format::{HEADER, Index, Layout, SplitIndex, documents_path, labels_path, shard_path};
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
    /// Maps a folder that a [`TokenWriter`](crate::TokenWriter) filled.
    ///
    /// # Errors
    /// [`ShardError::Io`], or [`ShardError::Cache`] when a file is missing, cut short or of another codec.
    pub fn open(folder: &Path) -> Result<Self, ShardError> {
        let index = Index::read(folder)?;
        let layout = index.layout();
        Ok(Self {
            folder: folder.to_owned(),
            train: TokenStream::open(folder, Split::Training, &layout, &index.train)?,
            validation: TokenStream::open(folder, Split::Validation, &layout, &index.validation)?,
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

    /// The validation stream; empty when nothing is held out.
    #[must_use]
    pub fn validation(&self) -> &TokenStream {
        &self.validation
    }

    /// How often each token occurs in the training stream, shape `[V]`: the unigram counts. Tokens between documents count like any other.
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

/// One split: tokens one after the other. Text is divided into documents, with an end of text between them; other items follow each other
/// without a break and may have labels.
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
    fn open(folder: &Path, split: Split, layout: &Layout, index: &SplitIndex) -> Result<Self, ShardError> {
        let mut shards = Vec::new();
        let mut left = index.tokens;
        while left > 0 {
            let tokens = left.min(layout.shard_tokens);
            let path = shard_path(folder, split, shards.len());
            let shard = map(&path, HEADER + tokens * layout.token_bytes)?;
            if shard[..HEADER] != layout.header(tokens) {
                return Err(ShardError::cache(&path, "its header does not match the index"));
            }
            shards.push(shard);
            left -= tokens;
        }
        let starts = match index.documents {
            0 => None,
            documents => Some(map(&documents_path(folder, split), documents * 8)?),
        };
        let labels = match index.labels {
            0 => None,
            labels => Some(map(&labels_path(folder, split), labels * 4)?),
        };
        Ok(Self {
            split,
            shards,
            shard_tokens: layout.shard_tokens,
            token_bytes: layout.token_bytes,
            index: index.clone(),
            starts,
            labels,
        })
    }

    /// Tokens in the stream, those between documents included.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.index.tokens
    }

    /// Characters of the text, for bits per character; ends of text are none.
    #[must_use]
    pub fn characters(&self) -> u64 {
        self.index.characters
    }

    /// Bytes of the text as UTF-8, for bits per byte.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.index.bytes
    }

    /// Number of documents: stretches without an end of text that was put in.
    #[must_use]
    pub fn documents(&self) -> usize {
        self.index.documents
    }

    /// Where a document lies in the stream, without the end of text behind it.
    ///
    /// # Panics
    /// When `document ≥ documents()`.
    #[must_use]
    pub fn document(&self, document: usize) -> Range<usize> {
        assert!(document < self.documents(), "document {document} of {}", self.documents());
        let end = match document + 1 {
            next if next < self.documents() => self.start(next) - 1,
            _ => self.tokens(),
        };
        self.start(document)..end
    }

    fn start(&self, document: usize) -> usize {
        let bytes = self.starts.as_ref().map_or(&[][..], |starts| &starts[document * 8..][..8]);
        bytes.iter().rev().fold(0, |start, &byte| start << 8 | usize::from(byte))
    }

    /// The label of an item, the items numbered in the order they were written in; `None` where none was written.
    #[must_use]
    pub fn label(&self, item: usize) -> Option<u32> {
        let bytes = self.labels.as_ref()?.get(item.checked_mul(4)?..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes))
    }

    /// Copies the tokens from `offset` on into `out`, shape `[site]`; any offset up to `tokens() − out.len()` will do.
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
    /// [`ShardError::TooShort`] when there is not even one, or `length` is zero.
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
    /// Number of consecutive sequences; what does not fill one at the end of the stream is left out.
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

/// Maps a file that must have exactly `bytes` bytes.
fn map(path: &Path, bytes: usize) -> Result<Mmap, ShardError> {
    let file = File::open(path).map_err(ShardError::io("open", path))?;
    let found = file.metadata().map_err(ShardError::io("inspect", path))?.len();
    if found != bytes as u64 {
        return Err(ShardError::cache(path, format!("it has {found} bytes, expected {bytes}")));
    }
    // SAFETY: the file belongs to the cache: it is complete before it gets its name and nothing writes to it afterwards. Whoever
    // truncates it by other means while it is mapped ends the process, as with any mapped file.
    #[allow(unsafe_code)]
    let mapped = unsafe { Mmap::map(&file) };
    mapped.map_err(ShardError::io("map", path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::TokenWriter;

    /// Documents of growing length in shards of seven tokens, with a 0 between them and their length as label.
    fn data(vocab_size: usize) -> (tempfile::TempDir, TokenData, Vec<Token>) {
        let folder = tempfile::tempdir().unwrap();
        let fingerprint = blake3::hash(b"codec").to_hex().to_string();
        let mut writer = TokenWriter::new(folder.path(), vocab_size, &fingerprint).with_shards_of(7);
        let split = writer.split(Split::Training);
        let mut expected = Vec::new();
        for length in 1..=9u32 {
            let tokens: Vec<Token> = (0..length).map(|i| vocab_size as u32 - 1 - i * length).collect();
            if length > 1 {
                split.write(&[0]).unwrap();
                expected.push(0);
            }
            split.begin_document().unwrap();
            split.write(&tokens).unwrap();
            split.write_label(length).unwrap();
            expected.extend(tokens);
        }
        writer.finish().unwrap();
        let data = TokenData::open(folder.path()).unwrap();
        (folder, data, expected)
    }

    #[test]
    fn windows_cross_shards_in_two_and_four_bytes() {
        for vocab_size in [100, 65_536, 65_537, 200_000] {
            let (_folder, data, expected) = data(vocab_size);
            let stream = data.train();
            assert_eq!(stream.shards.len(), expected.len().div_ceil(7));
            assert_eq!(stream.token_bytes, if vocab_size > 65_536 { 4 } else { 2 });
            for length in 1..=expected.len() {
                let sequences = stream.sequences(length).unwrap();
                let mut out = vec![0; length];
                for start in 0..sequences.windows() {
                    sequences.window(start, &mut out);
                    assert_eq!(out, expected[start..start + length]);
                }
            }
        }
    }

    #[test]
    fn documents_labels_and_tokens_are_counted() {
        let (_folder, data, expected) = data(100);
        let stream = data.train();
        assert_eq!((stream.documents(), data.validation().documents()), (9, 0));
        for document in 0..9 {
            let range = stream.document(document);
            assert_eq!(range.len(), document + 1);
            assert_eq!(expected[range.start], 99);
            assert!(range.end == expected.len() || expected[range.end] == 0);
            assert_eq!(stream.label(document), Some(document as u32 + 1));
        }
        assert_eq!((stream.label(9), stream.label(usize::MAX), data.validation().label(0)), (None, None, None));
        let mut counts = vec![0u64; 100];
        expected.iter().for_each(|&token| counts[token as usize] += 1);
        assert_eq!(data.counts(), counts);
    }

    #[test]
    fn damage_and_another_codec_are_found() {
        let (folder, ..) = data(100);
        let labels = folder.path().join("train-labels.bin");
        std::fs::write(&labels, [0; 35]).unwrap();
        let error = TokenData::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("train-labels.bin") && error.contains("35 bytes, expected 36"), "{error}");
        std::fs::write(&labels, [0; 36]).unwrap();
        let index = folder.path().join("index.json");
        let json = std::fs::read_to_string(&index).unwrap();
        let fingerprint = blake3::hash(b"codec").to_hex().to_string();
        std::fs::write(&index, json.replace(&fingerprint, &blake3::hash(b"other").to_hex())).unwrap();
        let error = TokenData::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("does not match the index"), "{error}");
    }

    #[test]
    fn a_length_beyond_the_stream_is_refused() {
        let (_folder, data, expected) = data(100);
        let stream = data.train();
        let error = stream.sequences(expected.len() + 1).unwrap_err().to_string();
        assert!(error.contains("53 tokens, fewer than the sequence length 54"), "{error}");
        assert!(stream.sequences(0).is_err());
        assert_eq!(stream.sequences(10).unwrap().count(), 5);
    }
}
