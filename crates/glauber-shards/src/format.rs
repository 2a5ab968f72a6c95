//! Format of a token cache folder: `index.json`, and for each split its shards `train-00000.bin` … . Splits may also
//! have the starts of documents `train-documents.bin` (u64, little-endian) or the labels of items `train-labels.bin`
//! (u32, little-endian).
//!
//! The index has a CRC-32 of the content of each other file, without headers, and of itself. Folders of index version 1
//! have none; only the range of their tokens is checked.
//!
//! A shard is a 64-byte header and the tokens, little-endian, with two bytes each if `V ≤ 65536` and four otherwise.
//! Header: `GLAUBTOK`, version (u32), bytes per token (u32), `V` (u64), tokens in this shard (u64), fingerprint of the
//! codec (32 bytes).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use glauber_files::write_whole;
use serde::{Deserialize, Serialize};

use crate::{ShardError, Split, VERSION};

pub(crate) const HEADER: usize = 64;
pub(crate) const INDEX: &str = "index.json";
const MAGIC: &[u8; 8] = b"GLAUBTOK";
const NAME: &str = "glauber token shards";
/// Version of the index that is written.
const INDEX_VERSION: u32 = 2;
/// The version that had no checksums.
const UNCHECKED: u32 = 1;

/// The content of `index.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    pub(crate) format: String,
    pub(crate) version: u32,
    pub(crate) fingerprint: String,
    pub(crate) vocab_size: usize,
    pub(crate) token_bytes: usize,
    /// Tokens in every shard of a split except its last.
    pub(crate) shard_tokens: usize,
    pub(crate) train: SplitIndex,
    pub(crate) validation: SplitIndex,
    /// Token counts of the training split, shape `[V]`.
    pub(crate) counts: Vec<u64>,
    /// CRC-32 of the files, by name.
    #[serde(default)]
    pub(crate) checksums: BTreeMap<String, u32>,
    /// CRC-32 of the index with this field set to 0.
    #[serde(default)]
    checksum: u32,
}

/// One split of the index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SplitIndex {
    pub(crate) tokens: usize,
    pub(crate) documents: usize,
    pub(crate) characters: u64,
    pub(crate) bytes: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) labels: usize,
}

/// The written part of a split.
pub(crate) struct SplitFiles {
    pub(crate) index: SplitIndex,
    /// CRC-32 of its files, by name.
    pub(crate) checksums: BTreeMap<String, u32>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The common layout of a cache's shards.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) vocab_size: usize,
    pub(crate) token_bytes: usize,
    pub(crate) shard_tokens: usize,
    pub(crate) fingerprint: String,
}

impl Layout {
    pub(crate) fn new(vocab_size: usize, shard_tokens: usize, fingerprint: String) -> Self {
        let token_bytes = if vocab_size <= 1 << 16 { 2 } else { 4 };
        Self { vocab_size, token_bytes, shard_tokens, fingerprint }
    }

    /// The header of a shard of `tokens` tokens.
    pub(crate) fn header(&self, tokens: usize) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        header[..8].copy_from_slice(MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        header[12..16].copy_from_slice(&(self.token_bytes as u32).to_le_bytes());
        header[16..24].copy_from_slice(&(self.vocab_size as u64).to_le_bytes());
        header[24..32].copy_from_slice(&(tokens as u64).to_le_bytes());
        // A fingerprint is the hexadecimal form of a blake3 hash.
        if let Ok(hash) = blake3::Hash::from_hex(&self.fingerprint) {
            header[32..].copy_from_slice(hash.as_bytes());
        }
        header
    }
}

impl Index {
    pub(crate) fn new(layout: &Layout, [train, validation]: [SplitFiles; 2], counts: Vec<u64>) -> Self {
        let checksums = train.checksums.into_iter().chain(validation.checksums).collect();
        let index = Self {
            format: NAME.to_owned(),
            version: INDEX_VERSION,
            fingerprint: layout.fingerprint.clone(),
            vocab_size: layout.vocab_size,
            token_bytes: layout.token_bytes,
            shard_tokens: layout.shard_tokens,
            train: train.index,
            validation: validation.index,
            counts,
            checksums,
            checksum: 0,
        };
        Self { checksum: index.own_checksum(), ..index }
    }

    fn json(&self) -> String {
        serde_json::to_string(self).expect("numbers and strings always serialise")
    }

    fn own_checksum(&self) -> u32 {
        crc32fast::hash(Self { checksum: 0, ..self.clone() }.json().as_bytes())
    }

    /// Reads and checks the index of a folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, ShardError> {
        let path = folder.join(INDEX);
        let json = std::fs::read(&path).map_err(ShardError::missing("read", &path))?;
        let index: Self = serde_json::from_slice(&json).map_err(|e| ShardError::cache(&path, e.to_string()))?;
        let expected = Layout::new(index.vocab_size, index.shard_tokens, index.fingerprint.clone());
        let reason = if index.format != NAME || ![UNCHECKED, INDEX_VERSION].contains(&index.version) {
            let expected = format!("{NAME:?} version {UNCHECKED} or {INDEX_VERSION}");
            format!("it says {:?} version {}, expected {expected}", index.format, index.version)
        } else if index.version != UNCHECKED && index.checksum != index.own_checksum() {
            "its checksum is not that of its content".into()
        } else if index.counts.iter().fold(0, |sum: u64, &count| sum.saturating_add(count)) != index.train.tokens as u64
        {
            format!("its counts do not sum to the {} tokens of the training split", index.train.tokens)
        } else if index.counts.len() != index.vocab_size {
            format!("it has {} counts for {} tokens", index.counts.len(), index.vocab_size)
        } else if index.shard_tokens == 0 || index.token_bytes != expected.token_bytes {
            format!("impossible shards of {} tokens of {} bytes", index.shard_tokens, index.token_bytes)
        } else {
            return Ok(index);
        };
        Err(ShardError::cache(&path, reason))
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<(), ShardError> {
        let path = folder.join(INDEX);
        write_whole(&path, self.json()).map_err(ShardError::io("write", &path))
    }

    /// The checksum of a file; `None` for an index version without checksums.
    ///
    /// # Errors
    /// [`ShardError::Cache`] when it should have one.
    pub(crate) fn checksum_of(&self, path: &Path) -> Result<Option<u32>, ShardError> {
        let name = path.file_name().map(|name| name.to_string_lossy());
        match name.and_then(|name| self.checksums.get(&*name)) {
            None if self.version != UNCHECKED => Err(ShardError::cache(path, "the index has no checksum of it")),
            found => Ok(found.copied()),
        }
    }

    pub(crate) fn split(&self, split: Split) -> &SplitIndex {
        match split {
            Split::Training => &self.train,
            Split::Validation => &self.validation,
        }
    }

    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.vocab_size, self.shard_tokens, self.fingerprint.clone())
    }
}

pub(crate) fn shard_path(folder: &Path, split: Split, number: usize) -> PathBuf {
    folder.join(format!("{}-{number:05}.bin", split.file()))
}

pub(crate) fn documents_path(folder: &Path, split: Split) -> PathBuf {
    folder.join(format!("{}-documents.bin", split.file()))
}

pub(crate) fn labels_path(folder: &Path, split: Split) -> PathBuf {
    folder.join(format!("{}-labels.bin", split.file()))
}
