//! One step at a time.

use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::model::VqNetwork;
use crate::quantiser::Quantiser;
use crate::rng::{HostRng, Purpose};
use crate::{ImageError, VqModel};

use super::averages::CodebookAverages;
use super::discriminator::Discriminator;
use super::{DiscriminatorConfig, TokenizerTrainConfig};

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
    /// The discriminator's own loss; none before it begins.
    pub discriminator: Option<f64>,
    /// The autoencoder's loss, everything weighted.
    pub total: f64,
    /// Which indices the batch used.
    pub usage: CodebookUsage,
}

/// Which indices a batch used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CodebookUsage {
    /// How many different ones.
    pub distinct: usize,
    /// The exponential of their entropy: how many equally frequent indices are as varied.
    pub perplexity: f64,
    /// Dead entries of a codebook that were moved to latents of the batch.
    pub revived: usize,
}

impl CodebookUsage {
    fn of(indices: &[usize], entries: usize, revived: usize) -> Self {
        let mut counts = vec![0usize; entries];
        indices.iter().for_each(|&index| counts[index] += 1);
        let part = |count: &usize| *count as f64 / indices.len() as f64;
        let used = counts.iter().filter(|&&count| count > 0);
        let entropy: f64 = used.clone().map(part).map(|p| -p * p.ln()).sum();
        Self { distinct: used.count(), perplexity: entropy.exp(), revived }
    }
}

/// A discriminator and what trains it.
struct Opponent {
    config: DiscriminatorConfig,
    network: Discriminator,
    optimiser: ModuleOptimizer,
}

/// Trains an autoencoder.
///
/// The loss is `absolute · |x − y| + square · (x − y)² + commitment · ‖z − e‖²`, means over all numbers, and the discriminator's verdict once
/// it has begun. A codebook's entries follow their latents by moving averages; finite scalar quantisation has nothing to learn.
pub struct TokenizerTrainer {
    config: TokenizerTrainConfig,
    model: VqModel,
    /// The model's network, gradients on.
    network: VqNetwork,
    optimiser: ModuleOptimizer,
    averages: Option<CodebookAverages>,
    opponent: Option<Opponent>,
    rng: HostRng,
    device: Device,
    step: usize,
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
        let adam = || {
            let betas = AdamWConfig::new().with_beta_1(config.beta_1 as f32).with_beta_2(config.beta_2 as f32);
            betas.with_epsilon(1e-8).with_weight_decay(0.0).init()
        };
        let opponent = config.discriminator.as_ref().map(|opponent| Opponent {
            config: opponent.clone(),
            network: Discriminator::new(opponent, sizes.channels, seed, device).train(),
            optimiser: adam(),
        });
        Ok(Self {
            config: config.clone(),
            network: model.network.clone().train(),
            model,
            optimiser: adam(),
            averages: None,
            opponent,
            rng: HostRng::new(seed, Purpose::Codebook),
            device: device.clone(),
            step: 0,
        })
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
    /// [`ImageError::Shape`] when the images do not fit the model, or are too small for the discriminator;
    /// [`ImageError::Diverged`] when the loss is no longer a number, no weight changed.
    pub fn step(&mut self, images: Tensor<4>) -> Result<TokenizerLosses, ImageError> {
        self.check(&images)?;
        let images = images.inner().to_device(&self.device);
        if self.step == 0 && self.config.fresh_codebook {
            self.draw_codebook(&images);
        }
        let latents = self.network.latents(images.clone());
        let (codes, quantised) = self.network.quantise(latents.clone());
        let reconstructions = self.network.images(codes);
        let difference = reconstructions.clone() - images.clone();
        let absolute = difference.clone().abs().mean();
        let square = difference.square().mean();
        let mut total =
            absolute.clone().mul_scalar(self.config.absolute) + square.clone().mul_scalar(self.config.square);
        if let Some(commitment) = &quantised.commitment {
            total = total + commitment.clone().mul_scalar(self.config.commitment);
        }
        let opponent = self.opponent.as_ref().filter(|opponent| self.step >= opponent.config.begin);
        let adversarial = opponent.map(|opponent| {
            let verdict = opponent.network.forward(reconstructions.clone()).mean().neg();
            total = total.clone() + verdict.clone().mul_scalar(opponent.config.weight);
            scalar(verdict)
        });
        let loss = scalar(total.clone());
        if !loss.is_finite() {
            return Err(ImageError::Diverged { step: self.step, loss });
        }
        let rate = self.config.learning_rate * self.warmth();
        self.network = descend(self.network.clone(), &mut self.optimiser, &total, rate);
        let indices = host_indices(quantised.indices);
        let revived = self.follow(latents.inner(), &indices);
        let discriminator = adversarial.map(|_| self.train_opponent(images, reconstructions.inner()));
        let losses = TokenizerLosses {
            step: self.step,
            absolute: scalar(absolute),
            square: scalar(square),
            commitment: quantised.commitment.map_or(0.0, scalar),
            adversarial,
            discriminator: discriminator.flatten(),
            total: loss,
            usage: CodebookUsage::of(&indices, self.model.config().vocab_size(), revived),
        };
        self.step += 1;
        Ok(losses)
    }

    fn check(&self, images: &Tensor<4>) -> Result<(), ImageError> {
        self.model.check_images(images)?;
        let smallest = self.opponent.as_ref().map_or(0, |opponent| Discriminator::smallest(&opponent.config));
        let [_, channels, height, width] = images.dims();
        if height.min(width) >= smallest {
            return Ok(());
        }
        Err(ImageError::Shape {
            what: "images",
            found: images.dims().to_vec(),
            expected: format!(
                "[batch, {channels}, height, width] of at least {smallest}: lower `discriminator.halvings` for smaller ones"
            ),
        })
    }

    /// The part of the rate that the warm-up allows.
    fn warmth(&self) -> f64 {
        ((self.step + 1) as f64 / self.config.warmup_steps.max(1) as f64).min(1.0)
    }

    /// Entries drawn from the latents of a batch, with replacement.
    fn draw_codebook(&mut self, images: &Tensor<4>) {
        let Quantiser::Codebook(codebook) = &self.network.quantiser else {
            return;
        };
        let [entries, dim] = codebook.table().dims();
        let latents = host_latents(self.network.valid().latents(images.clone()));
        let positions = latents.len() / dim;
        let draw = |_| latents[self.rng.below(positions) * dim..][..dim].to_vec();
        let table = (0..entries).flat_map(draw).collect();
        self.set_table(table);
    }

    fn set_table(&mut self, values: Vec<f32>) {
        if let Quantiser::Codebook(codebook) = &mut self.network.quantiser {
            let replace = |old: Tensor<2>| Tensor::from_data(TensorData::new(values, old.dims()), &old.device());
            codebook.table = codebook.table.clone().map(replace);
        }
    }

    /// Moves a codebook's entries towards their latents; gives the number of dead ones revived.
    fn follow(&mut self, latents: Tensor<4>, indices: &[usize]) -> usize {
        let Quantiser::Codebook(codebook) = &self.network.quantiser else {
            return 0;
        };
        let latents = host_latents(latents);
        let averages = self.averages.get_or_insert_with(|| {
            let table: Vec<f32> = codebook.table().into_data().iter().collect();
            let settings = [self.config.decay, self.config.revive_below];
            CodebookAverages::new(&table, codebook.table().dims()[1], indices.len(), settings)
        });
        let (table, revived) = averages.update(&latents, indices, &mut self.rng);
        self.set_table(table);
        revived
    }

    /// One step of the discriminator; gives its loss.
    fn train_opponent(&mut self, images: Tensor<4>, reconstructions: Tensor<4>) -> Option<f64> {
        let opponent = self.opponent.as_mut()?;
        let loss = opponent.network.loss(images, reconstructions);
        let rate = opponent.config.learning_rate;
        opponent.network = descend(opponent.network.clone(), &mut opponent.optimiser, &loss, rate);
        Some(scalar(loss))
    }
}

fn descend<M: Module>(network: M, optimiser: &mut ModuleOptimizer, loss: &Tensor<1>, rate: f64) -> M {
    let gradients = GradientsParams::from_grads(loss.backward(), &network);
    optimiser.step(rate, network, gradients)
}

fn scalar(tensor: Tensor<1>) -> f64 {
    tensor.into_data().iter::<f64>().next().unwrap_or(f64::NAN)
}

fn host_indices(indices: Tensor<1, Int>) -> Vec<usize> {
    indices.into_data().iter::<i64>().map(|index| index as usize).collect()
}

/// `[batch, dimension, row, column]` as rows of `dimension` numbers.
fn host_latents(latents: Tensor<4>) -> Vec<f32> {
    latents.permute([0, 2, 3, 1]).into_data().iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_of_equally_frequent_indices_is_their_number() {
        let usage = CodebookUsage::of(&[3, 1, 3, 1, 7, 7], 8, 2);
        assert_eq!((usage.distinct, usage.revived), (3, 2));
        assert!((usage.perplexity - 3.0).abs() < 1e-12);
        let usage = CodebookUsage::of(&[0, 0, 0, 1], 2, 0);
        let entropy = -(0.75f64 * 0.75f64.ln() + 0.25 * 0.25f64.ln());
        assert!((usage.perplexity - entropy.exp()).abs() < 1e-12);
    }
}
