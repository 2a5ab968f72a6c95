//! Transformer blocks modulated by the step: adaptive layer norm with zero-initialised gates (adaLN-Zero; Peebles and Xie,
//! "Scalable Diffusion Models with Transformers", 2023, §3.2).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use glauber_fused::{Rotary, feed_forward, gated_residual, modulated_norm, recomputed};

use crate::ModelConfig;
use crate::attention::{MergingAttention, SelfAttention, linear};

/// Splits the modulation's output into `N` vectors, each `[batch, width]`.
pub(crate) fn modulations<const N: usize>(layer: &Linear, condition: Tensor<2>) -> [Tensor<2>; N] {
    split(layer.forward(condition))
}

/// `N` vectors side by side, `[batch, N · width]`, one by one.
fn split<const N: usize>(all: Tensor<2>) -> [Tensor<2>; N] {
    let width = all.dims()[1] / N;
    std::array::from_fn(|i| all.clone().narrow(1, i * width, width))
}

/// A feed-forward layer, with ReLU: squared, it learned faster at first and ended worse (`docs/results.md`).
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
        let weights = |layer: &Linear| {
            let bias = layer.bias.as_ref().expect("made with one");
            (layer.weight.val(), bias.val())
        };
        feed_forward(x, weights(&self.up), weights(&self.down))
    }
}

/// A block of self-attention and feed-forward.
#[derive(Module, Debug)]
pub(crate) struct Block {
    attention: SelfAttention,
    feed_forward: FeedForward,
    modulation: Linear,
    /// Whether a backward pass computes the block again.
    recomputed: bool,
}

impl Block {
    pub fn new(config: &ModelConfig, device: &Device) -> Self {
        Self {
            attention: SelfAttention::new(config.width, config.heads, device),
            feed_forward: FeedForward::new(config, device),
            modulation: linear(config.condition_width, 6 * config.width, true, device),
            recomputed: false,
        }
    }

    /// The same, keeping its inputs alone for a backward pass, which computes the rest again.
    pub fn recomputing(self, on: bool) -> Self {
        Self { recomputed: on, ..self }
    }

    /// `[batch, site, width]` to the same; condition `[batch, condition width]`.
    pub fn forward(&self, x: Tensor<3>, condition: Tensor<2>, rotary: &Rotary, bias: Option<Tensor<4>>) -> Tensor<3> {
        // Outside of what is computed again, so that gradients by the condition add up in the same order either way.
        let vectors = self.modulation.forward(condition);
        if !self.recomputed {
            return self.modulated(x, vectors, rotary, bias);
        }
        let rotary = rotary.clone();
        recomputed(self, [x, vectors.unsqueeze_dim(1)], move |block, [x, vectors]| {
            block.modulated(x, vectors.squeeze_dim(1), &rotary, bias.clone())
        })
    }

    fn modulated(&self, x: Tensor<3>, vectors: Tensor<2>, rotary: &Rotary, bias: Option<Tensor<4>>) -> Tensor<3> {
        let [shift_1, scale_1, gate_1, shift_2, scale_2, gate_2] = split(vectors);
        let attended = self.attention.forward(modulated_norm(x.clone(), shift_1, scale_1), rotary, bias);
        let x = gated_residual(x, attended, gate_1);
        let fed = self.feed_forward.forward(modulated_norm(x.clone(), shift_2, scale_2));
        gated_residual(x, fed, gate_2)
    }

    /// The same for some sites, from `first` on: see [`SelfAttention::extend`].
    pub fn extend(
        &self,
        x: Tensor<3>,
        first: usize,
        kept: &mut Tensor<3>,
        condition: Tensor<2>,
        rotary: [&Rotary; 2],
        bias: Tensor<4>,
    ) -> Tensor<3> {
        let [shift_1, scale_1, gate_1, shift_2, scale_2, gate_2] = modulations(&self.modulation, condition);
        let normal = modulated_norm(x.clone(), shift_1, scale_1);
        let x = gated_residual(x, self.attention.extend(normal, first, kept, rotary, bias), gate_1);
        let fed = self.feed_forward.forward(modulated_norm(x.clone(), shift_2, scale_2));
        gated_residual(x, fed, gate_2)
    }
}

/// A block of the read-out: its queries attend over both streams, never over each other, so none learns of its own site.
#[derive(Module, Debug)]
pub(crate) struct MergingBlock {
    attention: MergingAttention,
    feed_forward: FeedForward,
    modulation: Linear,
    /// Whether a backward pass computes the block again.
    recomputed: bool,
}

/// What the read-out's blocks share: where queries and keys lie, and which keys a query sees.
#[derive(Clone)]
pub(crate) struct Merging {
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
            recomputed: false,
        }
    }

    /// Keys and values of one stream's states, as [`forward`](Self::forward) wants them; 0 the forward stream, 1 the backward one.
    pub fn keys_of(&self, direction: usize, states: Tensor<3>) -> Tensor<3> {
        self.attention.keys_of(direction, states)
    }

    /// The same, keeping its inputs alone for a backward pass, which computes the rest again.
    pub fn recomputing(self, on: bool) -> Self {
        Self { recomputed: on, ..self }
    }

    /// Queries `[batch, query, width]` to the same, over keys and values of both streams `[batch, site, 2 · width]`; condition
    /// `[batch, condition width]`.
    pub fn forward(
        &self,
        queries: Tensor<3>,
        condition: Tensor<2>,
        keys: [Tensor<3>; 2],
        merging: &Merging,
    ) -> Tensor<3> {
        let vectors = self.modulation.forward(condition);
        if !self.recomputed {
            return self.modulated(queries, keys, vectors, merging);
        }
        let (merging, [before, after]) = (merging.clone(), keys);
        let inputs = [queries, before, after, vectors.unsqueeze_dim(1)];
        recomputed(self, inputs, move |block, [queries, before, after, vectors]| {
            block.modulated(queries, [before, after], vectors.squeeze_dim(1), &merging)
        })
    }

    fn modulated(&self, queries: Tensor<3>, keys: [Tensor<3>; 2], vectors: Tensor<2>, merging: &Merging) -> Tensor<3> {
        let [shift_1, scale_1, gate_1, shift_2, scale_2, gate_2] = split(vectors);
        let attended = self.attention.forward(
            modulated_norm(queries.clone(), shift_1, scale_1),
            keys,
            [&merging.query_rotary, &merging.key_rotary],
            merging.bias.clone(),
        );
        let queries = gated_residual(queries, attended, gate_1);
        let fed = self.feed_forward.forward(modulated_norm(queries.clone(), shift_2, scale_2));
        gated_residual(queries, fed, gate_2)
    }
}
