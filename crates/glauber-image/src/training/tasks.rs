//! Tasks of autoencoder and discriminator: forward pass and losses of a micro-batch.

use std::sync::OnceLock;

use burn::module::Module;
use burn::tensor::{Device, Gradients, Int, Tensor};
use glauber_descent::{Stream, Task, scalar};

use crate::ImageError;
use crate::model::VqNetwork;

use super::discriminator::Discriminator;
use super::{DiscriminatorConfig, TokenizerTrainConfig};

/// Keeps the ratio of [`Autoencoding::balance`] from dividing by zero.
const LEAST_NORM: f64 = 1e-4;
/// The highest ratio.
const HIGHEST_RATIO: f64 = 1e4;

/// Trains an autoencoder to reconstruct images that a discriminator accepts.
pub(super) struct Autoencoding<'a> {
    config: &'a TokenizerTrainConfig,
    /// The images of every micro-batch, `[batch, channel, height, width]` on the plain device.
    images: Vec<Tensor<4>>,
    /// The discriminator, once it has begun.
    opponent: Option<(&'a DiscriminatorConfig, &'a Discriminator)>,
    found: Vec<OnceLock<Found>>,
}

/// Results of a micro-batch.
pub(super) struct Found {
    pub absolute: f64,
    pub square: f64,
    pub commitment: f64,
    /// The negative mean output of the discriminator on the reconstructions, and its weight.
    pub verdict: Option<[f64; 2]>,
    /// Images and their reconstructions.
    pub pair: [Tensor<4>; 2],
    /// Rows of one number a dimension, before quantisation.
    pub latents: Vec<f32>,
    pub indices: Vec<usize>,
}

impl<'a> Autoencoding<'a> {
    /// Of the images of every micro-batch.
    pub fn new(
        config: &'a TokenizerTrainConfig,
        images: Vec<Tensor<4>>,
        opponent: Option<(&'a DiscriminatorConfig, &'a Discriminator)>,
    ) -> Self {
        let found = images.iter().map(|_| OnceLock::new()).collect();
        Self { config, images, opponent, found }
    }

    /// Results of the computed micro-batches, in order.
    pub fn found(self) -> Vec<Found> {
        self.found.into_iter().filter_map(OnceLock::into_inner).collect()
    }

    fn weighted(&self, [absolute, square]: [Tensor<1>; 2]) -> Tensor<1> {
        absolute.mul_scalar(self.config.absolute) + square.mul_scalar(self.config.square)
    }

    /// The norm of the weighted differences' gradient over that of the verdict's, at the decoder's last layer.
    ///
    /// The gradients stop at that layer, so that they cost next to nothing below the discriminator.
    fn balance(
        &self,
        network: &VqNetwork,
        features: &Tensor<4>,
        images: &Tensor<4>,
        discriminator: &Discriminator,
    ) -> f64 {
        let painted = || network.paint(features.clone().inner());
        let norm = |gradients: Gradients| {
            let gradient = network.last().weight.val().grad(&gradients);
            gradient.map_or(0.0, |gradient| scalar(gradient.square().sum()).sqrt())
        };
        let difference = norm(self.weighted(differences(&painted(), images)).backward());
        let verdict = norm(verdict(discriminator, painted()).backward());
        (difference / (verdict + LEAST_NORM)).min(HIGHEST_RATIO)
    }
}

impl Task for Autoencoding<'_> {
    type Model = VqNetwork;
    /// The place of a micro-batch among those of its step.
    type Batch = usize;
    type Error = ImageError;

    fn batch(&self, _: &VqNetwork, stream: Stream) -> Result<usize, ImageError> {
        Ok(stream.number as usize % self.images.len())
    }

    fn loss(&self, network: &VqNetwork, &part: &usize, _: &Device) -> Tensor<1> {
        let images = &self.images[part];
        let latents = network.latents(images.clone());
        let (codes, quantised) = network.quantise(latents.clone());
        let features = network.features(codes);
        let reconstructions = network.paint(features.clone());
        let [absolute, square] = differences(&reconstructions, images);
        let mut total = self.weighted([absolute.clone(), square.clone()]);
        if let Some(commitment) = &quantised.commitment {
            total = total + commitment.clone().mul_scalar(self.config.commitment);
        }
        let verdict = self.opponent.map(|(config, discriminator)| {
            // With leaves of its own in burn's graph, which micro-batches must not share.
            let discriminator = discriminator.clone().train();
            let balanced = config.adaptive.then(|| self.balance(network, &features, images, &discriminator));
            let weight = config.weight * balanced.unwrap_or(1.0);
            let verdict = verdict(&discriminator, reconstructions.clone());
            total = total.clone() + verdict.clone().mul_scalar(weight);
            [scalar(verdict), weight]
        });
        self.found[part].get_or_init(|| Found {
            absolute: scalar(absolute),
            square: scalar(square),
            commitment: quantised.commitment.map_or(0.0, scalar),
            verdict,
            pair: [images.clone(), reconstructions.inner()],
            latents: host_latents(latents.inner()),
            indices: host_indices(quantised.indices),
        });
        total
    }
}

/// Trains a discriminator between images and their reconstructions, one pair per micro-batch.
pub(super) struct Judging(pub Vec<[Tensor<4>; 2]>);

impl Task for Judging {
    type Model = Discriminator;
    type Batch = [Tensor<4>; 2];
    type Error = ImageError;

    fn batch(&self, _: &Discriminator, stream: Stream) -> Result<Self::Batch, ImageError> {
        Ok(self.0[stream.number as usize % self.0.len()].clone())
    }

    fn loss(&self, discriminator: &Discriminator, [images, reconstructions]: &Self::Batch, _: &Device) -> Tensor<1> {
        discriminator.loss(images.clone(), reconstructions.clone())
    }
}

/// Mean absolute and mean squared difference.
fn differences(reconstructions: &Tensor<4>, images: &Tensor<4>) -> [Tensor<1>; 2] {
    let difference = reconstructions.clone() - images.clone();
    [difference.clone().abs().mean(), difference.square().mean()]
}

/// The negative mean output on reconstructions, without gradients for the discriminator's weights.
fn verdict(discriminator: &Discriminator, reconstructions: Tensor<4>) -> Tensor<1> {
    discriminator.clone().no_grad().forward(reconstructions).mean().neg()
}

fn host_indices(indices: Tensor<1, Int>) -> Vec<usize> {
    indices.into_data().iter::<i64>().map(|index| index as usize).collect()
}

/// `[batch, dimension, row, column]` as rows of `dimension` numbers.
pub(super) fn host_latents(latents: Tensor<4>) -> Vec<f32> {
    latents.permute([0, 2, 3, 1]).into_data().iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DiscriminatorConfig, LevelConfig, QuantiserConfig, TokenizerTrainer, VqConfig, VqModel};
    use burn::tensor::{Device, TensorData};

    #[test]
    fn the_ratio_is_that_of_the_gradients_through_the_whole_network() {
        let device = Device::flex();
        let level = |width| LevelConfig { width, encoder_attention: false, decoder_attention: false };
        let sizes = VqConfig {
            channels: 1,
            out_channels: 1,
            image_size: 16,
            stem_width: 8,
            blocks: 1,
            middle_attention: false,
            norm_groups: 4,
            latent_channels: 8,
            quantiser: QuantiserConfig::Codebook { entries: 16, dim: 4 },
            levels: vec![level(8), level(8)],
        };
        let discriminator =
            DiscriminatorConfig { begin: 0, width: 8, halvings: 1, adaptive: true, ..DiscriminatorConfig::default() };
        let config = TokenizerTrainConfig { discriminator: Some(discriminator), ..TokenizerTrainConfig::default() };
        let model = VqModel::new(&sizes, 4, &device).unwrap();
        let trainer = TokenizerTrainer::new(model, &config, 4, &device).unwrap();
        let network = trainer.trainer.model().clone().train();
        let discriminator = trainer.opponent.as_ref().unwrap().model();
        let values: Vec<f32> = (0..2 * 256).map(|at| (at as f32 * 0.37).sin()).collect();
        let images = Tensor::from_data(TensorData::new(values, [2, 1, 16, 16]), &device);
        let task = Autoencoding::new(
            &config,
            vec![images.clone()],
            config.discriminator.as_ref().map(|of| (of, discriminator)),
        );
        let norm = |loss: &dyn Fn(Tensor<4>) -> Tensor<1>| -> f64 {
            let (codes, _) = network.quantise(network.latents(images.clone()));
            let gradient = network.last().weight.val().grad(&loss(network.images(codes)).backward()).unwrap();
            gradient.into_data().iter::<f64>().map(|x| x * x).sum::<f64>().sqrt()
        };
        let difference = norm(&|painted| {
            let difference = painted - images.clone();
            difference.clone().abs().mean() + (difference.clone() * difference).mean()
        });
        let judged = norm(&|painted| discriminator.clone().train().forward(painted).mean().neg());
        let expected = difference / (judged + 1e-4);
        task.loss(&network, &0, &device);
        let [_, weight] = task.found()[0].verdict.unwrap();
        assert!((weight / (0.1 * expected) - 1.0).abs() < 1e-4, "{weight} for {expected}");
    }
}
