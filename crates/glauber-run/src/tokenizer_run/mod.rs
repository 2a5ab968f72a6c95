//! Runs of image tokenizers: folder, training and inspection.

mod config;
mod data;
mod evaluation;
mod folder;
mod metrics;

use std::path::Path;

use burn::tensor::Device;
use glauber_image::{ImageTokenizer, TokenizerTrainer};
use glauber_pixels::{Image, ImageSource};

use crate::error::Result;
use crate::run::records::Evaluations;
use crate::{Event, Flow, Hook, RunFolder};

pub use config::{DataTable, RunTable, TokenizerRunConfig};
pub use data::held_out;
pub use folder::TokenizerRun;
pub use metrics::MetricLine;

use metrics::State;

/// Whether a folder is a tokenizer's run.
pub fn is_run(folder: &Path) -> bool {
    RunFolder::open(folder).and_then(|run| run.read_config::<TokenizerRunConfig>()).is_ok()
}

/// The configuration and the last evaluation of a run, which may be training. Damaged lines are skipped.
///
/// # Errors
/// If the folder is not a tokenizer's run.
pub fn look(folder: &Path) -> Result<(TokenizerRunConfig, Option<MetricLine>)> {
    let run = RunFolder::open(folder)?;
    Ok((run.read_config()?, run.evaluations()?.lines.pop()))
}

/// Hook of a tokenizer's training.
pub trait TokenizerHook: Hook {
    /// Called after an evaluation on held-out images, with the size of the vocabulary.
    fn evaluated(&mut self, line: &MetricLine, entries: usize);
}

/// A running training.
pub struct TokenizerTraining {
    run: TokenizerRun,
    config: TokenizerRunConfig,
    trainer: TokenizerTrainer,
    state: State,
    evaluations: Evaluations<MetricLine>,
    held_out: Vec<Image>,
    device: Device,
}

impl TokenizerTraining {
    /// Resumes from the newest checkpoint, or starts with the fresh trainer without one. The checkpoint's exports are
    /// written again, because a killed process may have missed them.
    ///
    /// # Errors
    /// When a checkpoint is damaged, or the folder cannot be written.
    pub fn start(
        run: TokenizerRun,
        config: TokenizerRunConfig,
        fresh: TokenizerTrainer,
        held_out: Vec<Image>,
        device: &Device,
    ) -> Result<Self> {
        let latest = run.latest(&config, device)?;
        let resumed = latest.is_some();
        let (trainer, state, evaluations) = latest.unwrap_or_else(|| (fresh, State::default(), Evaluations::default()));
        if resumed {
            run.publish(&trainer, &evaluations, config.run.keep_checkpoints)?;
        }
        Ok(Self { run, config, trainer, state, evaluations, held_out, device: device.clone() })
    }

    /// Sets the total number of steps.
    ///
    /// # Errors
    /// If more steps are finished, or the configuration cannot be written.
    pub fn of_steps(mut self, steps: usize) -> Result<Self> {
        self.run.set_steps(&mut self.config, steps, self.trainer.steps())?;
        self.trainer = self.trainer.of_steps(steps);
        Ok(self)
    }

    /// Sets the number of micro-batches computed in parallel.
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.trainer = self.trainer.with_threads(threads);
        self
    }

    /// The configuration.
    pub fn config(&self) -> &TokenizerRunConfig {
        &self.config
    }

    /// The run folder.
    pub fn path(&self) -> &Path {
        self.run.folder.path()
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.trainer.steps()
    }

    /// Number of weights of the autoencoder.
    pub fn weights(&self) -> usize {
        self.trainer.model().weights()
    }

    /// The last evaluation.
    pub fn last(&self) -> Option<&MetricLine> {
        self.evaluations.lines.last()
    }

    /// Trains until the last step, or until the hook stops it; both write a checkpoint.
    ///
    /// # Errors
    /// If the loss is not finite, an image cannot be read, or the folder cannot be written.
    pub fn run(&mut self, images: &dyn ImageSource, hook: &mut dyn TokenizerHook) -> Result<Flow> {
        let (table, steps) = (self.config.run.clone(), self.config.train.steps);
        let before = self.state.seconds;
        let mut flow = Flow::Continue;
        while self.trainer.steps() < steps && flow == Flow::Continue {
            let batch = data::batch(images, self.config.seed, self.trainer.steps(), table.batch);
            let losses = self.trainer.step(data::tensor(&batch, &self.device))?;
            let step = self.trainer.steps();
            self.state.sums.add(&losses);
            self.state.seconds = before + hook.seconds();
            flow = hook.on_event(Event::Step { step, loss: losses.total });
            let last = step == steps;
            if last || step.is_multiple_of(table.evaluate_every) {
                self.evaluate(hook)?;
            }
            if last || flow == Flow::Stop || step.is_multiple_of(table.checkpoint_every) {
                self.run.save(&mut self.config, &self.trainer, &self.state, &self.evaluations)?;
                self.run.publish(&self.trainer, &self.evaluations, table.keep_checkpoints)?;
            }
        }
        Ok(flow)
    }

    /// Encodes and decodes the held-out images, and writes some to a sheet.
    fn evaluate(&mut self, hook: &mut dyn TokenizerHook) -> Result<()> {
        let (step, sizes) = (self.trainer.steps(), &self.config.model);
        let tokenizer = ImageTokenizer::new(self.trainer.model(), [sizes.image_size; 2])?;
        let (quality, back) = evaluation::evaluate(&tokenizer, &self.held_out)?;
        let line = MetricLine::new(step, &self.state, &quality);
        self.state.sums = metrics::Sums::default();
        let sheet = evaluation::sheet(&self.held_out, &back, self.config.run.shown)?;
        self.run.folder.write(&format!("reconstructions-{step}.png"), sheet.to_png()?)?;
        hook.evaluated(&line, sizes.vocab_size());
        self.evaluations.push(line);
        Ok(())
    }
}
