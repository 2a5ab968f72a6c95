//! Plain text.

use std::io::{BufRead, Read};

use super::decoded::Decoded;
use super::source::Source;
use super::{DocumentSplit, Passage};
use crate::TextError;

/// Passages of a whole file end at the first blank line after this size.
const PASSAGE: usize = 8 << 10;
/// Approximate maximal size of a line part and of a passage.
const LONGEST: usize = 64 << 10;

/// Lines with their endings; long lines are split.
struct Lines {
    text: Decoded,
    /// The start of a character cut at the limit.
    carried: Vec<u8>,
}

impl Lines {
    /// The next line or part of one; `None` at the end of the file.
    fn next(&mut self) -> Result<Option<String>, TextError> {
        let mut line = std::mem::take(&mut self.carried);
        self.text
            .by_ref()
            .take(LONGEST as u64)
            .read_until(b'\n', &mut line)
            .map_err(TextError::io("read", self.text.path()))?;
        if let Err(error) = std::str::from_utf8(&line) {
            self.carried = line.split_off(error.valid_up_to());
        }
        let line = String::from_utf8(line).expect("cut where it is valid");
        Ok(Some(line).filter(|line| !line.is_empty()))
    }
}

/// Reads a plain-text file.
pub(super) fn read(
    source: &Source,
    split: DocumentSplit,
) -> Result<impl Iterator<Item = Result<Passage, TextError>> + Send + use<>, TextError> {
    let lines = Lines { text: Decoded::open(source)?, carried: Vec::new() };
    let mut reader = PlainReader { lines, split, continues: false };
    Ok(std::iter::from_fn(move || reader.passage().transpose()))
}

struct PlainReader {
    lines: Lines,
    split: DocumentSplit,
    /// Whether the next passage continues the document.
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
