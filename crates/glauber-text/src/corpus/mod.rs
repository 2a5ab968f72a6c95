//! A corpus: files read as a stream of documents.

mod csv;
mod decoded;
mod found;
mod json;
mod kinds;
mod parquet;
mod plain;
mod source;

use std::path::PathBuf;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::TextError;
use found::Found;
use source::{Format, Source};

/// Configuration of a corpus.
///
/// ```
/// use glauber_text::{CorpusConfig, DocumentSplit};
///
/// let config: CorpusConfig = serde_json::from_str(r#"{ "paths": ["books"], "split_documents": "paragraphs" }"#)?;
/// assert_eq!(config.split_documents, DocumentSplit::Paragraphs);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CorpusConfig {
    /// Files and folders, read in this order, each file once.
    ///
    /// `.jsonl`, `.ndjson`, `.jsonlines` and `.json` are JSON objects: one per line, in sequence, or in an array.
    /// `.csv` and `.tsv` start with a header; `.parquet`, `.pq` and `.parq` are Parquet. Gzip, zstd and Parquet are
    /// recognised by content, whatever the file name. Any other named file is plain text. If [`column`](Self::column)
    /// is given and the file starts with a JSON object that has it, the file is JSON. Text is UTF-8, or UTF-16 with a
    /// byte-order mark.
    ///
    /// Folders are searched recursively in the order of file names for `.txt`, `.md`, `.jsonl` and `.parquet`. If there
    /// are none, they are searched for the other endings above. Any ending may be followed by `.gz` or `.zst`. Hidden
    /// files are skipped.
    pub paths: Vec<PathBuf>,
    /// The Parquet column, JSON field or CSV column with the text; default "text". Dots select fields of Parquet
    /// structures. Rows without a text (null, absent, an empty cell) are skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// How plain-text files divide into documents.
    #[serde(default)]
    pub split_documents: DocumentSplit,
}

impl CorpusConfig {
    /// The paths with everything else at its default.
    pub fn new<P: Into<PathBuf>>(paths: impl IntoIterator<Item = P>) -> Self {
        Self {
            paths: paths.into_iter().map(Into::into).collect(),
            column: None,
            split_documents: DocumentSplit::default(),
        }
    }
}

/// How plain-text files are split into documents. Rows of Parquet and CSV files and JSON objects are always documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentSplit {
    /// A file is a document, character for character. It is read in passages of about 8 kB that end at blank lines if
    /// possible (64 kB at most). A long book is thus not held in memory, and both training and validation get parts of
    /// it.
    #[default]
    WholeFile,
    /// Blank lines separate documents. They belong to no document, nor does a document's last line ending.
    Paragraphs,
    /// Every line is a document, without its line ending; blank lines are none.
    Lines,
}

/// A passage: a document, or a part of a long one. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The unchanged text of the file, with its line endings and Unicode form.
    pub text: String,
    /// Whether it continues the previous passage.
    pub continues: bool,
}

/// The files of a corpus, found once.
#[derive(Debug, Clone)]
pub struct Corpus {
    sources: Vec<Source>,
    column: Option<String>,
    split: DocumentSplit,
    remarks: Vec<String>,
}

impl Corpus {
    /// Finds the files and reads the head of each.
    ///
    /// # Errors
    /// [`TextError::Missing`] names a path that does not exist, [`TextError::NoFiles`] when folders hold no text,
    /// [`TextError::NotText`] a file that is not text; [`TextError::Io`], also for a pipe or a device.
    pub fn open(config: &CorpusConfig) -> Result<Self, TextError> {
        let mut found = Found::default();
        for path in &config.paths {
            found.add(path)?;
        }
        if found.files.is_empty() {
            let paths: Vec<String> = config.paths.iter().map(|p| p.display().to_string()).collect();
            let found = found.unsought().map_or_else(String::new, |kinds| format!(" (found: {kinds})"));
            return Err(TextError::NoFiles { paths: paths.join(", "), found });
        }
        let column = config.column.as_deref();
        let sources: Vec<Source> =
            found.files.iter().map(|path| Source::look(path, column)).collect::<Result<_, _>>()?;
        let mut remarks = found.passed_over();
        let doubtful: Vec<&Source> = sources.iter().filter(|source| source.is_doubtful).collect();
        if let Some(first) = doubtful.first() {
            let (count, path) = (doubtful.len(), first.path.display());
            remarks.push(format!(
                "read as plain text: {count} file(s) that begin with a JSON object, first {path}; `--column NAME` reads a field, of files named `.jsonl` whatever their first object holds"
            ));
        }
        Ok(Self { sources, column: config.column.clone(), split: config.split_documents, remarks })
    }

    /// The files in reading order.
    pub fn files(&self) -> impl Iterator<Item = &std::path::Path> {
        self.sources.iter().map(|source| source.path.as_path())
    }

    /// Messages about the search: skipped files, and files that may have another format. One sentence each.
    #[must_use]
    pub fn remarks(&self) -> &[String] {
        &self.remarks
    }

    /// Rejects a `column` if no file has columns.
    ///
    /// # Errors
    /// [`TextError::WithoutEffect`].
    pub fn check_column(&self) -> Result<(), TextError> {
        match &self.column {
            Some(column) if self.sources.iter().all(|source| source.format == Format::Plain) => {
                let reason = match json::begins(&self.sources[0], None) {
                    true => "begins with a JSON object that lacks it, and is read as plain text",
                    false => "is plain text, which has no columns",
                };
                Err(self.without_effect("`--column`", column.clone(), reason))
            }
            _ => Ok(()),
        }
    }

    /// Rejects a `split_documents` other than the default if no file is plain text.
    ///
    /// # Errors
    /// [`TextError::WithoutEffect`].
    pub fn check_split(&self) -> Result<(), TextError> {
        let plain = self.sources.iter().any(|source| source.format == Format::Plain);
        match plain || self.split == DocumentSplit::default() {
            true => Ok(()),
            false => {
                let value = format!("{:?}", self.split).to_lowercase();
                Err(self.without_effect(
                    "`split_documents`",
                    value,
                    "is not plain text: each of its rows is a document",
                ))
            }
        }
    }

    fn without_effect(&self, key: &'static str, value: String, reason: &'static str) -> TextError {
        TextError::WithoutEffect { key, value, path: self.sources[0].path.clone(), reason }
    }

    /// Reads the corpus from its start, passage by passage. The stream ends after an error.
    #[must_use]
    pub fn documents(&self) -> Documents<'_> {
        Documents { corpus: self, next: 0, current: None, rows_without_text: 0 }
    }

    /// Blake3 of the files' content and the reading options, without names and dates, so that a moved corpus has the
    /// same hash.
    pub(crate) fn content_hash(&self) -> Result<blake3::Hash, TextError> {
        let hashes: Vec<blake3::Hash> = self.sources.par_iter().map(Source::content_hash).collect::<Result<_, _>>()?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(format!("{:?}\0{}\0", self.split, self.column()).as_bytes());
        for (source, hash) in self.sources.iter().zip(hashes) {
            // Texts with a mark were once read with it.
            let mark = if source.mark.is_some() { "marked " } else { "" };
            let (format, compression) = (source.format.key(), source.compression);
            hasher.update(format!("{format} {compression:?} {mark}{hash}\0").as_bytes());
        }
        Ok(hasher.finalize())
    }

    fn column(&self) -> &str {
        self.column.as_deref().unwrap_or("text")
    }

    fn read(&self, source: &Source) -> Result<Rows, TextError> {
        let column = self.column();
        Ok(match source.format {
            Format::Plain => Box::new(plain::read(source, self.split)?.map(|passage| passage.map(Some))),
            Format::Json => Box::new(json::read(source, column)?),
            Format::Csv => Box::new(csv::read(source, column, b',')?),
            Format::Tsv => Box::new(csv::read(source, column, b'\t')?),
            Format::Parquet => Box::new(parquet::read(source, column)?),
        })
    }
}

/// Passages, and `None` for a row without text.
type Rows = Box<dyn Iterator<Item = Result<Option<Passage>, TextError>> + Send>;

/// The passages of a corpus, from [`Corpus::documents`].
pub struct Documents<'a> {
    corpus: &'a Corpus,
    next: usize,
    current: Option<Rows>,
    rows_without_text: u64,
}

impl Documents<'_> {
    /// Rows skipped so far because their text is null, absent or an empty cell.
    #[must_use]
    pub fn rows_without_text(&self) -> u64 {
        self.rows_without_text
    }

    fn advance(&mut self) -> Result<Option<Passage>, TextError> {
        loop {
            while let Some(row) = self.current.as_mut().and_then(Iterator::next) {
                match row? {
                    None => self.rows_without_text += 1,
                    Some(passage) if passage.text.is_empty() => {}
                    passage => return Ok(passage),
                }
            }
            let Some(source) = self.corpus.sources.get(self.next) else { return Ok(None) };
            self.next += 1;
            self.current = Some(self.corpus.read(source)?);
        }
    }
}

impl Iterator for Documents<'_> {
    type Item = Result<Passage, TextError>;

    fn next(&mut self) -> Option<Self::Item> {
        let passage = self.advance();
        if passage.is_err() {
            self.current = None;
            self.next = self.corpus.sources.len();
        }
        passage.transpose()
    }
}

/// Names in one line, truncated if needed.
fn listed(names: impl Iterator<Item = String>) -> String {
    const NAMES: usize = 20;
    const LENGTH: usize = 60;
    let mut names = names.map(|name| match name.char_indices().nth(LENGTH) {
        Some((cut, _)) => format!("{}…", &name[..cut]),
        None => name,
    });
    let mut shown: Vec<String> = names.by_ref().take(NAMES).collect();
    match names.count() {
        0 => {}
        more => shown.push(format!("and {more} more")),
    }
    shown.join(", ")
}
