//! Errors of runs.

use std::error::Error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use glauber_descent::DescentError;
use glauber_train::TrainError;

use crate::run::HINT;

/// The result type of this crate.
pub type Result<T, E = RunError> = std::result::Result<T, E>;

/// An error of a run. With its sources it states what was found, what was expected, and the fix.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A failed check.
    #[error("{0}")]
    Refused(String),
    /// An error with context: a file, a flag, a key or an action.
    #[error("{of}")]
    Of {
        /// The context.
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
    /// A file of a run is malformed.
    #[error("{path}: {found}; {hint}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: String,
        /// The fix.
        hint: &'static str,
    },
    /// A file or folder belongs to something else.
    #[error("{path}: {found}, expected {expected}")]
    Mismatch {
        /// The file or folder.
        path: PathBuf,
        /// What was found.
        found: String,
        /// What was expected, and the flag to change.
        expected: String,
    },
    /// Invalid JSON or TOML.
    #[error(transparent)]
    Malformed(Box<dyn Error + Send + Sync>),
    /// An error of training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// An error of the network.
    #[error(transparent)]
    Model(#[from] glauber_model::ModelError),
    /// An error of the chain.
    #[error(transparent)]
    Chain(#[from] glauber_chain::ChainError),
    /// An error of the schedule.
    #[error(transparent)]
    Schedule(#[from] glauber_schedule::ScheduleError),
    /// An error of tokens.
    #[error(transparent)]
    Token(#[from] glauber_tokens::TokenError),
    /// An error of token shards.
    #[error(transparent)]
    Shard(#[from] glauber_shards::ShardError),
    /// An error of text or its tokenizer.
    #[error(transparent)]
    Text(#[from] glauber_text::TextError),
    /// An error of a target given by an energy.
    #[error(transparent)]
    Energy(#[from] glauber_energy::EnergyError),
    /// An error of the weights of paths.
    #[error(transparent)]
    Paths(#[from] glauber_gflownet::GflownetError),
    /// An error of Sudoku grids.
    #[error(transparent)]
    Sudoku(#[from] glauber_sudoku::SudokuError),
    /// An error of images.
    #[error(transparent)]
    Pixel(#[from] glauber_pixels::PixelError),
    /// An error of an image tokenizer.
    #[error(transparent)]
    Image(#[from] glauber_image::ImageError),
    /// An error of a feature network.
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
    /// The hint for a damaged checkpoint, which can be deleted.
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

/// An error and its sources on one line, without repetitions.
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

/// Adds context to an error or a missing value.
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

/// Returns an error.
macro_rules! bail {
    ($($words:tt)*) => { return Err($crate::error::RunError::Refused(format!($($words)*))) };
}

/// Returns an error unless a condition holds.
macro_rules! ensure {
    ($holds:expr, $($words:tt)*) => { if !$holds { $crate::error::bail!($($words)*) } };
}

pub(crate) use {bail, ensure};
