//! A film of chains as they denoise.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use glauber_chain::{Chains, SiteConditional, StepDiagnostics};
use glauber_pixels::{Image, PixelCodec, animate};
use indicatif::ProgressBar;

use crate::images;
use crate::sampling::Sampling;

/// Frames of a film, besides the first and the rest at the end.
const FRAMES: usize = 48;

/// How long each frame is shown.
const DELAY: Duration = Duration::from_millis(80);

/// How often the last frame is repeated, so that it can be looked at.
const REST: usize = 20;

/// Sheets of all chains at one stage after another.
pub struct Film<'a> {
    path: PathBuf,
    codec: &'a PixelCodec,
    columns: usize,
    frames: Vec<Image>,
}

impl<'a> Film<'a> {
    /// An empty film, to be written to a file that ends in `.gif` or `.png`.
    pub fn new(path: &Path, codec: &'a PixelCodec, columns: usize) -> anyhow::Result<Self> {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let known = matches!(ending.as_deref(), Some("gif" | "png" | "apng"));
        anyhow::ensure!(known, "`--animate {}`: expected a name that ends in .gif or .png", path.display());
        Ok(Self { path: path.into(), codec, columns, frames: Vec::new() })
    }

    fn take(&mut self, chains: &Chains) -> anyhow::Result<()> {
        let frame = images::sheet(&images::decode(self.codec, chains.tokens().iter())?, self.columns)?;
        self.frames.push(frame);
        Ok(())
    }

    fn write(mut self) -> anyhow::Result<()> {
        let last = self.frames.last().cloned();
        self.frames.extend(std::iter::repeat_n(last, REST).flatten());
        animate(&self.path, &self.frames, DELAY).with_context(|| self.path.display().to_string())
    }

    /// Runs chains down to time 0, before a camera where there is one; the film is written at the end.
    pub fn shoot(
        film: Option<Self>,
        sampling: &Sampling,
        conditional: &dyn SiteConditional,
        chains: &mut Chains,
    ) -> anyhow::Result<StepDiagnostics> {
        let bar = ProgressBar::new(sampling.steps() as u64);
        let Some(mut film) = film else {
            let done = sampling.run(conditional, chains, &mut |steps| bar.set_position(steps as u64))?;
            bar.finish_and_clear();
            return Ok(done);
        };
        let mut taken = Ok(());
        let mut frame = |chains: &Chains| {
            bar.inc((sampling.steps() / FRAMES) as u64);
            if taken.is_ok() {
                taken = film.take(chains);
            }
        };
        let done = sampling.run_watched(conditional, chains, FRAMES, &mut frame)?;
        bar.finish_and_clear();
        taken?;
        film.write()?;
        Ok(done)
    }
}
