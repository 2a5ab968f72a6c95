//! IDX: arrays of bytes behind a big-endian header of a magic number and one length for each axis.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::PixelError;

/// Two zero bytes, the type "unsigned byte", and the number of axes.
const MAGIC: u32 = 0x0000_0800;
/// The first two bytes of a gzip file.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Bytes of data at most.
const MOST_BYTES: u128 = 8 << 30;

/// An array of bytes, shape `axes`.
#[derive(Debug)]
pub(super) struct Idx<const AXES: usize> {
    pub(super) axes: [usize; AXES],
    pub(super) bytes: Vec<u8>,
}

/// Reads an IDX file of unsigned bytes, plain or gzip; the content says which.
pub(super) fn read<const AXES: usize>(path: &Path, kind: &str) -> Result<Idx<AXES>, PixelError> {
    let io = |e| PixelError::io("read", path)(e);
    let mut start = Vec::new();
    let mut file = File::open(path).map_err(io)?;
    file.by_ref().take(GZIP.len() as u64).read_to_end(&mut start).map_err(io)?;
    let is_gzip = start == GZIP;
    let whole = BufReader::new(std::io::Cursor::new(start).chain(file));
    if is_gzip { parse(MultiGzDecoder::new(whole), path, kind) } else { parse(whole, path, kind) }
}

fn parse<const AXES: usize>(mut reader: impl Read, path: &Path, kind: &str) -> Result<Idx<AXES>, PixelError> {
    let refused = |found: String| Err(PixelError::unusable(path, found));
    let length = |what: &str, found: usize, expected| {
        refused(format!("{found} bytes of {what}, expected {expected}; fetch the file again"))
    };
    let mut take = |most: u64| {
        let mut bytes = Vec::new();
        reader.by_ref().take(most).read_to_end(&mut bytes).map_err(PixelError::io("read", path))?;
        Ok::<_, PixelError>(bytes)
    };
    let header_bytes = 4 * (AXES as u64 + 1);
    let header = take(header_bytes)?;
    let mut numbers = header.chunks_exact(4).map(|n| u32::from_be_bytes([n[0], n[1], n[2], n[3]]));
    // The magic number shows better than the length that a file is no IDX file.
    let expected = MAGIC | AXES as u32;
    match numbers.next() {
        Some(found) if found != expected => {
            let of_kind = format!("expected {expected:#010x} for {kind} as unsigned bytes");
            return refused(format!("magic number {found:#010x}, {of_kind}"));
        }
        _ if (header.len() as u64) < header_bytes => {
            return length("header", header.len(), header_bytes);
        }
        _ => {}
    }
    let axes: Vec<u32> = numbers.collect();
    let promised = axes.iter().try_fold(1u128, |product, &axis| product.checked_mul(axis.into())).unwrap_or(u128::MAX);
    if promised > MOST_BYTES {
        return refused(format!("its header declares {promised} bytes of data, at most {MOST_BYTES} are allowed"));
    }
    // One byte more than promised is asked for, so that a file that goes on is noticed.
    let bytes = take(promised as u64 + 1)?;
    if bytes.len() as u128 != promised {
        return length("data", bytes.len(), promised as u64);
    }
    Ok(Idx { axes: std::array::from_fn(|axis| axes[axis] as usize), bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(bytes: &[u8]) -> Result<Idx<3>, PixelError> {
        parse(bytes, Path::new("digits"), "images")
    }

    fn file() -> Vec<u8> {
        let mut file = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3];
        file.extend(1..=6);
        file
    }

    #[test]
    fn axes_and_bytes_are_read() {
        let idx = parsed(&file()).unwrap();
        assert_eq!((idx.axes, idx.bytes), ([2, 1, 3], vec![1, 2, 3, 4, 5, 6]));
    }

    #[test]
    fn every_truncation_is_told() {
        let file = file();
        for length in 0..file.len() {
            let message = parsed(&file[..length]).unwrap_err().to_string();
            let (found, what, expected) = if length < 16 { (length, "header", 16) } else { (length - 16, "data", 6) };
            let expected = format!("digits: {found} bytes of {what}, expected {expected}; fetch the file again");
            assert_eq!(message, expected);
        }
        let longer = [file, vec![7; 100]].concat();
        let message = parsed(&longer).unwrap_err().to_string();
        assert_eq!(message, "digits: 7 bytes of data, expected 6; fetch the file again");
    }

    #[test]
    fn wrong_magic_and_absurd_lengths_are_told() {
        let message = parsed(b"\0\0\x08\x01 a file of labels").unwrap_err().to_string();
        assert_eq!(message, "digits: magic number 0x00000801, expected 0x00000803 for images as unsigned bytes");
        let mut huge = file();
        huge[4..16].fill(0xff);
        let message = parsed(&huge).unwrap_err().to_string();
        assert!(message.ends_with("bytes of data, at most 8589934592 are allowed"), "{message}");
        let mut none = file();
        none.truncate(16);
        none[4..8].fill(0);
        assert_eq!(parsed(&none).unwrap().axes, [0, 1, 3]);
    }
}
