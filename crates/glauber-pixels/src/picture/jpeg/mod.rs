//! Checks that a JPEG file is complete.
//!
//! Decoders fill missing parts with grey or decoded zeros. This check parses the scans without decoding a picture.
//! Every block of every scan must be coded by existing bits, each scan must end with its bits, and the end marker must
//! follow. Bytes after the end marker are ignored, and a thumbnail is skipped with its segment.

mod bits;
mod scan;

use bits::{Bits, Table};
use scan::Scan;

/// Maximal padding between the last block of a scan and the next marker; some cameras write a few bytes.
const PADDING: usize = 16;
/// Scans at most; the decoder refuses more.
const MOST_SCANS: usize = 100;

/// A defect of a file.
pub(super) type Fault = &'static str;

const CUT: Fault = "the file is cut off: there is no end-of-image marker";
const SHORT: Fault = "the data of the picture end too early";
const LONG: Fault = "data are left over after the last block of the picture";
const CORRUPT: Fault = "the data of the picture are corrupt";
const NO_RESTART: Fault = "a restart marker is missing in the data of the picture";
const ABSENT: Fault = "there are no data for a part of the picture's colours";

/// A component of the picture: brightness, or a colour.
struct Component {
    id: u8,
    across: usize,
    down: usize,
    /// Whether a scan has begun it.
    seen: bool,
    /// Of a progressive picture, which coefficients of each block are known not to be zero, a bit each.
    nonzero: Vec<u64>,
}

/// The picture's header.
struct Frame {
    progressive: bool,
    height: usize,
    width: usize,
    components: Vec<Component>,
}

impl Frame {
    /// None where there is nothing to check: without a size or components the decoder refuses it.
    fn read(marker: u8, body: &[u8]) -> Option<Self> {
        let [_, height_high, height_low, width_high, width_low, count, rest @ ..] = body else { return None };
        let components = rest.chunks_exact(3).take(usize::from(*count)).map(|bytes| {
            let (across, down) = (usize::from(bytes[1] >> 4), usize::from(bytes[1] & 15));
            Component { id: bytes[0], across, down, seen: false, nonzero: Vec::new() }
        });
        let frame = Self {
            progressive: marker == 0xC2,
            height: usize::from(u16::from_be_bytes([*height_high, *height_low])),
            width: usize::from(u16::from_be_bytes([*width_high, *width_low])),
            components: components.collect(),
        };
        let sampled = frame.components.iter().all(|c| (1..=4).contains(&c.across) && (1..=4).contains(&c.down));
        let whole = frame.height > 0 && frame.width > 0 && !frame.components.is_empty() && sampled;
        whole.then_some(frame)
    }

    /// The largest sampling factors.
    fn factors(&self) -> [usize; 2] {
        let largest = |factor: fn(&Component) -> usize| self.components.iter().map(factor).max().unwrap_or(1);
        [largest(|c| c.across), largest(|c| c.down)]
    }
}

/// Checks a file that begins as JPEG does. Kinds of JPEG that hardly anybody writes (lossless, arithmetic) are left to the decoder.
pub(super) fn check(bytes: &[u8]) -> Result<(), Fault> {
    let (mut at, mut scans, mut interval) = (2, 0, 0);
    let mut frame: Option<Frame> = None;
    let (mut coarse, mut fine): ([Option<Table>; 4], [Option<Table>; 4]) = Default::default();
    loop {
        let before = at;
        let marker = next_marker(bytes, &mut at).ok_or(CUT)?;
        // Behind the data come markers and segments; before them some cameras write what does not belong there.
        if scans > 0 && at - before > PADDING {
            return Err(LONG);
        }
        if marker == 0xD8 {
            return Err(CUT); // another picture begins
        }
        if marker == 0xD9 {
            break;
        }
        if matches!(marker, 0x01 | 0xD0..=0xD7) {
            continue; // markers without a segment
        }
        let length = bytes.get(at..at + 2).ok_or(CUT)?;
        let end = at + usize::from(u16::from_be_bytes([length[0], length[1]])).max(2);
        let body = bytes.get(at + 2..end).ok_or(CUT)?;
        at = end;
        match marker {
            0xC4 => Table::read_all(body, &mut coarse, &mut fine),
            0xC0..=0xC2 => match Frame::read(marker, body) {
                Some(found) => frame = Some(found),
                None => return Ok(()),
            },
            0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => return Ok(()),
            0xDD => interval = body.first_chunk().map_or(0, |bytes| usize::from(u16::from_be_bytes(*bytes))),
            0xDA => {
                let (Some(frame), true) = (&mut frame, scans < MOST_SCANS) else { return Ok(()) };
                let scan = Scan::read(body, frame).ok_or(CORRUPT)?;
                let mut bits = Bits::new(bytes, at);
                scan.walk(frame, [&coarse, &fine], interval, &mut bits)?;
                at = close(bits)?.0;
                scans += 1;
            }
            _ => {}
        }
    }
    let whole = frame.is_none_or(|frame| frame.components.iter().all(|component| component.seen));
    if whole { Ok(()) } else { Err(ABSENT) }
}

/// The next marker, whatever stands before it; `at` is then behind it.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        let rest = bytes.get(*at..)?;
        let start = rest.iter().position(|&byte| byte == 0xFF)?;
        let marker = rest[start..].iter().position(|&byte| byte != 0xFF)?;
        *at += start + marker + 1;
        match rest[start + marker] {
            0 => {} // a stuffed byte of data
            marker => return Some(marker),
        }
    }
}

/// The end of a scan, or of a part of it that ends in a restart marker: where the marker stands, and which it is.
fn close(bits: Bits<'_>) -> Result<(usize, u8), Fault> {
    let (unread, from) = bits.rest();
    let mut behind = from;
    let marker = next_marker(bits.bytes(), &mut behind).ok_or(CUT)?;
    let place = behind - 2;
    if unread + place.saturating_sub(from) > PADDING { Err(LONG) } else { Ok((place, marker)) }
}
