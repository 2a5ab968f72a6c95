//! What can go wrong with a run.

use std::error::Error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use glauber_descent::DescentError;
use glauber_train::TrainError;

use crate::run::HINT;

/// The result of whatever is done with a run.
pub type Result<T, E = RunError> = std::result::Result<T, E>;

/// An error of whatever is done with a run. With its sources it says what was found, what was expected, and what mends it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// Something is not as it must be.
    #[error("{0}")]
    Refused(String),
    /// What an error is of: a file, a flag, a key, or what was done.
    #[error("{of}")]
    Of {
        /// Its name, for people.
        of: String,
        /// The error.
        source: Box<RunError>,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// A file or folder of a run could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A file of a run is not what it should be.
    #[error("{path}: {found}; {hint}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What to do.
        hint: &'static str,
    },
    /// A file or folder belongs to something else.
    #[error("{path}: {found}, expected {expected}")]
    Mismatch {
        /// The file or folder.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What was expected, and which flag changes it.
        expected: String,
    },
    /// A text is no JSON or TOML, or not what it should be.
    #[error(transparent)]
    Malformed(Box<dyn Error + Send + Sync>),
    /// Training refused.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The network refused.
    #[error(transparent)]
    Model(#[from] glauber_model::ModelError),
    /// The chain refused.
    #[error(transparent)]
    Chain(#[from] glauber_chain::ChainError),
    /// The schedule refused.
    #[error(transparent)]
    Schedule(#[from] glauber_schedule::ScheduleError),
    /// Tokens do not fit together.
    #[error(transparent)]
    Token(#[from] glauber_tokens::TokenError),
    /// Tokens on disk refused.
    #[error(transparent)]
    Shard(#[from] glauber_shards::ShardError),
    /// A text or its tokenizer refused.
    #[error(transparent)]
    Text(#[from] glauber_text::TextError),
    /// A Sudoku grid refused.
    #[error(transparent)]
    Sudoku(#[from] glauber_sudoku::SudokuError),
    /// An image refused.
    #[error(transparent)]
    Pixel(#[from] glauber_pixels::PixelError),
    /// An image tokenizer refused.
    #[error(transparent)]
    Image(#[from] glauber_image::ImageError),
    /// A feature network refused.
    #[error(transparent)]
    Fidelity(#[from] glauber_fidelity::FidelityError),
}

impl RunError {
    /// Attaches the path to an I/O error.
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self + '_ {
        |source| Self::File { path: path.into(), source }
    }
}

impl From<DescentError> for RunError {
    /// What is on disk belongs to a checkpoint, which can be deleted.
    fn from(error: DescentError) -> Self {
        match error {
            DescentError::Io { path, source } if source.kind() == ErrorKind::NotFound => {
                Self::Damaged { path, found: "the file is missing".into(), hint: HINT }
            }
            DescentError::Io { path, source } => Self::File { path, source },
            DescentError::Malformed { path, found } | DescentError::NotFinite { path, found } => {
                Self::Damaged { path, found, hint: HINT }
            }
            other => Self::Train(other.into()),
        }
    }
}

impl From<serde_json::Error> for RunError {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(Box::new(error))
    }
}

impl From<toml::de::Error> for RunError {
    fn from(error: toml::de::Error) -> Self {
        Self::Malformed(Box::new(error))
    }
}

impl From<toml::ser::Error> for RunError {
    fn from(error: toml::ser::Error) -> Self {
        Self::Malformed(Box::new(error))
    }
}

/// An error and its sources on one line, each said once, whatever the libraries below put into their messages.
pub fn one_line(error: &(dyn Error + 'static)) -> String {
    let mut said = String::new();
    for cause in std::iter::successors(Some(error), |&error| error.source()) {
        let cause = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        if !said.contains(&cause) {
            said += if said.is_empty() { "" } else { ": " };
            said += &cause;
        }
    }
    if said.contains("No space left") {
        said += "; free some space, or choose another place";
    }
    said
}

/// Says what an error is of, or what is missing.
pub(crate) trait Context<T> {
    fn context(self, of: impl Into<String>) -> Result<T>;

    fn with_context<S: Into<String>>(self, of: impl FnOnce() -> S) -> Result<T>;
}

impl<T, E: Into<RunError>> Context<T> for Result<T, E> {
    fn context(self, of: impl Into<String>) -> Result<T> {
        self.with_context(|| of)
    }

    fn with_context<S: Into<String>>(self, of: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|source| RunError::Of { of: of().into(), source: Box::new(source.into()) })
    }
}

impl<T> Context<T> for Option<T> {
    fn context(self, of: impl Into<String>) -> Result<T> {
        self.with_context(|| of)
    }

    fn with_context<S: Into<String>>(self, of: impl FnOnce() -> S) -> Result<T> {
        self.ok_or_else(|| RunError::Refused(of().into()))
    }
}

/// Refuses what is not as it must be.
macro_rules! bail {
    ($($words:tt)*) => { return Err($crate::error::RunError::Refused(format!($($words)*))) };
}

/// Refuses unless something holds.
macro_rules! ensure {
    ($holds:expr, $($words:tt)*) => { if !$holds { $crate::error::bail!($($words)*) } };
}

pub(crate) use {bail, ensure};
