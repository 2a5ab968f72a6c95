//! Transformer blocks modulated by the step: adaptive layer norm with zero-initialised gates (adaLN-Zero; Peebles and Xie,
//! "Scalable Diffusion Models with Transformers", 2023, §3.2).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::module::layer_norm;
use burn::tensor::{Device, Tensor};

use crate::ModelConfig;
use crate::attention::{MergingAttention, SelfAttention, linear};
use crate::constants::Rotary;

/// Layer norm without weights of its own: the modulation supplies scale and shift.
pub(crate) fn normalise(x: Tensor<3>) -> Tensor<3> {
    let width = x.dims()[2];
    let ones = Tensor::ones([width], &x.device());
    layer_norm(x, ones, None, 1e-5)
}

/// `normalise(x) · (1 + scale) + shift`, scale and shift `[batch, 1, width]`.
pub(crate) fn modulate(x: Tensor<3>, shift: Tensor<3>, scale: Tensor<3>) -> Tensor<3> {
    normalise(x) * scale.add_scalar(1.0) + shift
}

/// Splits the modulation's output into `N` vectors, each `[batch, 1, width]`.
pub(crate) fn modulations<const N: usize>(layer: &Linear, condition: Tensor<2>) -> [Tensor<3>; N] {
    let all = layer.forward(condition);
    let width = all.dims()[1] / N;
    std::array::from_fn(|i| all.clone().narrow(1, i * width, width).unsqueeze_dim(1))
}

/// A feed-forward layer, with squared ReLU (So et al., "Primer", 2021): better than ReLU at equal time, and the CPU device computes the
/// erf of GELU one number at a time.
#[derive(Module, Debug)]
pub(crate) struct FeedForward {
    up: Linear,
    down: Linear,
}

impl FeedForward {
    fn new(config: &ModelConfig, device: &Device) -> Self {
        Self {
            up: linear(config.width, config.hidden(), true, device),
            down: linear(config.hidden(), config.width, true, device),
        }
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        self.down.forward(relu(self.up.forward(x)).square())
    }
}

/// A block of self-attention and feed-forward.
#[derive(Module, Debug)]
pub(crate) struct Block {
    attention: SelfAttention,
    feed_forward: FeedForward,
    modulation: Linear,
}

impl Block {
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        Self {
            attention: SelfAttention::new(config.width, config.heads, device),
            feed_forward: FeedForward::new(config, device),
            modulation: linear(config.condition_width, 6 * config.width, true, device),
        }
    }

    /// `[batch, site, width]` to the same; condition `[batch, condition width]`.
    pub fn forward(&self, x: Tensor<3>, condition: Tensor<2>, rotary: &Rotary, bias: Option<Tensor<4>>) -> Tensor<3> {
        let [shift_1, scale_1, gate_1, shift_2, scale_2, gate_2] = modulations(&self.modulation, condition);
        let attended = self.attention.forward(modulate(x.clone(), shift_1, scale_1), rotary, bias);
        let x = x + attended * gate_1;
        let fed = self.feed_forward.forward(modulate(x.clone(), shift_2, scale_2));
        x + fed * gate_2
    }
}

/// A block of the read-out: its queries attend over both streams, never over each other, so none learns of its own site.
#[derive(Module, Debug)]
pub(crate) struct MergingBlock {
    attention: MergingAttention,
    feed_forward: FeedForward,
    modulation: Linear,
}

/// What the read-out's blocks share: the streams, and where queries and keys lie.
pub(crate) struct Merging {
    pub streams: [Tensor<3>; 2],
    pub query_rotary: Rotary,
    pub key_rotary: Rotary,
    pub bias: Tensor<4>,
}

impl MergingBlock {
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        Self {
            attention: MergingAttention::new(config.width, config.heads, device),
            feed_forward: FeedForward::new(config, device),
            modulation: linear(config.condition_width, 6 * config.width, true, device),
        }
    }

    /// Queries `[batch, query, width]` to the same; condition `[batch, condition width]`.
    pub fn forward(&self, queries: Tensor<3>, condition: Tensor<2>, merging: &Merging) -> Tensor<3> {
        let [shift_1, scale_1, gate_1, shift_2, scale_2, gate_2] = modulations(&self.modulation, condition);
        let attended = self.attention.forward(
            modulate(queries.clone(), shift_1, scale_1),
            &merging.query_rotary,
            merging.streams.clone(),
            &merging.key_rotary,
            merging.bias.clone(),
        );
        let queries = queries + attended * gate_1;
        let fed = self.feed_forward.forward(modulate(queries.clone(), shift_2, scale_2));
        queries + fed * gate_2
    }
}
