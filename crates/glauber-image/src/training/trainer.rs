//! Training steps of an autoencoder.

use burn::tensor::{Device, Tensor, TensorData};
use glauber_chain::ChainRng;
use glauber_descent::{LearningRateSchedule, Trainer};

use crate::model::VqNetwork;
use crate::quantiser::Quantiser;
use crate::{ImageError, VqConfig, VqModel, streams};

use super::averages::CodebookAverages;
use super::discriminator::Discriminator;
use super::draws::draw_latents;
use super::tasks::{Autoencoding, Found, Judging, host_latents};
use super::{CodebookUsage, DiscriminatorConfig, TokenizerTrainConfig};

/// Results of a step, computed before the weights change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenizerLosses {
    /// The step, from 0.
    pub step: usize,
    /// Mean absolute difference between images and their reconstructions.
    pub absolute: f64,
    /// Mean squared difference.
    pub square: f64,
    /// Mean squared distance from latents to codes; 0 for quantisers that need none.
    pub commitment: f64,
    /// The negative mean output of the discriminator on reconstructions; `None` before it starts.
    pub adversarial: Option<f64>,
    /// The weight of that loss: the configured one, or the mean over micro-batches if adaptive; `None` before it
    /// starts.
    pub adversarial_weight: Option<f64>,
    /// The discriminator's own loss; `None` before it starts.
    pub discriminator: Option<f64>,
    /// The autoencoder's weighted total loss.
    pub total: f64,
    /// Usage of indices in the batch.
    pub usage: CodebookUsage,
}

/// Trains an autoencoder.
///
/// The loss is `absolute · |x − y| + square · (x − y)² + commitment · ‖z − e‖²`, means over all numbers, plus the
/// discriminator's loss once it has started. A codebook's entries follow their latents by moving averages; finite
/// scalar quantisation has no parameters.
///
/// [`save`](Self::save) and [`resume`](Self::resume) carry a training over to another process.
pub struct TokenizerTrainer {
    pub(super) config: TokenizerTrainConfig,
    sizes: VqConfig,
    pub(super) trainer: Trainer<VqNetwork>,
    pub(super) opponent: Option<Trainer<Discriminator>>,
    pub(super) averages: Option<CodebookAverages>,
    pub(super) rng: ChainRng,
}

impl TokenizerTrainer {
    /// Starts with a model, drawn or loaded. The seed is for the discriminator's weights and the revival of dead
    /// entries.
    ///
    /// `device` is the plain device that the model is on.
    ///
    /// # Errors
    /// [`ImageError::Setting`] when a number is out of range, or the model's images have other channels out than in.
    pub fn new(model: VqModel, config: &TokenizerTrainConfig, seed: u64, device: &Device) -> Result<Self, ImageError> {
        config.validate()?;
        let VqModel { config: sizes, network } = model;
        let expected = format!("`channels` = {}, to compare images with reconstructions", sizes.channels);
        ImageError::require(sizes.channels == sizes.out_channels, "out_channels", sizes.out_channels, expected)?;
        let opponent = |of: &DiscriminatorConfig| Discriminator::new(of, sizes.channels, seed, device);
        Ok(Self {
            config: config.clone(),
            trainer: config.trainer(network, device),
            opponent: config.discriminator.as_ref().map(|of| config.trainer(opponent(of), device)),
            sizes,
            averages: None,
            rng: ChainRng::new(seed, streams::CODEBOOK),
        })
    }

    /// Sets the number of micro-batches computed in parallel. The result does not depend on it.
    #[must_use]
    pub fn with_threads(self, threads: usize) -> Self {
        let opponent = self.opponent.map(|opponent| opponent.with_threads(threads));
        Self { trainer: self.trainer.with_threads(threads), opponent, ..self }
    }

    /// Sets the total number of steps. Further steps use the learning-rate schedule of a training of that length.
    #[must_use]
    pub fn of_steps(mut self, steps: usize) -> Self {
        self.config.steps = steps;
        self.trainer.set_steps(steps);
        self
    }

    /// The current autoencoder, on the plain device.
    pub fn model(&self) -> VqModel {
        VqModel { config: self.sizes.clone(), network: self.trainer.model().clone() }
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.trainer.steps()
    }

    /// One step on a batch of images `[batch, channel, height, width]`, −1..1.
    ///
    /// # Errors
    /// [`ImageError::Shape`] when the images do not fit the model, are too small for the discriminator, or cannot be
    /// divided into `micro_batches`; [`ImageError::Diverged`] when a loss is not finite; its network is then unchanged.
    pub fn step(&mut self, images: Tensor<4>) -> Result<TokenizerLosses, ImageError> {
        self.check(&images)?;
        let images = images.inner().to_device(self.trainer.device());
        let step = self.steps();
        if step == 0 && self.config.fresh_codebook {
            self.draw_codebook(&images);
        }
        let opponent = self.config.discriminator.as_ref().zip(self.opponent.as_mut());
        let opponent = opponent.filter(|(config, _)| step >= config.begin);
        let judge = opponent.as_ref().map(|(config, opponent)| (*config, opponent.model()));
        let task = Autoencoding::new(&self.config, images.chunk(self.config.micro_batches, 0), judge);
        let total = self.trainer.step(&task)?.loss;
        let mut found = task.found();
        let mut losses = summary(step, total, &found);
        if let Some((config, opponent)) = opponent {
            let course = LearningRateSchedule { peak: config.learning_rate, ..self.trainer.settings().learning_rate };
            let task = Judging(found.iter().map(|part| part.pair.clone()).collect());
            // It counts its own steps, from when it began.
            let judged = opponent.step_at(&task, course.rate(step)).map_err(|error| match error {
                ImageError::Diverged { loss, .. } => ImageError::Diverged { step, loss },
                other => other,
            });
            losses.discriminator = Some(judged?.loss);
        }
        let latents: Vec<f32> = found.iter_mut().flat_map(|part| std::mem::take(&mut part.latents)).collect();
        let indices: Vec<usize> = found.into_iter().flat_map(|part| part.indices).collect();
        let revived = self.follow(&latents, &indices);
        losses.usage = CodebookUsage { revived, ..CodebookUsage::of(indices, self.sizes.vocab_size()) };
        Ok(losses)
    }

    fn check(&self, images: &Tensor<4>) -> Result<(), ImageError> {
        self.sizes.check_images(images)?;
        let smallest = self.config.discriminator.as_ref().map_or(0, DiscriminatorConfig::smallest_image);
        let [batch, channels, height, width] = images.dims();
        let refused = |expected: String| ImageError::Shape { what: "images", found: images.dims().to_vec(), expected };
        if height.min(width) < smallest {
            return Err(refused(format!(
                "[batch, {channels}, height, width] of at least {smallest}: lower `discriminator.halvings` for smaller ones"
            )));
        }
        let parts = self.config.micro_batches;
        match batch.is_multiple_of(parts) {
            true => Ok(()),
            false => Err(refused(format!("a batch that is a multiple of `micro_batches` = {parts}"))),
        }
    }

    /// Entries drawn from the latents of a batch.
    fn draw_codebook(&mut self, images: &Tensor<4>) {
        let network = self.trainer.model();
        let Quantiser::Codebook(codebook) = &network.quantiser else {
            return;
        };
        let [entries, dim] = codebook.table().dims();
        let latents = host_latents(network.latents(images.clone()));
        let table = draw_latents(&latents, dim, entries, &mut self.rng);
        self.set_table(table);
    }

    fn set_table(&mut self, values: Vec<f32>) {
        let mut network = self.trainer.model().clone();
        if let Quantiser::Codebook(codebook) = &mut network.quantiser {
            let replace = |old: Tensor<2>| Tensor::from_data(TensorData::new(values, old.dims()), &old.device());
            codebook.table = codebook.table.clone().map(replace);
            self.trainer.set_model(network);
        }
    }

    /// Moves a codebook's entries towards their latents `[position, dimension]`; gives the number of dead ones revived.
    fn follow(&mut self, latents: &[f32], indices: &[usize]) -> usize {
        let Quantiser::Codebook(codebook) = &self.trainer.model().quantiser else {
            return 0;
        };
        let averages = self.averages.get_or_insert_with(|| {
            let table: Vec<f32> = codebook.table().into_data().iter().collect();
            let settings = [self.config.decay, self.config.revive_below];
            CodebookAverages::new(&table, codebook.table().dims()[1], indices.len(), settings)
        });
        let (table, revived) = averages.update(latents, indices, &mut self.rng);
        self.set_table(table);
        revived
    }
}

/// The means over micro-batches, without the discriminator's loss and the usage.
fn summary(step: usize, total: f64, found: &[Found]) -> TokenizerLosses {
    let mean = |value: &dyn Fn(&Found) -> f64| found.iter().map(value).sum::<f64>() / found.len() as f64;
    let judged = found.iter().all(|part| part.verdict.is_some());
    let of_verdicts = |at: usize| judged.then(|| mean(&|part| part.verdict.map_or(0.0, |verdict| verdict[at])));
    TokenizerLosses {
        step,
        absolute: mean(&|part| part.absolute),
        square: mean(&|part| part.square),
        commitment: mean(&|part| part.commitment),
        adversarial: of_verdicts(0),
        adversarial_weight: of_verdicts(1),
        discriminator: None,
        total,
        usage: CodebookUsage { distinct: 0, perplexity: 1.0, revived: 0 },
    }
}
