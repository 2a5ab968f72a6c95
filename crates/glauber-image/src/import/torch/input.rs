//! The bytes of a pickle.

use std::io::{BufRead, Read};

pub(super) type Found<T> = Result<T, String>;

/// Bytes that come one after the other, of which none is believed in before it has come.
pub(super) struct Input<R>(pub R);

impl<R: BufRead> Input<R> {
    pub fn skip(&mut self, length: u64) -> Found<()> {
        let passed = std::io::copy(&mut self.0.by_ref().take(length), &mut std::io::sink());
        if passed.map_err(|error| error.to_string())? < length { Err(cut()) } else { Ok(()) }
    }

    pub fn length<const BYTES: usize>(&mut self) -> Found<u64> {
        let mut whole = [0; 8];
        whole[..BYTES].copy_from_slice(&self.bytes::<BYTES>()?);
        Ok(u64::from_le_bytes(whole))
    }

    pub fn byte(&mut self) -> Found<u8> {
        self.bytes::<1>().map(|[byte]| byte)
    }

    pub fn bytes<const COUNT: usize>(&mut self) -> Found<[u8; COUNT]> {
        let mut bytes = [0; COUNT];
        self.0.read_exact(&mut bytes).map_err(|_| cut())?;
        Ok(bytes)
    }

    /// So many bytes, of which none is believed in before it has come.
    pub fn read(&mut self, length: u64) -> Found<Vec<u8>> {
        let mut bytes = Vec::new();
        let read = self.0.by_ref().take(length).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        if (read as u64) < length { Err(cut()) } else { Ok(bytes) }
    }

    pub fn line(&mut self) -> Found<String> {
        let mut bytes = Vec::new();
        self.0.read_until(b'\n', &mut bytes).map_err(|error| error.to_string())?;
        match bytes.pop() {
            Some(b'\n') => Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\r').to_owned()),
            _ => Err(cut()),
        }
    }
}

fn cut() -> String {
    "the pickle is cut off".into()
}
