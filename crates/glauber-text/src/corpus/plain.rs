//! Plain text.

use std::io::{BufRead, BufReader, Read};

use super::source::Source;
use super::{DocumentSplit, Passage};
use crate::TextError;

/// Passages of a whole file end at the first blank line from here on.
const PASSAGE: usize = 8 << 10;
/// No line is read, and no passage grows, much beyond this.
const LONGEST: usize = 64 << 10;

/// Lines as UTF-8, with their endings.
pub(super) struct Lines {
    source: Source,
    bytes: BufReader<Box<dyn Read + Send>>,
    /// The beginning of a character that the limit cut.
    carried: Vec<u8>,
    limit: u64,
    offset: u64,
}

impl Lines {
    /// Lines longer than `limit` bytes (at least 4) come in parts.
    pub(super) fn open(source: &Source, limit: u64) -> Result<Self, TextError> {
        Ok(Self { source: source.clone(), bytes: source.bytes()?, carried: Vec::new(), limit, offset: 0 })
    }

    /// The next line or part of one; `None` at the end of the file.
    pub(super) fn next(&mut self) -> Result<Option<String>, TextError> {
        let mut line = std::mem::take(&mut self.carried);
        let read = self
            .bytes
            .by_ref()
            .take(self.limit)
            .read_until(b'\n', &mut line)
            .map_err(TextError::io(self.source.action(), &self.source.path))?;
        if let Err(error) = std::str::from_utf8(&line) {
            let valid = error.valid_up_to();
            if error.error_len().is_some() || (read as u64) < self.limit {
                return Err(TextError::NotUtf8 { path: self.source.path.clone(), offset: self.offset + valid as u64 });
            }
            self.carried = line.split_off(valid);
        }
        self.offset += line.len() as u64;
        let line = String::from_utf8(line).expect("cut where it is valid");
        Ok(Some(line).filter(|line| !line.is_empty()))
    }
}

/// Reads a plain-text file.
pub(super) fn read(
    source: &Source,
    split: DocumentSplit,
) -> Result<impl Iterator<Item = Result<Passage, TextError>> + Send + use<>, TextError> {
    let mut reader = PlainReader { lines: Lines::open(source, LONGEST as u64)?, split, continues: false };
    Ok(std::iter::from_fn(move || reader.passage().transpose()))
}

struct PlainReader {
    lines: Lines,
    split: DocumentSplit,
    /// Whether the next passage belongs to the document of the last one.
    continues: bool,
}

impl PlainReader {
    fn passage(&mut self) -> Result<Option<Passage>, TextError> {
        match self.split {
            DocumentSplit::WholeFile => self.stretch(),
            DocumentSplit::Paragraphs => self.blocks(false),
            DocumentSplit::Lines => self.blocks(true),
        }
    }

    /// The next passage of a file that is one document.
    fn stretch(&mut self) -> Result<Option<Passage>, TextError> {
        let mut text = String::new();
        while let Some(line) = self.lines.next()? {
            text.push_str(&line);
            let blank = is_blank(&line);
            if text.len() >= LONGEST || (blank && text.len() >= PASSAGE) {
                break;
            }
        }
        let continues = std::mem::replace(&mut self.continues, true);
        Ok(Some(Passage { text, continues }).filter(|passage| !passage.text.is_empty()))
    }

    /// The next paragraph, or the next line that is not blank.
    fn blocks(&mut self, single: bool) -> Result<Option<Passage>, TextError> {
        let mut text = String::new();
        let continues = self.continues;
        self.continues = false;
        while let Some(line) = self.lines.next()? {
            let ended = line.ends_with('\n');
            if is_blank(&line) {
                if text.is_empty() && !continues {
                    continue;
                }
                break;
            }
            text.push_str(&line);
            if single && ended {
                break;
            }
            if text.len() >= LONGEST {
                // The line ending stays: the text goes on.
                self.continues = true;
                return Ok(Some(Passage { text, continues }));
            }
        }
        if text.is_empty() && !continues {
            return Ok(None);
        }
        strip_line_ending(&mut text);
        // An empty text ends a document whose last part came before; the reader of passages drops it.
        Ok(Some(Passage { text, continues }))
    }
}

fn is_blank(line: &str) -> bool {
    line.trim().is_empty()
}

fn strip_line_ending(text: &mut String) {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
}
