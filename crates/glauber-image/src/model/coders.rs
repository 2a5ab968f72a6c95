//! Encoder and decoder.

use burn::module::Module;
use burn::nn::GroupNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Tensor};

use super::VqConfig;
use super::layers::{Level, Middle, convolution, convolve, doubled, group_norm, halving, normed_silu};

/// Images to latents.
#[derive(Module, Debug)]
pub(crate) struct Encoder {
    conv_in: Conv2d,
    /// By resolution, the images' own first.
    levels: Vec<Level>,
    middle: Middle,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Encoder {
    pub fn new(config: &VqConfig, device: &Device) -> Self {
        let groups = config.norm_groups;
        let last = config.levels.len() - 1;
        let mut from = config.stem_width;
        let levels = config.levels.iter().enumerate().map(|(at, level)| {
            let resample = (at != last).then(|| halving(level.width, device));
            let channels = [std::mem::replace(&mut from, level.width), level.width];
            Level::new(groups, channels, config.blocks, level.encoder_attention, resample, device)
        });
        let levels = levels.collect();
        Self {
            conv_in: convolution(3, [config.channels, config.stem_width], device),
            levels,
            middle: Middle::new(groups, from, config.middle_attention, device),
            norm_out: group_norm(groups, from, device),
            conv_out: convolution(3, [from, config.latent_channels], device),
        }
    }

    /// `[batch, channel, height, width]` to `[batch, latent channel, height / factor, width / factor]`.
    pub fn forward(&self, images: Tensor<4>) -> Tensor<4> {
        let mut x = convolve(&self.conv_in, images);
        for level in &self.levels {
            x = level.forward(x);
            if let Some(halve) = &level.resample {
                x = convolve(halve, x);
            }
        }
        let x = self.middle.forward(x);
        convolve(&self.conv_out, normed_silu(&self.norm_out, x))
    }
}

/// Latents to images.
#[derive(Module, Debug)]
pub(crate) struct Decoder {
    conv_in: Conv2d,
    middle: Middle,
    /// By resolution, the images' own first; they are passed from the last to the first.
    levels: Vec<Level>,
    norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Decoder {
    pub fn new(config: &VqConfig, device: &Device) -> Self {
        let groups = config.norm_groups;
        let widths: Vec<usize> = config.levels.iter().map(|level| level.width).collect();
        let (first, last) = (widths[0], widths[widths.len() - 1]);
        let levels = config.levels.iter().enumerate().map(|(at, level)| {
            let from = widths.get(at + 1).copied().unwrap_or(last);
            let resample = (at != 0).then(|| convolution(3, [level.width, level.width], device));
            let channels = [from, level.width];
            Level::new(groups, channels, config.blocks + 1, level.decoder_attention, resample, device)
        });
        Self {
            conv_in: convolution(3, [config.latent_channels, last], device),
            middle: Middle::new(groups, last, config.middle_attention, device),
            levels: levels.collect(),
            norm_out: group_norm(groups, first, device),
            conv_out: convolution(3, [first, config.out_channels], device),
        }
    }

    /// `[batch, latent channel, height, width]` to the input of the last layer, `[batch, first width, factor · height,
    /// factor · width]`.
    pub fn features(&self, latents: Tensor<4>) -> Tensor<4> {
        let mut x = self.middle.forward(convolve(&self.conv_in, latents));
        for level in self.levels.iter().rev() {
            x = level.forward(x);
            if let Some(smooth) = &level.resample {
                x = convolve(smooth, doubled(x));
            }
        }
        normed_silu(&self.norm_out, x)
    }

    /// The last layer: features to images.
    pub fn last(&self) -> &Conv2d {
        &self.conv_out
    }
}
