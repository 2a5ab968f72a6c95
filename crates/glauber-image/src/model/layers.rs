//! The layers that encoder and decoder share. Feature maps are `[batch, channel, height, width]`.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, GroupNormConfig, Initializer, PaddingConfig2d};
use burn::tensor::activation::{silu, softmax};
use burn::tensor::{Device, Tensor};
use glauber_fused::Padding;

/// Added to the variance under the root.
const EPSILON: f64 = 1e-6;

/// Group normalisation with a scale and a shift a channel (Wu and He, "Group Normalization", 2018).
pub(crate) fn group_norm(groups: usize, channels: usize, device: &Device) -> GroupNorm {
    GroupNormConfig::new(groups, channels).with_epsilon(EPSILON).init(device)
}

/// A convolution with odd kernel that keeps height and width; weights at zero until they are drawn or loaded.
pub(crate) fn convolution(kernel: usize, channels: [usize; 2], device: &Device) -> Conv2d {
    let around = kernel / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_padding(PaddingConfig2d::Explicit(around, around, around, around))
        .with_initializer(Initializer::Zeros)
        .init(device)
}

/// The layer's output, through the fused convolution.
pub(crate) fn convolve(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let PaddingConfig2d::Explicit(above, left, below, right) = layer.padding else {
        return layer.forward(x);
    };
    let padding = Padding { above, left, below, right };
    glauber_fused::convolution(x, layer.weight.val(), layer.bias.as_ref().map(Param::val), layer.stride[0], padding)
}

/// The normalisation, then SiLU, as one operation.
pub(crate) fn normed_silu(norm: &GroupNorm, x: Tensor<4>) -> Tensor<4> {
    match (&norm.gamma, &norm.beta) {
        (Some(scale), Some(shift)) => {
            glauber_fused::group_norm_silu(x, scale.val(), shift.val(), norm.num_groups, norm.epsilon)
        }
        _ => silu(norm.forward(x)),
    }
}

/// Two convolutions, each after a normalisation and SiLU, added to the input.
#[derive(Module, Debug)]
pub(crate) struct ResidualBlock {
    norm_1: GroupNorm,
    conv_1: Conv2d,
    norm_2: GroupNorm,
    conv_2: Conv2d,
    /// Brings the input to the output's channels where they differ.
    shortcut: Option<Conv2d>,
}

impl ResidualBlock {
    pub fn new(groups: usize, [from, to]: [usize; 2], device: &Device) -> Self {
        Self {
            norm_1: group_norm(groups, from, device),
            conv_1: convolution(3, [from, to], device),
            norm_2: group_norm(groups, to, device),
            conv_2: convolution(3, [to, to], device),
            shortcut: (from != to).then(|| convolution(1, [from, to], device)),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let hidden = convolve(&self.conv_1, normed_silu(&self.norm_1, x.clone()));
        let hidden = convolve(&self.conv_2, normed_silu(&self.norm_2, hidden));
        match &self.shortcut {
            Some(shortcut) => convolve(shortcut, x) + hidden,
            None => x + hidden,
        }
    }
}

/// Attention of every position over all positions, one head, added to the input.
#[derive(Module, Debug)]
pub(crate) struct SelfAttention {
    norm: GroupNorm,
    query: Conv2d,
    key: Conv2d,
    value: Conv2d,
    output: Conv2d,
}

impl SelfAttention {
    pub fn new(groups: usize, channels: usize, device: &Device) -> Self {
        let projection = || convolution(1, [channels, channels], device);
        Self {
            norm: group_norm(groups, channels, device),
            query: projection(),
            key: projection(),
            value: projection(),
            output: projection(),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let [batch, channels, height, width] = x.dims();
        let normed = self.norm.forward(x.clone());
        let flat = |layer: &Conv2d| convolve(layer, normed.clone()).reshape([batch, channels, height * width]);
        let scale = 1.0 / (channels as f64).sqrt();
        // [batch, from, to]
        let scores = flat(&self.query).swap_dims(1, 2).matmul(flat(&self.key)).mul_scalar(scale);
        let attended = flat(&self.value).matmul(softmax(scores, 2).swap_dims(1, 2));
        x + convolve(&self.output, attended.reshape([batch, channels, height, width]))
    }
}

/// Halves height and width: a row below and a column to the right of zeros, then a convolution of stride 2.
pub(crate) fn halving(channels: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new([channels, channels], [3, 3])
        .with_stride([2, 2])
        .with_padding(PaddingConfig2d::Explicit(0, 0, 1, 1))
        .with_initializer(Initializer::Zeros)
        .init(device)
}

/// Repeats every row and every column.
pub(crate) fn doubled(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let repeated: Tensor<6> =
        x.reshape([batch, channels, height, 1, width, 1]).expand([batch, channels, height, 2, width, 2]);
    repeated.reshape([batch, channels, 2 * height, 2 * width])
}

/// The blocks of one resolution, and the convolution on the way to the next.
#[derive(Module, Debug)]
pub(crate) struct Level {
    blocks: Vec<ResidualBlock>,
    /// One after each block, or none.
    attentions: Vec<SelfAttention>,
    pub resample: Option<Conv2d>,
}

impl Level {
    pub fn new(
        groups: usize,
        [from, to]: [usize; 2],
        blocks: usize,
        attention: bool,
        resample: Option<Conv2d>,
        device: &Device,
    ) -> Self {
        let block = |at| ResidualBlock::new(groups, [if at == 0 { from } else { to }, to], device);
        let attentions = if attention { blocks } else { 0 };
        Self {
            blocks: (0..blocks).map(block).collect(),
            attentions: (0..attentions).map(|_| SelfAttention::new(groups, to, device)).collect(),
            resample,
        }
    }

    /// The blocks alone, without the change of resolution.
    pub fn forward(&self, mut x: Tensor<4>) -> Tensor<4> {
        for (at, block) in self.blocks.iter().enumerate() {
            x = block.forward(x);
            if let Some(attention) = self.attentions.get(at) {
                x = attention.forward(x);
            }
        }
        x
    }
}

/// The blocks at the lowest resolution, between the levels and the latents.
#[derive(Module, Debug)]
pub(crate) struct Middle {
    first: ResidualBlock,
    attention: Option<SelfAttention>,
    second: ResidualBlock,
}

impl Middle {
    pub fn new(groups: usize, channels: usize, attention: bool, device: &Device) -> Self {
        Self {
            first: ResidualBlock::new(groups, [channels, channels], device),
            attention: attention.then(|| SelfAttention::new(groups, channels, device)),
            second: ResidualBlock::new(groups, [channels, channels], device),
        }
    }

    pub fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let x = self.first.forward(x);
        let x = match &self.attention {
            Some(attention) => attention.forward(x),
            None => x,
        };
        self.second.forward(x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubling_repeats_rows_and_columns() {
        let device = Device::flex();
        let x = Tensor::<4>::from_data([[[[1.0, 2.0], [3.0, 4.0]]]], &device);
        let found: Vec<f32> = doubled(x).into_data().iter().collect();
        assert_eq!(found, [1., 1., 2., 2., 1., 1., 2., 2., 3., 3., 4., 4., 3., 3., 4., 4.]);
    }

    #[test]
    fn halving_halves() {
        let device = Device::flex();
        let x = Tensor::<4>::zeros([1, 2, 6, 4], &device);
        assert_eq!(convolve(&halving(2, &device), x).dims(), [1, 2, 3, 2]);
    }
}
