//! What turns a run's data into tokens, and tokens into what people look at.

use std::any::Any;
use std::path::Path;

use glauber_tokens::{Token, TokenBatch};

use crate::error::Result;

/// What turns a run's data into tokens and back, kept in its folder so that it can be sampled on another machine.
pub trait RunCodec: Any + Send + Sync {
    /// Writes itself into the folder of a run, in place of what an interrupted call may have left. By default the configuration says all.
    ///
    /// # Errors
    /// When it cannot be written.
    fn keep(&self, folder: &Path) -> Result<()> {
        let _ = folder;
        Ok(())
    }

    /// A sequence as text, shape `[site]`. By default the numbers of its tokens.
    ///
    /// # Errors
    /// When a token is none of the codec's.
    fn render(&self, tokens: &[Token]) -> Result<String> {
        Ok(tokens.iter().map(Token::to_string).collect::<Vec<_>>().join(" "))
    }

    /// Lines about samples that were drawn while training, at a step; it may write a file into the folder of the run.
    /// By default each sample as text.
    ///
    /// # Errors
    /// When a token is none of the codec's, or a file cannot be written.
    fn show(&self, samples: &TokenBatch, folder: &Path, step: usize) -> Result<Vec<String>> {
        let _ = (folder, step);
        samples.iter().map(|tokens| self.render(tokens)).collect()
    }
}

/// Tokens that are shown as numbers.
pub struct Numbers;

impl RunCodec for Numbers {}
