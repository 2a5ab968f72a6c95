//! A film of chains as they denoise.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use glauber_chain::{Chains, StepDiagnostics};
use glauber_pixels::{Extent, Image, animate};
use glauber_tokens::{Token, TokenBatch};
use indicatif::ProgressBar;

use crate::drawer::Drawer;
use crate::images::{check_sheet, sheet};
use crate::progress::is_silent;
use crate::sampling::Sampling;

/// Frames of a film, besides the first and the rest at the end.
const FRAMES: usize = 48;

/// How long each frame is shown.
const DELAY: Duration = Duration::from_millis(80);

/// How often the last frame is repeated, so that it can be looked at.
const REST: usize = 20;

/// Sheets of all chains at one stage after another. Chains may be shot in several groups; they end up on the same sheets.
pub struct Film {
    path: PathBuf,
    columns: usize,
    /// The tokens of all groups at each stage, shape `[stage][row · site]`.
    stages: Vec<Vec<Token>>,
}

impl Film {
    /// An empty film of so many chains, to be written to a file that ends in `.gif` or `.png`.
    pub fn new(path: &Path, extent: Extent, chains: usize, columns: usize) -> anyhow::Result<Self> {
        check_sheet("--animate", extent, chains, columns)?;
        Ok(Self { path: path.into(), columns, stages: Vec::new() })
    }

    fn take(&mut self, stage: usize, chains: &Chains) {
        self.stages.resize_with(self.stages.len().max(stage + 1), Vec::new);
        self.stages[stage].extend_from_slice(chains.tokens().as_slice());
    }

    /// Runs chains down to time 0, before the camera where there is one.
    pub fn shoot(
        film: Option<&mut Self>,
        sampling: &Sampling,
        drawer: &Drawer<'_>,
        chains: &mut Chains,
    ) -> anyhow::Result<StepDiagnostics> {
        let bar = if is_silent() { ProgressBar::hidden() } else { ProgressBar::new(sampling.steps() as u64) };
        let Some(film) = film else {
            let done = sampling.run(drawer, chains, &mut |steps| bar.set_position(steps as u64))?;
            bar.finish_and_clear();
            return Ok(done);
        };
        let mut stage = 0;
        let mut frame = |chains: &Chains| {
            bar.inc((sampling.steps() / FRAMES) as u64);
            film.take(stage, chains);
            stage += 1;
        };
        let done = sampling.run_watched(drawer, chains, FRAMES, &mut frame)?;
        bar.finish_and_clear();
        Ok(done)
    }

    /// Decodes the frames and writes the film.
    pub fn write(self, sites: usize, decode: &dyn Fn(&TokenBatch) -> anyhow::Result<Vec<Image>>) -> anyhow::Result<()> {
        let mut frames = Vec::new();
        for tokens in self.stages {
            frames.push(sheet(&decode(&TokenBatch::new(tokens, sites)?)?, self.columns)?);
        }
        let last = frames.last().cloned();
        frames.extend(std::iter::repeat_n(last, REST).flatten());
        animate(&self.path, &frames, DELAY).with_context(|| self.path.display().to_string())
    }
}
