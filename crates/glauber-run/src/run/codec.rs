//! Codecs of runs.

use std::any::Any;
use std::path::Path;

use glauber_tokens::{Token, TokenBatch};

use crate::error::Result;

/// Converts a run's data to tokens and back. It is stored in the run folder, so that the run can be sampled on another
/// machine.
pub trait RunCodec: Any + Send + Sync {
    /// Writes itself to the run folder, replacing files of an interrupted call. By default nothing, if the
    /// configuration suffices.
    ///
    /// # Errors
    /// When it cannot be written.
    fn keep(&self, folder: &Path) -> Result<()> {
        let _ = folder;
        Ok(())
    }

    /// Formats a sequence, shape `[site]`, as text. By default the numbers of its tokens.
    ///
    /// # Errors
    /// If a token is outside the vocabulary.
    fn render(&self, tokens: &[Token]) -> Result<String> {
        Ok(tokens.iter().map(Token::to_string).collect::<Vec<_>>().join(" "))
    }

    /// Formats samples drawn at a training step; it may also write a file to the run folder. By default each sample as
    /// text.
    ///
    /// # Errors
    /// If a token is outside the vocabulary, or a file cannot be written.
    fn show(&self, samples: &TokenBatch, folder: &Path, step: usize) -> Result<Vec<String>> {
        let _ = (folder, step);
        samples.iter().map(|tokens| self.render(tokens)).collect()
    }
}

/// Tokens that are shown as numbers.
pub struct Numbers;

impl RunCodec for Numbers {}
