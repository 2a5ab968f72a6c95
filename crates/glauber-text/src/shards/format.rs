//! What lies in a token cache folder: `index.json`, and for each split its shards `train-00000.bin` … and the starts of its
//! documents `train-documents.bin` (u64, little-endian).
//!
//! A shard is a 64-byte header and the tokens, little-endian, two bytes each when `V ≤ 65536` and four otherwise. Header:
//! `GLAUBTOK`, version (u32), bytes per token (u32), `V` (u64), tokens in this shard (u64), fingerprint of the codec (32 bytes).

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::TextError;

pub(super) const VERSION: u32 = 1;
pub(super) const HEADER: usize = 64;
pub(super) const INDEX: &str = "index.json";
const MAGIC: &[u8; 8] = b"GLAUBTOK";
const NAME: &str = "glauber token shards";

/// The content of `index.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Index {
    pub(super) format: String,
    pub(super) version: u32,
    pub(super) fingerprint: String,
    pub(super) vocab_size: usize,
    pub(super) token_bytes: usize,
    /// Tokens in every shard of a split but its last.
    pub(super) shard_tokens: usize,
    pub(super) train: SplitIndex,
    pub(super) validation: SplitIndex,
    /// How often each token occurs in the training split, shape `[V]`.
    pub(super) counts: Vec<u64>,
}

/// One split of the index.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SplitIndex {
    pub(super) tokens: usize,
    pub(super) documents: usize,
    pub(super) characters: u64,
    pub(super) bytes: u64,
}

/// What all shards of a cache have in common.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    pub(super) vocab_size: usize,
    pub(super) token_bytes: usize,
    pub(super) shard_tokens: usize,
    pub(super) fingerprint: String,
}

impl Layout {
    pub(super) fn new(vocab_size: usize, shard_tokens: usize, fingerprint: String) -> Self {
        let token_bytes = if vocab_size <= 1 << 16 { 2 } else { 4 };
        Self { vocab_size, token_bytes, shard_tokens, fingerprint }
    }

    /// The header of a shard of `tokens` tokens.
    pub(super) fn header(&self, tokens: usize) -> [u8; HEADER] {
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
    pub(super) fn new(layout: &Layout, train: SplitIndex, validation: SplitIndex, counts: Vec<u64>) -> Self {
        Self {
            format: NAME.to_owned(),
            version: VERSION,
            fingerprint: layout.fingerprint.clone(),
            vocab_size: layout.vocab_size,
            token_bytes: layout.token_bytes,
            shard_tokens: layout.shard_tokens,
            train,
            validation,
            counts,
        }
    }

    /// Reads and checks the index of a folder.
    pub(super) fn read(folder: &Path) -> Result<Self, TextError> {
        let path = folder.join(INDEX);
        let json = std::fs::read_to_string(&path).map_err(TextError::io("read", &path))?;
        let index: Self = serde_json::from_str(&json).map_err(|e| TextError::cache(&path, e.to_string()))?;
        let expected = Layout::new(index.vocab_size, index.shard_tokens, index.fingerprint.clone());
        let reason = if index.format != NAME || index.version != VERSION {
            format!("it says {:?} version {}, expected {NAME:?} version {VERSION}", index.format, index.version)
        } else if index.counts.len() != index.vocab_size {
            format!("it has {} counts for {} tokens", index.counts.len(), index.vocab_size)
        } else if index.shard_tokens == 0 || index.token_bytes != expected.token_bytes {
            format!("impossible shards of {} tokens of {} bytes", index.shard_tokens, index.token_bytes)
        } else {
            return Ok(index);
        };
        Err(TextError::cache(&path, reason))
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), TextError> {
        let path = folder.join(INDEX);
        let json = serde_json::to_string(self).expect("numbers and strings always serialise");
        std::fs::write(&path, json).map_err(TextError::io("write", &path))
    }

    pub(super) fn layout(&self) -> Layout {
        Layout::new(self.vocab_size, self.shard_tokens, self.fingerprint.clone())
    }
}

pub(super) fn shard_path(folder: &Path, split: &str, number: usize) -> PathBuf {
    folder.join(format!("{split}-{number:05}.bin"))
}

pub(super) fn documents_path(folder: &Path, split: &str) -> PathBuf {
    folder.join(format!("{split}-documents.bin"))
}
