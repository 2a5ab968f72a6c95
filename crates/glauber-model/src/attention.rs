//! Multi-head attention with rotary positions.

use std::ops::Range;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use glauber_fused::{Rotary, merging_attention, rotated, self_attention, stream_attention};

use crate::roles::{Role, Roles};

/// A linear layer whose weights [`crate::initialise`] draws later.
pub(crate) fn linear(input: usize, output: usize, bias: bool, device: &Device) -> Linear {
    LinearConfig::new(input, output).with_bias(bias).with_initializer(burn::nn::Initializer::Zeros).init(device)
}

/// A linear layer's output, `[batch, site, output]`, in the number type of its weights.
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

    pub fn roles(&self, roles: &mut Roles) {
        [&self.project, &self.out].into_iter().for_each(|layer| roles.linear(layer, Role::Hidden));
    }

    /// `[batch, site, width]` to the same.
    pub fn forward(&self, x: Tensor<3>, rotary: &Rotary, bias: Option<Tensor<4>>) -> Tensor<3> {
        let attended = self_attention(apply(&self.project, x), self.heads, rotary, bias);
        apply(&self.out, attended)
    }

    /// [`forward`](Self::forward) for some new sites, `[batch, new site, width]`, with their rotary tables. Writes
    /// their rotated keys and values to the cache `[batch, site, 2 · width]`, from site `first`, and attends over it.
    /// The bias hides invalid keys.
    pub fn extend(
        &self,
        x: Tensor<3>,
        first: usize,
        kept: &mut Tensor<3>,
        rotary: &Rotary,
        bias: Tensor<4>,
    ) -> Tensor<3> {
        let [batch, new, width] = x.dims();
        let projected = rotated(apply(&self.project, x), 2 * self.heads, rotary);
        let keys_values = projected.clone().narrow(2, width, 2 * width);
        assign(kept, [0..batch, first..first + new, 0..2 * width], keys_values);
        let attended = stream_attention(projected.narrow(2, 0, width), kept.clone(), self.heads, bias);
        apply(&self.out, attended)
    }
}

/// Writes a part of a tensor, in place if it is not shared.
pub(crate) fn assign(tensor: &mut Tensor<3>, part: [Range<usize>; 3], values: Tensor<3>) {
    tensor.inplace(|tensor| tensor.slice_assign(part, values));
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

    pub fn roles(&self, roles: &mut Roles) {
        let layers = [&self.query, &self.forward_keys, &self.backward_keys, &self.out];
        layers.into_iter().for_each(|layer| roles.linear(layer, Role::Hidden));
    }

    /// Keys, rotated, and values of one stream's states, `[batch, site, width]` to `[batch, site, 2 · width]`; 0 the forward stream, 1 the
    /// backward one.
    pub fn keys_of(&self, direction: usize, states: Tensor<3>, rotary: &Rotary) -> Tensor<3> {
        rotated(apply([&self.forward_keys, &self.backward_keys][direction], states), self.heads, rotary)
    }

    /// Queries `[batch, query, width]`, whose rotary tables are given, over the streams' keys, rotated, and values
    /// `[batch, site, 2 · width]`; output as the queries.
    pub fn forward(&self, queries: Tensor<3>, streams: [Tensor<3>; 2], rotary: &Rotary, bias: Tensor<4>) -> Tensor<3> {
        let queries = rotated(apply(&self.query, queries), self.heads, rotary);
        apply(&self.out, merging_attention(queries, streams, self.heads, bias))
    }
}
