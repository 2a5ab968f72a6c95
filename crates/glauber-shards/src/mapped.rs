//! Files in memory, and whether they are what was written.

use std::fs::File;
use std::path::Path;

use glauber_tokens::Token;
use memmap2::Mmap;

use crate::ShardError;

/// Compares a file's checksum with the one that the index has of it, where it has one.
pub(crate) fn compare(path: &Path, expected: Option<u32>, found: impl FnOnce() -> u32) -> Result<(), ShardError> {
    match expected.is_none_or(|expected| expected == found()) {
        true => Ok(()),
        false => Err(ShardError::cache(path, "its content has changed since it was written: the checksum differs")),
    }
}

/// Checks the tokens of a shard against their checksum and the vocabulary, in one pass over memory.
pub(crate) fn check_tokens(
    path: &Path,
    bytes: &[u8],
    size: usize,
    vocab: usize,
    checksum: Option<u32>,
) -> Result<(), ShardError> {
    let mut hasher = crc32fast::Hasher::new();
    let mut highest = 0;
    for chunk in bytes.chunks(1 << 16) {
        if checksum.is_some() {
            hasher.update(chunk);
        }
        highest = highest.max(match size {
            2 => Token::from(chunk.as_chunks().0.iter().fold(0, |high, &bytes| u16::from_le_bytes(bytes).max(high))),
            _ => chunk.as_chunks().0.iter().fold(0, |high, &bytes| Token::from_le_bytes(bytes).max(high)),
        });
    }
    compare(path, checksum, || hasher.finalize())?;
    match (highest as usize) < vocab {
        true => Ok(()),
        false => {
            Err(ShardError::cache(path, format!("it holds the token {highest}, outside the vocabulary 0..{vocab}")))
        }
    }
}

/// Maps a file that must have exactly so many bytes of a header and of items.
pub(crate) fn map(path: &Path, header: usize, items: usize, size: usize) -> Result<Mmap, ShardError> {
    let file = File::open(path).map_err(ShardError::missing("open", path))?;
    let found = file.metadata().map_err(ShardError::io("inspect", path))?.len();
    let bytes = items.saturating_mul(size).saturating_add(header);
    if found != bytes as u64 {
        return Err(ShardError::cache(path, format!("it has {found} bytes, expected {bytes}")));
    }
    // SAFETY: the file belongs to the cache: it is complete before it gets its name and nothing writes to it afterwards. Whoever
    // truncates it by other means while it is mapped ends the process, as with any mapped file.
    #[allow(unsafe_code)]
    let mapped = unsafe { Mmap::map(&file) };
    mapped.map_err(ShardError::io("map", path))
}
