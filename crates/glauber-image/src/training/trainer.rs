//! One step at a time.

use burn::module::Module;
use burn::optim::ModuleOptimizer;
use burn::tensor::{Device, Tensor, TensorData};
use glauber_descent::{Lanes, mean_gradients};

use crate::model::VqNetwork;
use crate::quantiser::Quantiser;
use crate::rng::{HostRng, Purpose};
use crate::{ImageError, VqModel};

use super::averages::CodebookAverages;
use super::descent::{adam, numbered, warmth};
use super::discriminator::Discriminator;
use super::draws::draw_latents;
use super::pass::{Objective, Pass, host_latents};
use super::{CodebookUsage, DiscriminatorConfig, TokenizerTrainConfig};

/// Where the numbers of the discriminator's parameters begin.
pub(super) const OPPONENT: u64 = 1 << 32;

/// What a step found, before it changed any weight.
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
    /// The discriminator's mean verdict on reconstructions, sign turned; none before it begins.
    pub adversarial: Option<f64>,
    /// The weight of that verdict: the configuration's, or the mean over micro-batches where it is adaptive; none before it begins.
    pub adversarial_weight: Option<f64>,
    /// The discriminator's own loss; none before it begins.
    pub discriminator: Option<f64>,
    /// The autoencoder's loss, everything weighted.
    pub total: f64,
    /// Which indices the batch used.
    pub usage: CodebookUsage,
}

/// A discriminator and what trains it.
pub(super) struct Opponent {
    pub config: DiscriminatorConfig,
    pub network: Discriminator,
    pub optimiser: ModuleOptimizer,
}

/// Trains an autoencoder.
///
/// The loss is `absolute · |x − y| + square · (x − y)² + commitment · ‖z − e‖²`, means over all numbers, and the discriminator's verdict once
/// it has begun. A codebook's entries follow their latents by moving averages; finite scalar quantisation has nothing to learn.
///
/// [`save`](Self::save) and [`resume`](Self::resume) carry a training over to another process.
pub struct TokenizerTrainer {
    pub(super) config: TokenizerTrainConfig,
    pub(super) model: VqModel,
    /// The model's network, gradients on.
    pub(super) network: VqNetwork,
    pub(super) optimiser: ModuleOptimizer,
    pub(super) averages: Option<CodebookAverages>,
    pub(super) opponent: Option<Opponent>,
    pub(super) rng: HostRng,
    lanes: Lanes,
    device: Device,
    pub(super) step: usize,
}

impl TokenizerTrainer {
    /// Begins with a model, drawn or loaded. The seed is for the discriminator's weights and the revival of dead entries.
    ///
    /// `device` is the plain device that the model is on.
    ///
    /// # Errors
    /// [`ImageError::Setting`] when a number is out of range, or the model's images have other channels out than in.
    pub fn new(model: VqModel, config: &TokenizerTrainConfig, seed: u64, device: &Device) -> Result<Self, ImageError> {
        config.validate()?;
        let sizes = model.config();
        if sizes.channels != sizes.out_channels {
            let expected = format!("`channels` = {}, to compare images with reconstructions", sizes.channels);
            return Err(ImageError::setting("out_channels", sizes.out_channels, expected));
        }
        let opponent = config.discriminator.as_ref().map(|opponent| Opponent {
            config: opponent.clone(),
            network: numbered(Discriminator::new(opponent, sizes.channels, seed, device), OPPONENT).train(),
            optimiser: adam(config),
        });
        Ok(Self {
            config: config.clone(),
            network: numbered(model.network.clone(), 0).train(),
            model,
            optimiser: adam(config),
            averages: None,
            opponent,
            rng: HostRng::new(seed, Purpose::Codebook),
            lanes: Lanes::new(1),
            device: device.clone(),
            step: 0,
        })
    }

    /// Computes up to `threads` micro-batches side by side. The result does not depend on it.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.lanes = Lanes::new(threads.min(self.config.micro_batches));
        self
    }

    /// The same, but for the rate: from here on it takes the course that it has in a training of so many steps from the beginning.
    #[must_use]
    pub fn of_steps(mut self, steps: usize) -> Self {
        self.config.steps = steps;
        self
    }

    /// The autoencoder as it stands, on the plain device.
    pub fn model(&self) -> VqModel {
        let mut model = self.model.clone();
        model.network = self.network.valid();
        model
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.step
    }

    /// One step on a batch of images `[batch, channel, height, width]`, −1..1.
    ///
    /// # Errors
    /// [`ImageError::Shape`] when the images do not fit the model, are too small for the discriminator, or cannot be divided into
    /// `micro_batches`; [`ImageError::Diverged`] when the loss is no longer a number, no weight changed.
    pub fn step(&mut self, images: Tensor<4>) -> Result<TokenizerLosses, ImageError> {
        self.check(&images)?;
        let images = images.inner().to_device(&self.device);
        if self.step == 0 && self.config.fresh_codebook {
            self.draw_codebook(&images);
        }
        let opponent = self.opponent.as_ref().filter(|opponent| self.step >= opponent.config.begin);
        let parts = images.chunk(self.config.micro_batches, 0);
        let pass = |images| Objective::new(&self.config, &self.network, opponent).pass(images);
        let passes = self.lanes.run(parts, &pass);
        let mut losses = summary(self.step, &passes);
        let others = losses.discriminator.unwrap_or(0.0);
        if !(losses.total + others).is_finite() {
            return Err(ImageError::Diverged { step: self.step, loss: losses.total + others });
        }
        losses.usage = self.learn(passes);
        self.step += 1;
        Ok(losses)
    }

    /// Moves all weights by what the micro-batches found.
    fn learn(&mut self, passes: Vec<Pass>) -> CodebookUsage {
        let warmth = warmth(&self.config, self.step);
        let (mut gradients, mut adversaries) = (Vec::new(), Vec::new());
        let (mut latents, mut indices) = (Vec::new(), Vec::new());
        for pass in passes {
            gradients.push(pass.gradients);
            adversaries.extend(pass.adversary.map(|adversary| adversary.gradients));
            latents.extend(pass.latents);
            indices.extend(pass.indices);
        }
        let parts = gradients.len() as f64;
        let gradients = mean_gradients(&self.network, gradients, parts);
        self.network = self.optimiser.step(self.config.learning_rate * warmth, self.network.clone(), gradients);
        let revived = self.follow(&latents, &indices);
        if let Some(opponent) = self.opponent.as_mut().filter(|_| !adversaries.is_empty()) {
            let gradients = mean_gradients(&opponent.network, adversaries, parts);
            let rate = opponent.config.learning_rate * warmth;
            opponent.network = opponent.optimiser.step(rate, opponent.network.clone(), gradients);
        }
        CodebookUsage { revived, ..CodebookUsage::of(indices, self.model.config().vocab_size()) }
    }

    fn check(&self, images: &Tensor<4>) -> Result<(), ImageError> {
        self.model.check_images(images)?;
        let smallest = self.opponent.as_ref().map_or(0, |opponent| opponent.config.smallest_image());
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
        let Quantiser::Codebook(codebook) = &self.network.quantiser else {
            return;
        };
        let [entries, dim] = codebook.table().dims();
        let latents = host_latents(self.network.valid().latents(images.clone()));
        let table = draw_latents(&latents, dim, entries, &mut self.rng);
        self.set_table(table);
    }

    fn set_table(&mut self, values: Vec<f32>) {
        if let Quantiser::Codebook(codebook) = &mut self.network.quantiser {
            let replace = |old: Tensor<2>| Tensor::from_data(TensorData::new(values, old.dims()), &old.device());
            codebook.table = codebook.table.clone().map(replace);
        }
    }

    /// Moves a codebook's entries towards their latents `[position, dimension]`; gives the number of dead ones revived.
    fn follow(&mut self, latents: &[f32], indices: &[usize]) -> usize {
        let Quantiser::Codebook(codebook) = &self.network.quantiser else {
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

/// The means over micro-batches; the usage is still to be told.
fn summary(step: usize, passes: &[Pass]) -> TokenizerLosses {
    let count = passes.len() as f64;
    let mean = |value: &dyn Fn(&Pass) -> f64| passes.iter().map(value).sum::<f64>() / count;
    let judged = passes.iter().all(|pass| pass.adversary.is_some());
    let of_judges = |value: &dyn Fn(&super::pass::Adversary) -> f64| {
        judged.then(|| mean(&|pass| pass.adversary.as_ref().map_or(0.0, value)))
    };
    TokenizerLosses {
        step,
        absolute: mean(&|pass| pass.absolute),
        square: mean(&|pass| pass.square),
        commitment: mean(&|pass| pass.commitment),
        adversarial: of_judges(&|adversary| adversary.verdict),
        adversarial_weight: of_judges(&|adversary| adversary.weight),
        discriminator: of_judges(&|adversary| adversary.loss),
        total: mean(&|pass| pass.total),
        usage: CodebookUsage { distinct: 0, perplexity: 1.0, revived: 0 },
    }
}
