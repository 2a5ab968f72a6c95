//! The layers: fused on the CPU device, composed elsewhere.

use burn::module::Module;
use burn::tensor::{Int, Tensor};

use crate::{Padding, Rotary, composed};

#[cfg(feature = "cpu")]
use crate::fused;

/// Uses the fused path if there is one.
macro_rules! fused_or {
    ($function:ident($($argument:expr),*)) => {{
        #[cfg(feature = "cpu")]
        if let Some(output) = fused::$function($(&$argument),*) {
            return output;
        }
        composed::$function($($argument),*)
    }};
}

/// `x · weight + bias`.
///
/// # Shapes
/// - x: `[batch, site, input]`; weight: `[input, output]`; bias: `[output]`
/// - output: `[batch, site, output]`
///
/// # Panics
/// If shapes do not fit, as all functions here.
pub fn linear(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<3> {
    fused_or!(linear(x, weight, bias))
}

/// `relu(x · up + b) · down + c`.
///
/// # Shapes
/// - x: `[batch, site, width]`; up: `[width, hidden]` and `[hidden]`; down: `[hidden, width]` and `[width]`
/// - output: `[batch, site, width]`
pub fn feed_forward(x: Tensor<3>, up: (Tensor<2>, Tensor<1>), down: (Tensor<2>, Tensor<1>)) -> Tensor<3> {
    fused_or!(feed_forward(x, up, down))
}

/// Layer norm without own weights, then `· (1 + scale) + shift` (adaLN; Peebles and Xie, 2023).
///
/// # Shapes
/// - x: `[batch, site, width]`; shift and scale: `[batch, width]`
/// - output: `[batch, site, width]`
pub fn modulated_norm(x: Tensor<3>, shift: Tensor<2>, scale: Tensor<2>) -> Tensor<3> {
    fused_or!(modulated_norm(x, shift, scale))
}

/// `x + y · gate`.
///
/// # Shapes
/// - x and y: `[batch, site, width]`; gate: `[batch, width]`
/// - output: `[batch, site, width]`
pub fn gated_residual(x: Tensor<3>, y: Tensor<3>, gate: Tensor<2>) -> Tensor<3> {
    fused_or!(gated_residual(x, y, gate))
}

/// Multi-head softmax attention of sites over each other, with rotary positions.
///
/// A key whose bias is −∞ has weight exactly 0. Each query must see at least one key.
///
/// # Shapes
/// - projected: `[batch, site, 3 · width]`, queries, keys and values side by side, each head after head
/// - bias, added to the scores: `[1 or batch, 1, site, site]`
/// - output: `[batch, site, width]`
pub fn self_attention(projected: Tensor<3>, heads: usize, rotary: &Rotary, bias: Option<Tensor<4>>) -> Tensor<3> {
    fused_or!(self_attention(projected, heads, rotary, bias))
}

/// Rotates the first heads of every site by its position, and leaves the rest unchanged.
///
/// # Shapes
/// - x: `[batch, site, width]`, of at least so many heads, each as wide as the tables
/// - output: `[batch, site, width]`
pub fn rotated(x: Tensor<3>, heads: usize, rotary: &Rotary) -> Tensor<3> {
    fused_or!(rotated(x, heads, rotary))
}

/// Multi-head softmax attention of queries over the sites of a stream, queries and keys [`rotated`] already.
///
/// Leading or trailing keys that a bias of −∞ hides from a block of queries cost nothing.
///
/// # Shapes
/// - queries: `[batch, query, width]`; stream: `[batch, site, 2 · width]`, keys and values side by side
/// - bias, added to the scores: `[1 or batch, 1, query, site]`
/// - output: `[batch, query, width]`
pub fn stream_attention(queries: Tensor<3>, stream: Tensor<3>, heads: usize, bias: Tensor<4>) -> Tensor<3> {
    fused_or!(stream_attention(queries, stream, heads, bias))
}

/// [`stream_attention`] over the sites of two streams.
///
/// # Shapes
/// - queries: `[batch, query, width]`; streams: each `[batch, site, 2 · width]`, keys and values side by side
/// - bias, added to the scores: `[1 or batch, 1, query, 2 · site]`, the first stream's sites first
/// - output: `[batch, query, width]`
pub fn merging_attention(queries: Tensor<3>, streams: [Tensor<3>; 2], heads: usize, bias: Tensor<4>) -> Tensor<3> {
    fused_or!(merging_attention(queries, streams, heads, bias))
}

/// `log softmax(logits)` at one token of each site, in nats; no gradient of the shape of all one-hot labels is formed on the way.
///
/// # Shapes
/// - logits: `[batch, site, token]`; token: `[batch, site]`
/// - output: `[batch, site]`
pub fn log_probability(logits: Tensor<3>, token: Tensor<2, Int>) -> Tensor<2> {
    fused_or!(log_probability(logits, token))
}

/// The sums of patches of feature maps under a kernel, `Σ weight · patch + bias`.
///
/// # Shapes
/// - x: `[batch, from, height, width]`; weight: `[to, from, row, column]`; bias: `[to]`
/// - output: `[batch, to, height, width]`, of the size that [`Padding::output`] says
pub fn convolution(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: Padding,
) -> Tensor<4> {
    fused_or!(convolution(x, weight, bias, stride, padding))
}

/// Group norm (Wu and He, 2018), then `x · sigmoid(x)`.
///
/// # Shapes
/// - x: `[batch, channel, height, width]`; scale and shift: `[channel]`
/// - output: `[batch, channel, height, width]`
pub fn group_norm_silu(x: Tensor<4>, scale: Tensor<1>, shift: Tensor<1>, groups: usize, epsilon: f64) -> Tensor<4> {
    fused_or!(group_norm_silu(x, scale, shift, groups, epsilon))
}

/// Iterations of Newton and Schulz, `x ← a x + b s x + c s² x` with `s = x xᵀ`, or for a tall matrix its transpose's.
///
/// They move the singular values of a matrix and keep its singular vectors. On the CPU device several iterations are
/// taken on `s` alone, which is smaller than `x`, and of its symmetric powers one half is computed.
///
/// # Shapes
/// - x and output: `[row, column]`
pub fn newton_schulz(x: Tensor<2>, coefficients: [f64; 3], iterations: usize) -> Tensor<2> {
    fused_or!(newton_schulz(x, coefficients, iterations))
}

/// Activation checkpointing: runs `part` on a module and inputs, and recomputes intermediate results in the backward
/// pass instead of storing them (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016).
///
/// Output and gradients equal those of `part` bit for bit, provided that `part` depends only on its arguments and
/// constants. Without gradients, on other devices, with number types other than f32, and without the feature `cpu`, it
/// just calls `part`. Captured tensors must not require gradients.
///
/// # Shapes
/// - inputs and output: those of `part`
pub fn recomputed<M, F, const N: usize>(module: &M, inputs: [Tensor<3>; N], part: F) -> Tensor<3>
where
    M: Module + 'static,
    F: Fn(&M, [Tensor<3>; N]) -> Tensor<3> + Clone + Send + 'static,
{
    #[cfg(feature = "cpu")]
    if let Some(output) = crate::recomputed::recomputed(module, &inputs, &part) {
        return output;
    }
    part(module, inputs)
}
