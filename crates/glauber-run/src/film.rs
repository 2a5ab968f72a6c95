//! Animations of denoising chains.

use std::path::{Path, PathBuf};
use std::time::Duration;

use glauber_chain::{Chains, StepDiagnostics};
use glauber_pixels::{Extent, Image, animate};
use glauber_tokens::{Token, TokenBatch};

use crate::Advance;
use crate::drawer::Drawer;
use crate::error::{Context, Result};
use crate::images::{check_sheet, sheet};
use crate::sampling::Sampling;

/// Frames of a film, besides the first and the rest at the end.
const FRAMES: usize = 48;

/// Duration of a frame.
const DELAY: Duration = Duration::from_millis(80);

/// Repetitions of the last frame, as a pause.
const REST: usize = 20;

/// An animation: a sheet of all chains at each stage. Chains may be recorded in several groups.
pub struct Film {
    path: PathBuf,
    columns: usize,
    /// The tokens of all groups at each stage, shape `[stage][row · site]`.
    stages: Vec<Vec<Token>>,
}

impl Film {
    /// An empty film of `count` chains, for a file that ends in `.gif` or `.png`.
    ///
    /// # Errors
    /// If its frames are too large.
    pub fn new(path: &Path, extent: Extent, chains: usize, columns: usize) -> Result<Self> {
        check_sheet("--animate", extent, chains, columns)?;
        Ok(Self { path: path.into(), columns, stages: Vec::new() })
    }

    fn take(&mut self, stage: usize, chains: &Chains) {
        self.stages.resize_with(self.stages.len().max(stage + 1), Vec::new);
        self.stages[stage].extend_from_slice(chains.tokens().as_slice());
    }

    /// Runs chains down to time 0, and records them if there is a film. `progress` receives the number of steps done.
    ///
    /// # Errors
    /// If the chains do not fit the drawer, or drawing fails.
    pub fn shoot(
        film: Option<&mut Self>,
        sampling: &Sampling,
        drawer: &Drawer<'_>,
        chains: &mut Chains,
        progress: Advance<'_>,
    ) -> Result<StepDiagnostics> {
        let Some(film) = film else { return sampling.run(drawer, chains, progress) };
        let mut stage = 0;
        let mut frame = |chains: &Chains| {
            progress(stage * sampling.steps() / FRAMES);
            film.take(stage, chains);
            stage += 1;
        };
        sampling.run_watched(drawer, chains, FRAMES, &mut frame)
    }

    /// Decodes the frames and writes the film.
    ///
    /// # Errors
    /// When a frame cannot be decoded, or the file not be written.
    pub fn write(self, sites: usize, decode: &dyn Fn(&TokenBatch) -> Result<Vec<Image>>) -> Result<()> {
        let mut frames = Vec::new();
        for tokens in self.stages {
            frames.push(sheet(&decode(&TokenBatch::new(tokens, sites)?)?, self.columns)?);
        }
        let last = frames.last().cloned();
        frames.extend(std::iter::repeat_n(last, REST).flatten());
        animate(&self.path, &frames, DELAY).with_context(|| self.path.display().to_string())
    }
}
