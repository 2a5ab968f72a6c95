//! Multi-head attention with rotary positions.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};

use crate::constants::Rotary;

/// Rotates the halves of the last axis against each other: `[batch, site, head, head width]`.
pub(crate) fn rotate(x: Tensor<4>, rotary: &Rotary) -> Tensor<4> {
    let half = x.dims()[3] / 2;
    let swapped = Tensor::cat(vec![x.clone().narrow(3, half, half), x.clone().narrow(3, 0, half)], 3);
    x * rotary.cos.clone() + swapped * rotary.sin.clone()
}

/// Softmax attention, its bias added to the scores.
///
/// # Shapes
/// - queries: `[batch, query, head, head width]`; keys and values: `[batch, key, head, head width]`
/// - bias: `[1 or batch, 1, query, key]`
/// - output: `[batch, query, head · head width]`
pub(crate) fn attend(queries: Tensor<4>, keys: Tensor<4>, values: Tensor<4>, bias: Option<Tensor<4>>) -> Tensor<3> {
    let [batch, sites, heads, head_width] = queries.dims();
    // Scaling the queries touches fewer numbers than scaling the scores.
    let queries = queries.mul_scalar((head_width as f64).powf(-0.5));
    let scores = queries.swap_dims(1, 2).matmul(keys.permute([0, 2, 3, 1]));
    let scores = match bias {
        Some(bias) => scores + bias,
        None => scores,
    };
    softmax(scores, 3).matmul(values.swap_dims(1, 2)).swap_dims(1, 2).reshape([batch, sites, heads * head_width])
}

/// A linear layer whose weights are drawn later, by [`crate::initialise`].
pub(crate) fn linear(input: usize, output: usize, bias: bool, device: &Device) -> Linear {
    LinearConfig::new(input, output).with_bias(bias).with_initializer(burn::nn::Initializer::Zeros).init(device)
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
        let [batch, sites, width] = x.dims();
        let heads = self.heads;
        let projected = self.project.forward(x).reshape([batch, sites, 3 * heads, width / heads]);
        // Queries and keys lie side by side, so that one rotation serves both.
        let rotated = rotate(projected.clone().narrow(2, 0, 2 * heads), rotary);
        let queries = rotated.clone().narrow(2, 0, heads);
        let keys = rotated.narrow(2, heads, heads);
        let values = projected.narrow(2, 2 * heads, heads);
        self.out.forward(attend(queries, keys, values, bias))
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
        query_rotary: &Rotary,
        streams: [Tensor<3>; 2],
        key_rotary: &Rotary,
        bias: Tensor<4>,
    ) -> Tensor<3> {
        let [batch, sites, width] = queries.dims();
        let heads = self.heads;
        let head_width = width / heads;
        let queries = self.query.forward(queries);
        let queries = rotate(queries.reshape([batch, sites, heads, head_width]), query_rotary);
        let [before, after] = streams;
        let project = |layer: &Linear, stream: Tensor<3>| {
            let len = stream.dims()[1];
            let both = layer.forward(stream).reshape([batch, len, 2 * heads, head_width]);
            let keys = rotate(both.clone().narrow(2, 0, heads), key_rotary);
            (keys, both.narrow(2, heads, heads))
        };
        let (keys_before, values_before) = project(&self.forward_keys, before);
        let (keys_after, values_after) = project(&self.backward_keys, after);
        let keys = Tensor::cat(vec![keys_before, keys_after], 1);
        let values = Tensor::cat(vec![values_before, values_after], 1);
        self.out.forward(attend(queries, keys, values, Some(bias)))
    }
}
