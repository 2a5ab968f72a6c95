//! One micro-batch: forward, losses, backward.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Gradients, Int, Tensor};

use crate::model::VqNetwork;

use super::discriminator::Discriminator;
use super::trainer::Opponent;
use super::{DiscriminatorConfig, TokenizerTrainConfig};

/// Keeps the ratio of [`Objective::balance`] from dividing by zero.
const LEAST_NORM: f64 = 1e-4;
/// The highest ratio.
const HIGHEST_RATIO: f64 = 1e4;

/// What a micro-batch is trained for.
pub(super) struct Objective<'a> {
    config: &'a TokenizerTrainConfig,
    /// Gradients on.
    network: VqNetwork,
    /// The discriminator, once it has begun.
    opponent: Option<(&'a DiscriminatorConfig, Discriminator)>,
}

/// What a micro-batch came to.
pub(super) struct Pass {
    pub gradients: GradientsParams,
    pub absolute: f64,
    pub square: f64,
    pub commitment: f64,
    pub total: f64,
    pub adversary: Option<Adversary>,
    /// Rows of one number a dimension, before quantisation.
    pub latents: Vec<f32>,
    pub indices: Vec<usize>,
}

/// What the discriminator made of a micro-batch.
pub(super) struct Adversary {
    /// Its mean verdict on the reconstructions, sign turned.
    pub verdict: f64,
    /// The weight of that verdict.
    pub weight: f64,
    /// Its own loss.
    pub loss: f64,
    pub gradients: GradientsParams,
}

impl<'a> Objective<'a> {
    /// With leaves of its own in burn's graph, for every micro-batch: graphs that share leaves become one, and while one thread brings them
    /// together, what another is recording can be lost.
    pub fn new(config: &'a TokenizerTrainConfig, network: &VqNetwork, opponent: Option<&'a Opponent>) -> Self {
        let opponent = opponent.map(|opponent| (&opponent.config, opponent.network.valid().train()));
        Self { config, network: network.valid().train(), opponent }
    }

    /// Images `[batch, channel, height, width]` on the plain device.
    pub fn pass(&self, images: Tensor<4>) -> Pass {
        let latents = self.network.latents(images.clone());
        let (codes, quantised) = self.network.quantise(latents.clone());
        let features = self.network.features(codes);
        let reconstructions = self.network.paint(features.clone());
        let [absolute, square] = differences(&reconstructions, &images);
        let mut total = self.weighted(absolute.clone(), square.clone());
        if let Some(commitment) = &quantised.commitment {
            total = total + commitment.clone().mul_scalar(self.config.commitment);
        }
        let adversary = self.opponent.as_ref().map(|(config, discriminator)| {
            let ratio = if config.adaptive { self.balance(&features, &images, discriminator) } else { 1.0 };
            let weight = config.weight * ratio;
            let verdict = verdict(discriminator, reconstructions.clone());
            total = total.clone() + verdict.clone().mul_scalar(weight);
            let loss = discriminator.loss(images.clone(), reconstructions.clone().inner());
            let gradients = GradientsParams::from_grads(loss.backward(), discriminator);
            Adversary { verdict: scalar(verdict), weight, loss: scalar(loss), gradients }
        });
        Pass {
            gradients: GradientsParams::from_grads(total.backward(), &self.network),
            absolute: scalar(absolute),
            square: scalar(square),
            commitment: quantised.commitment.map_or(0.0, scalar),
            total: scalar(total),
            adversary,
            latents: host_latents(latents.inner()),
            indices: host_indices(quantised.indices),
        }
    }

    fn weighted(&self, absolute: Tensor<1>, square: Tensor<1>) -> Tensor<1> {
        absolute.mul_scalar(self.config.absolute) + square.mul_scalar(self.config.square)
    }

    /// The norm of the weighted differences' gradient over that of the verdict's, at the decoder's last layer.
    ///
    /// The gradients stop at that layer, so that they cost next to nothing below the discriminator.
    fn balance(&self, features: &Tensor<4>, images: &Tensor<4>, discriminator: &Discriminator) -> f64 {
        let painted = || self.network.paint(features.clone().inner());
        let norm = |gradients: Gradients| {
            let gradient = self.network.last().weight.val().grad(&gradients);
            gradient.map_or(0.0, |gradient| scalar(gradient.square().sum()).sqrt())
        };
        let [absolute, square] = differences(&painted(), images);
        let difference = norm(self.weighted(absolute, square).backward());
        let verdict = norm(verdict(discriminator, painted()).backward());
        (difference / (verdict + LEAST_NORM)).min(HIGHEST_RATIO)
    }
}

/// Mean absolute and mean squared difference.
fn differences(reconstructions: &Tensor<4>, images: &Tensor<4>) -> [Tensor<1>; 2] {
    let difference = reconstructions.clone() - images.clone();
    [difference.clone().abs().mean(), difference.square().mean()]
}

/// The mean verdict on reconstructions, sign turned; the discriminator's own weights get no gradient.
fn verdict(discriminator: &Discriminator, reconstructions: Tensor<4>) -> Tensor<1> {
    discriminator.clone().no_grad().forward(reconstructions).mean().neg()
}

/// The value of a tensor of one number.
pub(super) fn scalar(tensor: Tensor<1>) -> f64 {
    tensor.into_data().iter::<f64>().next().unwrap_or(f64::NAN)
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
        let values: Vec<f32> = (0..2 * 256).map(|at| (at as f32 * 0.37).sin()).collect();
        let images = Tensor::from_data(TensorData::new(values, [2, 1, 16, 16]), &device);
        let (network, opponent) = (&trainer.network, trainer.opponent.as_ref());
        let objective = Objective::new(&config, network, opponent);
        let norm = |loss: &dyn Fn(Tensor<4>) -> Tensor<1>| -> f64 {
            let (codes, _) = network.quantise(network.latents(images.clone()));
            let gradient = network.last().weight.val().grad(&loss(network.images(codes)).backward()).unwrap();
            gradient.into_data().iter::<f64>().map(|x| x * x).sum::<f64>().sqrt()
        };
        let difference = norm(&|painted| {
            let difference = painted - images.clone();
            difference.clone().abs().mean() + (difference.clone() * difference).mean()
        });
        let judged = norm(&|painted| opponent.unwrap().network.forward(painted).mean().neg());
        let expected = difference / (judged + 1e-4);
        let adversary = objective.pass(images.clone()).adversary.unwrap();
        assert!((adversary.weight / (0.1 * expected) - 1.0).abs() < 1e-4, "{} for {expected}", adversary.weight);
    }
}
