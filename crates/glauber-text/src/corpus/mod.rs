//! A corpus: files read as a stream of documents.

mod jsonl;
mod parquet;
mod plain;
mod source;

use std::path::PathBuf;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::TextError;
use source::{Format, Source};

/// Where the text comes from.
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
    /// Files and folders, read in this order. Folders are searched recursively in the order of file names for `.txt`, `.md`,
    /// `.jsonl` and `.parquet`, each also with `.gz` or `.zst` behind; hidden files are passed over. A file named here with another
    /// extension is read as plain text.
    pub paths: Vec<PathBuf>,
    /// The Parquet column or JSON field that holds the text; "text" if not given.
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

/// How plain-text files divide into documents. Rows of Parquet files and lines of `.jsonl` files are documents always.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DocumentSplit {
    /// A file is a document, character for character. It comes in passages of about 8 kB that end at blank lines where there are
    /// any (64 kB at the latest), so that a long book is neither held in memory nor wholly training or wholly validation.
    #[default]
    WholeFile,
    /// Blank lines divide documents and belong to none, nor does a document's last line ending.
    Paragraphs,
    /// Every line is a document, without its line ending; blank lines are none.
    Lines,
}

/// A stretch of text: a document, or a part of a long one. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// The text as the file has it: no change of line endings or of Unicode form.
    pub text: String,
    /// Whether it goes on directly where the passage before ended.
    pub continues: bool,
}

/// The files of a corpus, found once.
#[derive(Debug, Clone)]
pub struct Corpus {
    sources: Vec<Source>,
    column: String,
    split: DocumentSplit,
}

impl Corpus {
    /// Finds the files.
    ///
    /// # Errors
    /// [`TextError::Missing`] names a path that does not exist, [`TextError::NoFiles`] when folders hold no text, [`TextError::Io`].
    pub fn open(config: &CorpusConfig) -> Result<Self, TextError> {
        let mut sources = Vec::new();
        for path in &config.paths {
            source::find(path, &mut sources)?;
        }
        if sources.is_empty() {
            let paths: Vec<String> = config.paths.iter().map(|p| p.display().to_string()).collect();
            return Err(TextError::NoFiles { paths: paths.join(", ") });
        }
        let column = config.column.clone().unwrap_or_else(|| "text".to_owned());
        Ok(Self { sources, column, split: config.split_documents })
    }

    /// The files in reading order.
    pub fn files(&self) -> impl Iterator<Item = &std::path::Path> {
        self.sources.iter().map(|source| source.path.as_path())
    }

    /// Reads the corpus from its start, a passage at a time. After an error the stream ends.
    #[must_use]
    pub fn documents(&self) -> Documents<'_> {
        Documents { corpus: self, next: 0, current: None }
    }

    /// Blake3 over the content of the files and the reading options, not over names and dates: a corpus that has moved is the same.
    pub(crate) fn content_hash(&self) -> Result<blake3::Hash, TextError> {
        let hashes: Vec<blake3::Hash> = self.sources.par_iter().map(Source::content_hash).collect::<Result<_, _>>()?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(format!("{:?}\0{}\0", self.split, self.column).as_bytes());
        for (source, hash) in self.sources.iter().zip(hashes) {
            hasher.update(format!("{:?} {:?} {hash}\0", source.format, source.compression).as_bytes());
        }
        Ok(hasher.finalize())
    }

    fn read(&self, source: &Source) -> Result<Passages, TextError> {
        Ok(match source.format {
            Format::Plain => Box::new(plain::read(source, self.split)?),
            Format::JsonLines => Box::new(jsonl::read(source, &self.column)?),
            Format::Parquet => Box::new(parquet::read(source, &self.column)?),
        })
    }
}

type Passages = Box<dyn Iterator<Item = Result<Passage, TextError>> + Send>;

/// The passages of a corpus, from [`Corpus::documents`].
pub struct Documents<'a> {
    corpus: &'a Corpus,
    next: usize,
    current: Option<Passages>,
}

impl Documents<'_> {
    fn advance(&mut self) -> Result<Option<Passage>, TextError> {
        loop {
            if let Some(passages) = &mut self.current {
                match passages.next() {
                    Some(Ok(passage)) if passage.text.is_empty() => continue,
                    Some(passage) => return passage.map(Some),
                    None => self.current = None,
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
