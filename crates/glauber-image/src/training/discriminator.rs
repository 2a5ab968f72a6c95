//! A patch discriminator between images and reconstructions.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, Initializer, PaddingConfig2d};
use burn::tensor::activation::{leaky_relu, relu};
use burn::tensor::{Device, Tensor};

use crate::model::initialise::draw_weights;
use crate::model::layers::{convolve, group_norm};
use crate::streams;

use super::DiscriminatorConfig;

/// Slope of the activation below 0.
const SLOPE: f64 = 0.2;
/// Channels grow up to this many times the first width.
const WIDEST: usize = 8;
/// Groups of every normalisation; batches are too small for statistics over them.
const GROUPS: usize = 8;

/// Convolutions of size 4 that halve the image some times, then two that do not; one verdict a patch, above 0 for "an image".
#[derive(Module, Debug)]
pub(crate) struct Discriminator {
    first: Conv2d,
    inner: Vec<Conv2d>,
    norms: Vec<GroupNorm>,
    last: Conv2d,
}

impl Discriminator {
    pub fn new(config: &DiscriminatorConfig, channels: usize, seed: u64, device: &Device) -> Self {
        let convolution = |stride: usize, channels: [usize; 2]| {
            Conv2dConfig::new(channels, [4, 4])
                .with_stride([stride, stride])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_initializer(Initializer::Zeros)
                .init(device)
        };
        let width = |at: usize| config.width * (1 << at).min(WIDEST);
        let inner = |at: usize| convolution(if at < config.halvings { 2 } else { 1 }, [width(at - 1), width(at)]);
        let discriminator = Self {
            first: convolution(2, [channels, config.width]),
            inner: (1..=config.halvings).map(inner).collect(),
            norms: (1..=config.halvings).map(|at| group_norm(GROUPS, width(at), device)).collect(),
            last: convolution(1, [width(config.halvings), 1]),
        };
        draw_weights(discriminator, seed, streams::DISCRIMINATOR)
    }

    /// Images `[batch, channel, height, width]` to verdicts `[batch, 1, row, column]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let mut x = leaky_relu(convolve(&self.first, images), SLOPE);
        for (convolution, norm) in self.inner.iter().zip(&self.norms) {
            x = leaky_relu(norm.forward(convolve(convolution, x)), SLOPE);
        }
        convolve(&self.last, x)
    }

    /// The hinge loss: verdicts on images should be at least 1, on reconstructions at most −1.
    pub fn loss(&self, images: Tensor<4>, reconstructions: Tensor<4>) -> Tensor<1> {
        let real = relu(self.forward(images).mul_scalar(-1.0).add_scalar(1.0)).mean();
        let made = relu(self.forward(reconstructions).add_scalar(1.0)).mean();
        (real + made).mul_scalar(0.5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_image_gives_one_verdict() {
        let device = Device::flex();
        for halvings in 1..4 {
            let config = DiscriminatorConfig { width: 8, halvings, ..DiscriminatorConfig::default() };
            let size = config.smallest_image();
            let discriminator = Discriminator::new(&config, 3, 1, &device);
            let verdicts = discriminator.forward(Tensor::ones([2, 3, size, size], &device));
            assert_eq!(verdicts.dims(), [2, 1, 1, 1]);
        }
    }
}
