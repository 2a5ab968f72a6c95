//! Splits a stream into JSON objects.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use serde_json::Error as JsonError;

use super::record::field;
use crate::TextError;

/// Objects, each with the line on which it begins, from 1.
pub(super) struct Records<R> {
    text: R,
    path: PathBuf,
    line: u64,
    layout: Layout,
}

#[derive(Clone, Copy)]
enum Layout {
    /// Nothing is read yet.
    Unknown,
    /// One object per line, so that an error does not affect the next.
    Lines,
    /// Objects in sequence.
    Values,
    /// An array, before an element or behind one.
    Array { behind: bool },
}

type Record = (u64, Vec<u8>);

impl<R: BufRead> Records<R> {
    pub(super) fn new(text: R, path: &Path) -> Self {
        Self { text, path: path.to_owned(), line: 1, layout: Layout::Unknown }
    }

    pub(super) fn next(&mut self) -> Result<Option<Record>, TextError> {
        loop {
            let Some(byte) = self.peek()? else {
                return match self.layout {
                    Layout::Array { .. } => Err(self.wrong(self.line, "the file ends within an array")),
                    _ => Ok(None),
                };
            };
            match (self.layout, byte) {
                (Layout::Unknown, b'{') => {
                    let (start, line) = self.line()?;
                    // An object that goes on in the next line.
                    if field(&line, "").is_err_and(|error| error.is_eof()) {
                        self.layout = Layout::Values;
                        return self.object(start, line).map(Some);
                    }
                    self.layout = Layout::Lines;
                    return Ok(Some((start, unended(line))));
                }
                (Layout::Lines, _) => {
                    let (start, line) = self.line()?;
                    if byte == b'{' || !String::from_utf8_lossy(&line).trim().is_empty() {
                        return Ok(Some((start, unended(line))));
                    }
                }
                (Layout::Unknown | Layout::Values, b'[') => self.step(Layout::Array { behind: false }),
                (Layout::Array { .. }, b']') => self.step(Layout::Values),
                (Layout::Array { behind: true }, b',') => self.step(Layout::Array { behind: false }),
                (Layout::Values, b'{') => return self.object(self.line, Vec::new()).map(Some),
                (Layout::Array { behind: false }, b'{') => {
                    self.layout = Layout::Array { behind: true };
                    return self.object(self.line, Vec::new()).map(Some);
                }
                _ => {
                    let found = char::from(byte).escape_default();
                    return Err(self.wrong(self.line, format!("expected `{{`, found `{found}`")));
                }
            }
        }
    }

    /// The next byte that is not blank. A byte-order mark counts as blank, because files may be concatenated.
    fn peek(&mut self) -> Result<Option<u8>, TextError> {
        loop {
            let ready = self.text.fill_buf().map_err(TextError::io("read", &self.path))?;
            let blanks = ready.iter().take_while(|byte| b" \t\r\n".contains(byte)).count();
            self.line += lines(&ready[..blanks]);
            let (next, marked) = (ready.get(blanks).copied(), ready[blanks..].starts_with("\u{FEFF}".as_bytes()));
            let ended = ready.is_empty();
            self.text.consume(if marked { blanks + 3 } else { blanks });
            if ended || next.is_some() && !marked {
                return Ok(next);
            }
        }
    }

    /// Takes one byte.
    fn step(&mut self, layout: Layout) {
        self.text.consume(1);
        self.layout = layout;
    }

    fn line(&mut self) -> Result<Record, TextError> {
        let (start, mut line) = (self.line, Vec::new());
        self.text.read_until(b'\n', &mut line).map_err(TextError::io("read", &self.path))?;
        self.line += lines(&line);
        Ok((start, line))
    }

    /// A partly read object.
    fn object(&mut self, start: u64, mut record: Vec<u8>) -> Result<Record, TextError> {
        let mut nesting = Nesting::default();
        record.iter().for_each(|&byte| _ = nesting.is_closed_by(byte));
        loop {
            let ready = self.text.fill_buf().map_err(TextError::io("read", &self.path))?;
            if ready.is_empty() {
                return Err(self.wrong(start, "the file ends within the object that begins here"));
            }
            let end = ready.iter().position(|&byte| nesting.is_closed_by(byte));
            let taken = end.map_or(ready.len(), |end| end + 1);
            record.extend_from_slice(&ready[..taken]);
            self.line += lines(&ready[..taken]);
            self.text.consume(taken);
            if end.is_some() {
                return Ok((start, record));
            }
        }
    }

    fn wrong(&self, line: u64, reason: impl Into<String>) -> TextError {
        TextError::Json { path: self.path.clone(), line, reason: reason.into() }
    }
}

/// The parser's error, with the line in the file.
pub(super) fn malformed(path: &Path, start: u64, error: &JsonError) -> TextError {
    let (reason, column) = (error.to_string(), error.column());
    let reason = reason.rsplit_once(" at line ").map_or(&*reason, |(reason, _)| reason);
    let line = start + (error.line() as u64).saturating_sub(1);
    TextError::Json { path: path.to_owned(), line, reason: format!("{reason}, at column {column}") }
}

/// A line without its ending: an error at its end is not of the next line.
fn unended(mut line: Vec<u8>) -> Vec<u8> {
    line.truncate(line.trim_ascii_end().len());
    line
}

fn lines(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// Where a string begins and ends.
#[derive(Default)]
pub(super) struct Strings {
    inside: bool,
    escaped: bool,
}

impl Strings {
    pub(super) fn inside(&self) -> bool {
        self.inside
    }

    pub(super) fn step(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = self.inside,
            b'"' => self.inside = !self.inside,
            _ => {}
        }
    }
}

#[derive(Default)]
struct Nesting {
    strings: Strings,
    depth: usize,
}

impl Nesting {
    /// Whether the outermost bracket is closed by the next byte.
    fn is_closed_by(&mut self, byte: u8) -> bool {
        self.strings.step(byte);
        match byte {
            _ if self.strings.inside() => return false,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => return false,
        }
        self.depth == 0
    }
}
