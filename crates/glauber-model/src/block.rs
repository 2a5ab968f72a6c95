//! Transformer blocks modulated by the step: adaptive layer norm with zero-initialised gates (adaLN-Zero; Peebles and Xie,
//! "Scalable Diffusion Models with Transformers", 2023, §3.2).

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::{Device, Tensor};
use glauber_fused::{Rotary, feed_forward, gated_residual, modulated_norm, recomputed};

use crate::ModelConfig;
use crate::attention::{MergingAttention, SelfAttention, linear};
use crate::roles::{Role, Roles};

/// Splits the output of the modulation into `N` vectors, each `[batch, width]`.
pub(crate) fn modulations<const N: usize>(layer: &Linear, condition: Tensor<2>) -> [Tensor<2>; N] {
    split(layer.forward(condition))
}

/// `N` vectors side by side, `[batch, N · width]`, one by one.
fn split<const N: usize>(all: Tensor<2>) -> [Tensor<2>; N] {
    let width = all.dims()[1] / N;
    std::array::from_fn(|i| all.clone().narrow(1, i * width, width))
}

/// A feed-forward layer with ReLU. Squared ReLU learned faster at first and ended worse (`docs/results.md`).
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

    fn roles(&self, roles: &mut Roles) {
        [&self.up, &self.down].into_iter().for_each(|layer| roles.linear(layer, Role::Hidden));
    }

    fn forward(&self, x: Tensor<3>) -> Tensor<3> {
        let weights = |layer: &Linear| {
            let bias = layer.bias.as_ref().expect("made with one");
            (layer.weight.val(), bias.val())
        };
        feed_forward(x, weights(&self.up), weights(&self.down))
    }
}

/// Shifts, scales and gates of a block from the rows' condition, concatenated: `[batch, 6 · width]`.
#[derive(Debug, Clone)]
pub(crate) struct Modulation(Tensor<2>);

impl Modulation {
    fn new(layer: &Linear, condition: Tensor<2>) -> Self {
        Self(layer.forward(condition))
    }

    /// Residual attention, `[batch, site, width]` to the same.
    fn attend(&self, x: Tensor<3>, attention: impl FnOnce(Tensor<3>) -> Tensor<3>) -> Tensor<3> {
        residual(x, self.half(0), attention)
    }

    /// The residual feed-forward layer, `[batch, site, width]` to the same.
    fn feed(&self, x: Tensor<3>, layer: &FeedForward) -> Tensor<3> {
        residual(x, self.half(1), |x| layer.forward(x))
    }

    /// Shift, scale and gate of attention or of the feed-forward layer, each `[batch, width]`.
    fn half(&self, half: usize) -> [Tensor<2>; 3] {
        let width = self.0.dims()[1] / 2;
        split(self.0.clone().narrow(1, half * width, width))
    }
}

/// A layer on normalised, modulated states, added through a gate.
fn residual(
    x: Tensor<3>,
    [shift, scale, gate]: [Tensor<2>; 3],
    layer: impl FnOnce(Tensor<3>) -> Tensor<3>,
) -> Tensor<3> {
    let branch = layer(modulated_norm(x.clone(), shift, scale));
    gated_residual(x, branch, gate)
}

/// A block of self-attention and feed-forward.
#[derive(Module, Debug)]
pub(crate) struct Block {
    attention: SelfAttention,
    feed_forward: FeedForward,
    modulation: Linear,
    /// Whether to checkpoint the activations of the block.
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

    /// Enables activation checkpointing: only inputs are stored, and the backward pass recomputes the rest.
    pub fn recomputing(self, on: bool) -> Self {
        Self { recomputed: on, ..self }
    }

    /// The modulation of the block from a condition `[batch, condition width]`.
    pub fn modulation(&self, condition: Tensor<2>) -> Modulation {
        Modulation::new(&self.modulation, condition)
    }

    pub fn roles(&self, roles: &mut Roles) {
        self.attention.roles(roles);
        self.feed_forward.roles(roles);
        roles.linear(&self.modulation, Role::Modulation);
    }

    /// `[batch, site, width]` to the same.
    pub fn forward(
        &self,
        x: Tensor<3>,
        modulation: &Modulation,
        rotary: &Rotary,
        bias: Option<Tensor<4>>,
    ) -> Tensor<3> {
        if !self.recomputed {
            return self.modulated(x, modulation, rotary, bias);
        }
        // The modulation is an input, so that gradients by the condition add up in the same order either way.
        let (rotary, vectors) = (rotary.clone(), modulation.0.clone().unsqueeze_dim(1));
        recomputed(self, [x, vectors], move |block, [x, vectors]| {
            block.modulated(x, &Modulation(vectors.squeeze_dim(1)), &rotary, bias.clone())
        })
    }

    fn modulated(&self, x: Tensor<3>, modulation: &Modulation, rotary: &Rotary, bias: Option<Tensor<4>>) -> Tensor<3> {
        let x = modulation.attend(x, |x| self.attention.forward(x, rotary, bias));
        modulation.feed(x, &self.feed_forward)
    }

    /// The same for some sites, from `first` on: see [`SelfAttention::extend`].
    pub fn extend(
        &self,
        x: Tensor<3>,
        first: usize,
        kept: &mut Tensor<3>,
        modulation: &Modulation,
        rotary: &Rotary,
        bias: Tensor<4>,
    ) -> Tensor<3> {
        let x = modulation.attend(x, |x| self.attention.extend(x, first, kept, rotary, bias));
        modulation.feed(x, &self.feed_forward)
    }
}

/// A block of the read-out. Its queries attend over both streams and not over each other, so a query cannot read its
/// own site.
#[derive(Module, Debug)]
pub(crate) struct MergingBlock {
    attention: MergingAttention,
    feed_forward: FeedForward,
    modulation: Linear,
    /// Whether to checkpoint the activations of the block.
    recomputed: bool,
}

/// Shared inputs of the read-out's blocks: positions of queries, and the keys that a query sees.
#[derive(Clone)]
pub(crate) struct Merging {
    pub rotary: Rotary,
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

    /// Enables activation checkpointing: only inputs are stored, and the backward pass recomputes the rest.
    pub fn recomputing(self, on: bool) -> Self {
        Self { recomputed: on, ..self }
    }

    /// The modulation of the block from a condition `[batch, condition width]`.
    pub fn modulation(&self, condition: Tensor<2>) -> Modulation {
        Modulation::new(&self.modulation, condition)
    }

    pub fn roles(&self, roles: &mut Roles) {
        self.attention.roles(roles);
        self.feed_forward.roles(roles);
        roles.linear(&self.modulation, Role::Modulation);
    }

    /// Keys and values of one stream's states for [`forward`](Self::forward); 0 is the forward stream, 1 the backward
    /// one.
    pub fn keys_of(&self, direction: usize, states: Tensor<3>, rotary: &Rotary) -> Tensor<3> {
        self.attention.keys_of(direction, states, rotary)
    }

    /// Queries `[batch, query, width]` to the same, over keys and values of both streams `[batch, site, 2 · width]`.
    pub fn forward(
        &self,
        queries: Tensor<3>,
        modulation: &Modulation,
        keys: [Tensor<3>; 2],
        merging: &Merging,
    ) -> Tensor<3> {
        if !self.recomputed {
            return self.modulated(queries, keys, modulation, merging);
        }
        let (merging, [before, after]) = (merging.clone(), keys);
        let inputs = [queries, before, after, modulation.0.clone().unsqueeze_dim(1)];
        recomputed(self, inputs, move |block, [queries, before, after, vectors]| {
            block.modulated(queries, [before, after], &Modulation(vectors.squeeze_dim(1)), &merging)
        })
    }

    fn modulated(
        &self,
        queries: Tensor<3>,
        keys: [Tensor<3>; 2],
        modulation: &Modulation,
        merging: &Merging,
    ) -> Tensor<3> {
        let Merging { rotary, bias } = merging;
        let queries = modulation.attend(queries, |x| self.attention.forward(x, keys, rotary, bias.clone()));
        modulation.feed(queries, &self.feed_forward)
    }
}
