//! A text column of CSV and TSV files.

use std::io::{BufRead, Read, Result as IoResult};

use super::decoded::Decoded;
use super::source::Source;
use super::{Passage, listed};
use crate::TextError;

/// Reads `column` of every record below the header; skips empty cells. The delimiter is the first common one, starting
/// with `usual`, for which the header has the column.
pub(super) fn read(
    source: &Source,
    column: &str,
    usual: u8,
) -> Result<impl Iterator<Item = Result<Option<Passage>, TextError>> + Send + use<>, TextError> {
    let mut text = Decoded::open(source)?;
    let path = source.path.clone();
    let told = told_delimiter(text.fill_buf().map_err(TextError::io("read", &path))?);
    let line = match &told {
        Some((_, length)) => {
            text.consume(*length);
            2
        }
        None => 1,
    };
    let head = text.fill_buf().map_err(TextError::io("read", &path))?;
    let usual = told.map_or(usual, |(delimiter, _)| delimiter);
    let candidates = [usual, b',', b'\t', b';', b'|'];
    let (delimiter, indices) = candidates
        .into_iter()
        .map(|delimiter| (delimiter, positions(&names(head, delimiter), column)))
        .find(|(_, indices)| !indices.is_empty())
        .ok_or_else(|| TextError::Column {
            path: path.clone(),
            place: format!(", line {line}"),
            column: column.to_owned(),
            found: listed(names(head, usual).into_iter()),
        })?;
    let [index] = indices[..] else {
        let count = indices.len();
        let reason = format!("{count} columns are named \"{column}\" in line {line}; rename all but one");
        return Err(TextError::Csv { path, reason });
    };
    let checked = Checked { text, delimiter, state: State::Begin, line, begun: line };
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).buffer_capacity(1 << 16).from_reader(checked);
    let mut record = csv::StringRecord::new();
    let mut next = move || -> Result<Option<Option<Passage>>, TextError> {
        let failed = |error: csv::Error| {
            let reason = match error.kind() {
                csv::ErrorKind::UnequalLengths { pos, expected_len, len } => format!(
                    "the row{} has {len} fields and the line of names {expected_len}; quote the fields that hold the delimiter, or mend the row",
                    pos.as_ref().map(|pos| format!(" in line {}", pos.line() + line - 1)).unwrap_or_default()
                ),
                _ => error.to_string(),
            };
            match error.into_kind() {
                csv::ErrorKind::Io(error) => TextError::io("read", &path)(error),
                _ => TextError::Csv { path: path.clone(), reason },
            }
        };
        Ok(reader.read_record(&mut record).map_err(failed)?.then(|| {
            let text = record.get(index).filter(|text| !text.is_empty())?.to_owned();
            Some(Passage { text, continues: false })
        }))
    };
    Ok(std::iter::from_fn(move || next().transpose()))
}

/// The delimiter of a first line such as `sep=;`, which spreadsheets write, and the length of that line in bytes.
fn told_delimiter(head: &[u8]) -> Option<(u8, usize)> {
    let (&delimiter, rest) = head.strip_prefix(b"sep=")?.split_first()?;
    let end = [&b"\r\n"[..], b"\n"].into_iter().find(|end| rest.starts_with(end))?;
    Some((delimiter, b"sep=;".len() + end.len()))
}

/// The index of a name among others, ignoring surrounding white space.
fn positions(names: &[String], column: &str) -> Vec<usize> {
    let found = names.iter().enumerate().filter(|(_, name)| name.trim() == column.trim());
    found.map(|(index, _)| index).collect()
}

/// The names in the first line.
fn names(head: &[u8], delimiter: u8) -> Vec<String> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(head);
    reader.headers().map(|names| names.iter().map(str::to_owned).collect()).unwrap_or_default()
}

/// Rejects quotes that the CSV reader would silently drop or that would join rows: a field that continues after its
/// closing quote, and an unclosed field.
struct Checked {
    text: Decoded,
    delimiter: u8,
    state: State,
    line: u64,
    /// The line on which the quoted field starts.
    begun: u64,
}

#[derive(PartialEq, Eq)]
enum State {
    /// Of a field.
    Begin,
    Bare,
    Quoted,
    /// Behind a quote in a quoted field.
    Closed,
}

impl Checked {
    fn step(&mut self, byte: u8) -> IoResult<()> {
        let ends = byte == self.delimiter || byte == b'\n' || byte == b'\r';
        self.state = match self.state {
            State::Begin if byte == b'"' => {
                self.begun = self.line;
                State::Quoted
            }
            State::Quoted if byte != b'"' => State::Quoted,
            State::Quoted => State::Closed,
            State::Closed if byte == b'"' => State::Quoted,
            State::Closed if !ends => return Err(self.wrong("goes on behind its closing quote")),
            _ if ends => State::Begin,
            _ => State::Bare,
        };
        self.line += u64::from(byte == b'\n');
        Ok(())
    }

    fn wrong(&self, what: &str) -> std::io::Error {
        let reason = format!("the quoted field that begins in line {} {what}; double the quotes within it", self.begun);
        std::io::Error::other(TextError::Csv { path: self.text.path().to_owned(), reason })
    }
}

impl Read for Checked {
    fn read(&mut self, out: &mut [u8]) -> IoResult<usize> {
        let amount = self.text.read(out)?;
        for &byte in &out[..amount] {
            self.step(byte)?;
        }
        match amount == 0 && self.state == State::Quoted {
            true => Err(self.wrong("is never closed")),
            false => Ok(amount),
        }
    }
}
