//! Errors of shards.

use std::path::{Path, PathBuf};

use glauber_tokens::Token;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
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
    /// A shard or index is invalid.
    #[error(
        "{path} is not a usable token cache: {reason}; delete the folder {folder} to prepare the data again",
        path = .path.display(), folder = .path.parent().unwrap_or(.path).display()
    )]
    Cache {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The stream is shorter than the sequence length.
    #[error(
        "the {split} split has {tokens} tokens, fewer than the sequence length {length}; give more data or lower the length{hint}"
    )]
    TooShort {
        /// "training" or "validation".
        split: &'static str,
        /// Tokens in the split.
        tokens: usize,
        /// Requested sequence length.
        length: usize,
        /// A further hint.
        hint: &'static str,
    },
    /// A token to be written lies outside the vocabulary.
    #[error(
        "token {token} of the {split} split is outside the vocabulary 0..{vocab}; were these tokens encoded by another codec?"
    )]
    OutsideVocabulary {
        /// The token.
        token: Token,
        /// "training" or "validation".
        split: &'static str,
        /// The vocabulary size.
        vocab: usize,
    },
}

impl ShardError {
    /// For `map_err`: an I/O error with its action and path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// For `map_err`: an I/O error of a file that a complete folder must have.
    pub(crate) fn missing(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| match source.kind() {
            std::io::ErrorKind::NotFound => Self::cache(&path, "it is missing"),
            _ => Self::io(action, &path)(source),
        }
    }

    /// A cache error with its path.
    pub(crate) fn cache(path: &Path, reason: impl Into<String>) -> Self {
        Self::Cache { path: path.to_owned(), reason: reason.into() }
    }
}
