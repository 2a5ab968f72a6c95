//! The text of a file, converted to UTF-8.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result};
use std::path::Path;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

use super::source::Source;
use crate::TextError;

/// Decoded at a time.
const CHUNK: usize = 1 << 16;

/// Reads UTF-8, or UTF-16 with a byte-order mark, as UTF-8 without the mark. Its errors are [`TextError`]s inside of I/O errors.
pub(super) struct Decoded {
    source: Source,
    bytes: BufReader<Box<dyn Read + Send>>,
    decoder: Decoder,
    /// Bytes decoded so far.
    offset: u64,
    text: Vec<u8>,
    /// The unread part of `text`.
    ready: std::ops::Range<usize>,
    ended: bool,
}

impl Decoded {
    pub(super) fn open(source: &Source) -> std::result::Result<Self, TextError> {
        Ok(Self {
            source: source.clone(),
            bytes: source.bytes()?,
            decoder: source.mark.unwrap_or(UTF_8).new_decoder_with_bom_removal(),
            offset: 0,
            text: vec![0; 2 * CHUNK],
            ready: 0..0,
            ended: false,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.source.path
    }

    fn refill(&mut self) -> Result<()> {
        let failed = self.source.failed();
        let input = self.bytes.fill_buf().map_err(|e| Error::other(failed(e)))?;
        let last = input.is_empty();
        let (result, read, written) = self.decoder.decode_to_utf8_without_replacement(input, &mut self.text, last);
        self.offset += read as u64;
        match result {
            DecoderResult::InputEmpty => self.ended = last,
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(bad, after) => {
                let encoding = self.decoder.encoding();
                let from = read.saturating_sub(usize::from(bad + after));
                let hint = match last {
                    true => "it ends within a character; is it cut short?".to_owned(),
                    false if encoding != UTF_8 => "mend or convert it".to_owned(),
                    false => guess(&self.text[..written], &input[from..]),
                };
                let malformed = TextError::NotUtf8 {
                    path: self.source.path.clone(),
                    encoding: encoding.name(),
                    offset: self.offset - u64::from(bad) - u64::from(after),
                    within: self.source.within(),
                    hint,
                };
                return Err(Error::new(ErrorKind::InvalidData, malformed));
            }
        }
        self.bytes.consume(read);
        self.ready = 0..written;
        Ok(())
    }
}

impl BufRead for Decoded {
    fn fill_buf(&mut self) -> Result<&[u8]> {
        while self.ready.is_empty() && !self.ended {
            self.refill()?;
        }
        Ok(&self.text[self.ready.clone()])
    }

    fn consume(&mut self, amount: usize) {
        self.ready.start += amount;
    }
}

impl Read for Decoded {
    fn read(&mut self, out: &mut [u8]) -> Result<usize> {
        let amount = self.fill_buf()?.read(out)?;
        self.consume(amount);
        Ok(amount)
    }
}

/// The likely encoding of a text that is not UTF-8, and the fix, from the bytes before and after the first invalid one.
fn guess(before: &[u8], from: &[u8]) -> String {
    if !before.is_ascii() {
        return "what stands before is UTF-8: mend or remove these bytes".to_owned();
    }
    if from.contains(&0) {
        return "it holds NUL bytes and seems to be no text".to_owned();
    }
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    detector.feed(from, true);
    let name = match detector.guess(None, Utf8Detection::Deny) {
        encoding if encoding == encoding_rs::WINDOWS_1252 => "Latin-1 (windows-1252)",
        encoding => encoding.name(),
    };
    let from = name.trim_end_matches(')').rsplit('(').next().unwrap_or(name);
    format!("it seems to be {name}; convert it with `iconv -f {from} -t UTF-8`")
}

/// The encoding of a byte-order mark.
pub(super) fn marked(head: &[u8]) -> Option<&'static Encoding> {
    Encoding::for_bom(head).map(|(encoding, _)| encoding)
}

/// The likely encoding, of two or four bytes per character, of a text without a byte-order mark. Letters of most
/// alphabets have a small high byte and blanks a zero one, at the same position in each character.
pub(super) fn unmarked(head: &[u8], is_utf8: bool) -> Option<&'static str> {
    let zeros = |at: usize, width: usize| head.iter().skip(at).step_by(width).filter(|&&byte| byte == 0).count();
    let quads = head.len() / 4;
    for (name, highest, high, low) in [("UTF-32LE", 3, 2, 0), ("UTF-32BE", 0, 1, 3)] {
        let few = 2 * zeros(low, 4) < quads;
        if few && zeros(highest, 4) >= quads && 10 * zeros(high, 4) >= 9 * quads {
            return Some(name);
        }
    }
    let pairs = head.len() / 2;
    [("UTF-16LE", 1, 0), ("UTF-16BE", 0, 1)].into_iter().find_map(|(name, high, low)| {
        let small = head.iter().skip(high).step_by(2).filter(|&&byte| byte <= 0x20).count();
        let (blanks, none) = (zeros(high, 2), zeros(low, 2));
        let alphabet = blanks > 0 && 16 * blanks >= pairs && 20 * small >= 19 * pairs && 50 * none <= pairs;
        // Ideographs take both bytes; then the text is not UTF-8, and blanks alone have zeros.
        let ideographs = || !is_utf8 && blanks > 0 && none == 0 && is_utf16(&head[..2 * pairs], high);
        (alphabet || ideographs()).then_some(name)
    })
}

/// Whether pairs of bytes are UTF-16, apart from a character cut at the end.
fn is_utf16(pairs: &[u8], high: usize) -> bool {
    let units = pairs.chunks_exact(2).map(|pair| u16::from(pair[high]) << 8 | u16::from(pair[1 - high]));
    let mut broken = char::decode_utf16(units).enumerate().filter(|(_, unit)| unit.is_err()).map(|(at, _)| at);
    broken.next().is_none() || is_cut(pairs, high) && broken.next().is_none()
}

/// Whether the last unit is the first half of a character.
fn is_cut(pairs: &[u8], high: usize) -> bool {
    pairs.len() >= 2 && (0xD8..0xDC).contains(&pairs[pairs.len() - 2 + high])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide(text: &str, width: usize, big: bool) -> Vec<u8> {
        let ordered = |mut bytes: Vec<u8>| {
            if !big {
                bytes.reverse();
            }
            bytes
        };
        match width {
            2 => text.encode_utf16().flat_map(|unit| ordered(unit.to_be_bytes().into())).collect(),
            _ => text.chars().flat_map(|c| ordered(u32::from(c).to_be_bytes().into())).collect(),
        }
    }

    #[test]
    fn wide_encodings_are_told_without_a_mark() {
        let texts = [
            "It is a truth.\n",
            "Все счастливые семьи\n",
            "äöü ß",
            "“Quoted” – dashed…",
            "吾輩は猫である。\n名前はまだ無い。",
            "𝄞 is a clef",
        ];
        for text in texts {
            for (width, big, name) in
                [(2, false, "UTF-16LE"), (2, true, "UTF-16BE"), (4, false, "UTF-32LE"), (4, true, "UTF-32BE")]
            {
                let bytes = wide(text, width, big);
                let is_utf8 = std::str::from_utf8(&bytes).is_ok();
                assert_eq!(unmarked(&bytes, is_utf8), Some(name), "{text}");
            }
            assert_eq!(unmarked(text.as_bytes(), true), None, "{text}");
        }
    }

    #[test]
    fn nul_bytes_alone_are_no_wide_encoding() {
        for text in ["", "a", "\0\0\0\0", "one\0two\0three\0four\0", "abc\0def\0abc\0def\0", "ab\0\0\0\0\0\0ab"] {
            assert_eq!(unmarked(text.as_bytes(), true), None, "{text:?}");
        }
        assert_eq!(unmarked(b"caf\xE9 au lait, caf\xE9 noir", false), None);
    }
}
