//! Multi-head attention with rotary positions.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use glauber_fused::{Rotary, merging_attention, self_attention};

/// A linear layer whose weights are drawn later, by [`crate::initialise`].
pub(crate) fn linear(input: usize, output: usize, bias: bool, device: &Device) -> Linear {
    LinearConfig::new(input, output).with_bias(bias).with_initializer(burn::nn::Initializer::Zeros).init(device)
}

/// A linear layer's output, `[batch, site, output]`.
pub(crate) fn apply(layer: &Linear, x: Tensor<3>) -> Tensor<3> {
    glauber_fused::linear(x, layer.weight.val(), layer.bias.as_ref().map(|bias| bias.val()))
}

/// Self-attention within one stream.
#[derive(Module, Debug)]
pub(crate) struct SelfAttention {
    project: Linear,
    out: Linear,
    heads: usize,
}

impl SelfAttention {
    pub fn new(width: usize, heads: usize, device: &Device) -> Self {
        Self { project: linear(width, 3 * width, false, device), out: linear(width, width, false, device), heads }
    }

    /// `[batch, site, width]` to the same.
    pub fn forward(&self, x: Tensor<3>, rotary: &Rotary, bias: Option<Tensor<4>>) -> Tensor<3> {
        let attended = self_attention(apply(&self.project, x), self.heads, rotary, bias);
        apply(&self.out, attended)
    }
}

/// Attention of the read-out's queries over the states of both streams.
#[derive(Module, Debug)]
pub(crate) struct MergingAttention {
    query: Linear,
    forward_keys: Linear,
    backward_keys: Linear,
    out: Linear,
    heads: usize,
}

impl MergingAttention {
    pub fn new(width: usize, heads: usize, device: &Device) -> Self {
        Self {
            query: linear(width, width, false, device),
            forward_keys: linear(width, 2 * width, false, device),
            backward_keys: linear(width, 2 * width, false, device),
            out: linear(width, width, false, device),
            heads,
        }
    }

    /// Queries `[batch, query, width]` over streams `[batch, site, width]`; output as the queries.
    pub fn forward(
        &self,
        queries: Tensor<3>,
        streams: [Tensor<3>; 2],
        rotary: [&Rotary; 2],
        bias: Tensor<4>,
    ) -> Tensor<3> {
        let [before, after] = streams;
        let streams = [apply(&self.forward_keys, before), apply(&self.backward_keys, after)];
        let attended = merging_attention(apply(&self.query, queries), streams, self.heads, rotary, bias);
        apply(&self.out, attended)
    }
}
