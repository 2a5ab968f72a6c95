//! Packs the tokens of both splits into shards.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use glauber_tokens::Token;

use crate::format::{Index, Layout, SplitFiles, SplitIndex, documents_path, labels_path, shard_path};
use crate::{ShardError, Split};

/// Tokens in a shard.
const SHARD_TOKENS: usize = 64 << 20;

/// Writes the content of a cache folder.
pub struct TokenWriter {
    folder: PathBuf,
    layout: Layout,
    train: SplitWriter,
    validation: SplitWriter,
}

impl TokenWriter {
    /// A writer for a vocabulary of `vocab_size` and a codec with this fingerprint, a blake3 hash in hexadecimal
    /// digits.
    #[must_use]
    pub fn new(folder: &Path, vocab_size: usize, fingerprint: &str) -> Self {
        Self::with_layout(folder, Layout::new(vocab_size, SHARD_TOKENS, fingerprint.to_owned()))
    }

    fn with_layout(folder: &Path, layout: Layout) -> Self {
        let writer = |split| SplitWriter::new(folder, split, &layout);
        Self {
            folder: folder.to_owned(),
            train: writer(Split::Training),
            validation: writer(Split::Validation),
            layout,
        }
    }

    /// Sets the size of shards; call it before writing.
    #[cfg(test)]
    pub(crate) fn with_shards_of(self, tokens: usize) -> Self {
        Self::with_layout(&self.folder, Layout { shard_tokens: tokens, ..self.layout })
    }

    /// The writer of a split.
    pub fn split(&mut self, split: Split) -> &mut SplitWriter {
        match split {
            Split::Training => &mut self.train,
            Split::Validation => &mut self.validation,
        }
    }

    /// Completes all files, the index last.
    ///
    /// # Errors
    /// [`ShardError::Io`] when writing fails.
    pub fn finish(self) -> Result<(), ShardError> {
        let (train, counts) = self.train.finish()?;
        let (validation, _) = self.validation.finish()?;
        Index::new(&self.layout, [train, validation], counts).write(&self.folder)
    }
}

/// Writes one split.
pub struct SplitWriter {
    folder: PathBuf,
    split: Split,
    layout: Layout,
    shards: usize,
    shard: Option<Shard>,
    starts: Option<Shard>,
    labels: Option<Shard>,
    index: SplitIndex,
    /// CRC-32 of the complete files, by name.
    checksums: BTreeMap<String, u32>,
    /// Counts of written tokens, shape `[V]`.
    counts: Vec<u64>,
}

/// A file being written.
struct Shard {
    path: PathBuf,
    file: BufWriter<File>,
    tokens: usize,
    /// CRC of the written content, without the header.
    checksum: crc32fast::Hasher,
}

impl SplitWriter {
    fn new(folder: &Path, split: Split, layout: &Layout) -> Self {
        Self {
            folder: folder.to_owned(),
            split,
            layout: layout.clone(),
            shards: 0,
            shard: None,
            starts: None,
            labels: None,
            index: SplitIndex::default(),
            checksums: BTreeMap::new(),
            counts: vec![0; layout.vocab_size],
        }
    }

    /// Tokens written so far.
    #[must_use]
    pub fn tokens(&self) -> usize {
        self.index.tokens
    }

    /// Adds to the counts of encoded text.
    pub fn count_text(&mut self, text: &str) {
        self.index.bytes += text.len() as u64;
        self.index.characters += text.chars().count() as u64;
    }

    /// Starts a document at the next token.
    ///
    /// # Errors
    /// [`ShardError::Io`] when writing fails.
    pub fn begin_document(&mut self) -> Result<(), ShardError> {
        let starts = match &mut self.starts {
            Some(starts) => starts,
            none => none.insert(Shard::create(documents_path(&self.folder, self.split))?),
        };
        self.index.documents += 1;
        starts.write(&(self.index.tokens as u64).to_le_bytes())
    }

    /// Appends the label of the next item.
    ///
    /// # Errors
    /// [`ShardError::Io`] when writing fails.
    pub fn write_label(&mut self, label: u32) -> Result<(), ShardError> {
        let labels = match &mut self.labels {
            Some(labels) => labels,
            none => none.insert(Shard::create(labels_path(&self.folder, self.split))?),
        };
        self.index.labels += 1;
        labels.write(&label.to_le_bytes())
    }

    /// Appends tokens.
    ///
    /// # Errors
    /// [`ShardError::OutsideVocabulary`] before anything is written, [`ShardError::Io`] when writing fails.
    pub fn write(&mut self, mut tokens: &[Token]) -> Result<(), ShardError> {
        if let Some(&token) = tokens.iter().find(|&&token| token as usize >= self.counts.len()) {
            let (split, vocab) = (self.split.name(), self.counts.len());
            return Err(ShardError::OutsideVocabulary { token, split, vocab });
        }
        tokens.iter().for_each(|&token| self.counts[token as usize] += 1);
        while !tokens.is_empty() {
            let shard = match &mut self.shard {
                Some(shard) => shard,
                none => {
                    let mut shard = Shard::create(shard_path(&self.folder, self.split, self.shards))?;
                    self.shards += 1;
                    shard.write_header(&self.layout.header(0))?;
                    none.insert(shard)
                }
            };
            let (now, later) = tokens.split_at(tokens.len().min(self.layout.shard_tokens - shard.tokens));
            // Two bytes hold every token of a vocabulary of at most 65536.
            let mut bytes = Vec::with_capacity(now.len() * self.layout.token_bytes);
            now.iter().for_each(|token| bytes.extend_from_slice(&token.to_le_bytes()[..self.layout.token_bytes]));
            shard.write(&bytes)?;
            shard.tokens += now.len();
            self.index.tokens += now.len();
            tokens = later;
            if shard.tokens == self.layout.shard_tokens {
                self.close_shard()?;
            }
        }
        Ok(())
    }

    /// Completes all files of the split.
    fn finish(mut self) -> Result<(SplitFiles, Vec<u64>), ShardError> {
        self.close_shard()?;
        for file in [self.starts, self.labels].into_iter().flatten() {
            self.checksums.extend(Some(file.close(None)?));
        }
        Ok((SplitFiles { index: self.index, checksums: self.checksums }, self.counts))
    }

    fn close_shard(&mut self) -> Result<(), ShardError> {
        if let Some(shard) = self.shard.take() {
            let header = self.layout.header(shard.tokens);
            self.checksums.extend(Some(shard.close(Some(&header))?));
        }
        Ok(())
    }
}

impl Shard {
    fn create(path: PathBuf) -> Result<Self, ShardError> {
        let file = File::create(&path).map_err(ShardError::io("create", &path))?;
        let file = BufWriter::with_capacity(1 << 18, file);
        Ok(Self { path, file, tokens: 0, checksum: crc32fast::Hasher::new() })
    }

    fn write_header(&mut self, bytes: &[u8]) -> Result<(), ShardError> {
        self.file.write_all(bytes).map_err(ShardError::io("write", &self.path))
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ShardError> {
        self.checksum.update(bytes);
        self.file.write_all(bytes).map_err(ShardError::io("write", &self.path))
    }

    /// Writes the final header and syncs; returns the file's name and checksum.
    fn close(mut self, header: Option<&[u8]>) -> Result<(String, u32), ShardError> {
        let mut complete = || {
            if let Some(header) = header {
                self.file.seek(SeekFrom::Start(0))?;
                self.file.write_all(header)?;
            }
            self.file.flush()?;
            self.file.get_ref().sync_all()
        };
        complete().map_err(ShardError::io("write", &self.path))?;
        let name = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok((name, self.checksum.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_outside_the_vocabulary_is_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = TokenWriter::new(folder.path(), 4, "");
        let error = writer.split(Split::Validation).write(&[0, 4]).unwrap_err().to_string();
        assert!(error.contains("token 4 of the validation split is outside the vocabulary 0..4"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
