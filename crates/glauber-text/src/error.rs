//! Errors of texts, vocabularies and shards.

use std::path::{Path, PathBuf};

use glauber_tokens::Token;

use crate::Coverage;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// A file or folder could not be read or written.
    #[error("cannot {action} {path}: {source}", path = .path.display())]
    Io {
        /// The action, for instance "read".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A path of the corpus does not exist.
    #[error("the corpus path {path} does not exist; correct `paths` of the corpus", path = .path.display())]
    Missing {
        /// The path.
        path: PathBuf,
    },
    /// The corpus names no file with text.
    #[error(
        "no text files under {paths}{found}; folders are searched for .txt, .md, .jsonl, .parquet, .json, .ndjson, .jsonlines, .csv, .tsv, \
         .pq and .parq, each also as .gz or .zst; name other plain-text files one by one in `paths`"
    )]
    NoFiles {
        /// The paths searched.
        paths: String,
        /// " (found: 2 .png)" if there are other files.
        found: String,
    },
    /// The corpus has files but no text.
    #[error("the corpus holds no text: all of its {files} file(s) are empty")]
    EmptyCorpus {
        /// Number of files.
        files: usize,
    },
    /// The tokenizer has no token for any of the corpus.
    #[error(
        "the tokenizer has no token for any of the corpus, {bytes} bytes of text; use a tokenizer trained on such text, or \
         `kind = \"bpe\"` or \"bytes\""
    )]
    NoTokens {
        /// Bytes of text.
        bytes: u64,
    },
    /// The tokenizer loses too much of the corpus.
    #[error(
        "the tokenizer cannot express the corpus: {coverage}, more than `data.prepare.max_lost` = {limit} allows; use a tokenizer trained on such text, or `kind = \"bpe\"` or \"bytes\", or raise `data.prepare.max_lost`"
    )]
    Inexpressible {
        /// The lost share.
        coverage: Coverage,
        /// The allowed share.
        limit: f64,
    },
    /// A share of the preparation is out of range.
    #[error("`{key}` is {found}, expected {expected}")]
    OutOfRange {
        /// The key.
        key: &'static str,
        /// The share found.
        found: f64,
        /// The shares allowed.
        expected: &'static str,
    },
    /// A file is not UTF-8, or not UTF-16 despite its byte-order mark.
    #[error("{path} is not {encoding} at byte {offset}{within}: {hint}", path = .path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The encoding that was read.
        encoding: &'static str,
        /// Byte offset of the first invalid byte.
        offset: u64,
        /// " of its decompressed content" if it is compressed.
        within: &'static str,
        /// Its likely encoding and the fix.
        hint: String,
    },
    /// A file has an unsupported kind.
    #[error("{path} is {found}, which is not supported: {cure}", path = .path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Its kind.
        found: String,
        /// How to convert it to text.
        cure: String,
    },
    /// A setting without effect on the corpus.
    #[error("{key} \"{value}\" has no effect: {path} {reason}; leave it out", path = .path.display())]
    WithoutEffect {
        /// The flag or key.
        key: &'static str,
        /// Its value.
        value: String,
        /// The first file.
        path: PathBuf,
        /// The reason.
        reason: &'static str,
    },
    /// A record of a JSON file is not an object.
    #[error("{path}, line {line}: not a JSON object: {reason}", path = .path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The parser's error.
        reason: String,
    },
    /// A CSV file cannot be split into rows.
    #[error("cannot read {path} as CSV: {reason}", path = .path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// The error and its line.
        reason: String,
    },
    /// No record has the text column.
    #[error("{path}{place}: no text column \"{column}\"; found {found}; set `column` (`--column`) to one that holds strings", path = .path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// ", line 3" if it has lines.
        place: String,
        /// The requested column.
        column: String,
        /// The available columns, with their types.
        found: String,
    },
    /// The text of a record is not a string.
    #[error("{path}{place}: {column} ({found}) is not a string; correct it, or set `column` (`--column`) to one that holds strings", path = .path.display())]
    NotAString {
        /// The file.
        path: PathBuf,
        /// The line or the row.
        place: String,
        /// The column.
        column: String,
        /// The value found.
        found: &'static str,
    },
    /// A Parquet file cannot be read.
    #[error("cannot read {path} as Parquet: {source}", path = .path.display())]
    Parquet {
        /// The file.
        path: PathBuf,
        /// The reader's error.
        source: parquet::errors::ParquetError,
    },
    /// The text has a character outside the vocabulary.
    #[error(
        "the character {character:?} (U+{code:04X}) is not in the vocabulary of {size} characters; train the character vocabulary on text that contains it, set `max_characters` to get an unknown token, or use `kind = \"bpe\"` or \"bytes\"", code = *character as u32
    )]
    UnknownCharacter {
        /// The character.
        character: char,
        /// Characters in the vocabulary.
        size: usize,
    },
    /// A tokenizer file or setting cannot be used.
    #[error("{subject}: {reason}")]
    Tokenizer {
        /// The file or the setting.
        subject: String,
        /// The problem and the fix.
        reason: String,
    },
    /// Ordinary text was encoded to a structural token.
    #[error(
        "the tokenizer turns ordinary text into the structural token {name:?} ({token}); remove {name:?} from the text or use another tokenizer"
    )]
    StructureInText {
        /// The token.
        token: Token,
        /// Its name.
        name: String,
    },
    /// A token lies outside the vocabulary.
    #[error(
        "token {token} at site {site} is outside the vocabulary 0..{vocab}; were these tokens encoded by another codec?"
    )]
    OutsideVocabulary {
        /// The token.
        token: Token,
        /// Its site.
        site: usize,
        /// The vocabulary size.
        vocab: usize,
    },
    /// The token cache could not be written or read, or its streams are too short.
    #[error(transparent)]
    Shards(#[from] glauber_shards::ShardError),
    /// A template without a gap.
    #[error("the template has no gap; write ____ for a gap of the default length or {{n}} for one of n tokens")]
    NoGap,
    /// A template that cannot be read, laid out over a sequence, or rendered.
    #[error("{0}")]
    Template(String),
}

impl TextError {
    /// For `map_err`: an I/O error with its action and path, or the error of this crate inside it.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| source.downcast().unwrap_or_else(|source| Self::Io { action, path, source })
    }

    /// A tokenizer error with its subject.
    pub(crate) fn tokenizer(subject: impl Into<String>, reason: impl ToString) -> Self {
        Self::Tokenizer { subject: subject.into(), reason: reason.to_string() }
    }
}
