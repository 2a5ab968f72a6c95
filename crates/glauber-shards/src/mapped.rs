//! Memory-mapped files with integrity checks.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use glauber_tokens::Token;
use memmap2::Mmap;

use crate::ShardError;

/// Bytes per read: a multiple of token, label and start sizes.
const CHUNK: usize = 1 << 18;

/// The expected content of a file.
pub(crate) struct Expected<'a> {
    /// Its header.
    pub(crate) header: &'a [u8],
    /// Number of items after it.
    pub(crate) items: usize,
    /// Bytes per item.
    pub(crate) size: usize,
    /// CRC-32 of the items, if recorded.
    pub(crate) checksum: Option<u32>,
}

/// Maps a file after reading and checking it once. `inspect` receives the bytes of whole items.
pub(crate) fn map(path: &Path, expected: Expected<'_>, mut inspect: impl FnMut(&[u8])) -> Result<Mmap, ShardError> {
    let Expected { header, items, size, checksum } = expected;
    let mut file = File::open(path).map_err(ShardError::missing("open", path))?;
    let found = file.metadata().map_err(ShardError::io("inspect", path))?.len();
    let bytes = items.saturating_mul(size).saturating_add(header.len());
    if found != bytes as u64 {
        return Err(ShardError::cache(path, format!("it has {found} bytes, expected {bytes}")));
    }
    let mut found = vec![0; header.len()];
    file.read_exact(&mut found).map_err(ShardError::io("read", path))?;
    if found != header {
        return Err(ShardError::cache(path, "its header does not match the index"));
    }
    let mut hasher = crc32fast::Hasher::new();
    let mut left = bytes - header.len();
    let mut buffer = vec![0; CHUNK.min(left)];
    while left > 0 {
        let chunk = &mut buffer[..CHUNK.min(left)];
        file.read_exact(chunk).map_err(ShardError::io("read", path))?;
        hasher.update(chunk);
        inspect(chunk);
        left -= chunk.len();
    }
    let sum = hasher.finalize();
    if checksum.is_some_and(|checksum| checksum != sum) {
        return Err(ShardError::cache(path, "its content has changed since it was written: the checksum differs"));
    }
    // SAFETY: the file belongs to the cache: it is complete before it gets its name and nothing writes to it afterwards. Whoever
    // truncates it by other means while it is mapped ends the process, as with any mapped file.
    #[allow(unsafe_code)]
    let mapped = unsafe { Mmap::map(&file) };
    mapped.map_err(ShardError::io("map", path))
}

/// The highest token of some bytes.
pub(crate) fn highest(bytes: &[u8], size: usize) -> Token {
    match size {
        2 => Token::from(bytes.as_chunks().0.iter().fold(0, |high, &bytes| u16::from_le_bytes(bytes).max(high))),
        _ => bytes.as_chunks().0.iter().fold(0, |high, &bytes| Token::from_le_bytes(bytes).max(high)),
    }
}
