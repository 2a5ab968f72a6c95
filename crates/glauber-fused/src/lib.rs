#![doc = include_str!("../README.md")]
//! A layer composed of small tensor operations writes every intermediate result to fresh memory, on one thread, and keeps most of them
//! for the backward pass. Here a layer norm with its modulation, an attention with its rotary positions, a feed-forward layer, a
//! gated residual and the log-probability of a label are one pass each over contiguous arrays. On other devices, on other
//! number types than f32, and without the feature `cpu`, the same functions are composed of burn's operations: [`composed`]
//! is that path, and what the fused one is tested against.

#![forbid(clippy::undocumented_unsafe_blocks)]

#[cfg(feature = "cpu")]
mod array;
pub mod composed;
#[cfg(feature = "cpu")]
mod fused;
#[cfg(feature = "cpu")]
mod kernels;
mod layers;
mod numbers;
#[cfg(feature = "cpu")]
mod operation;
#[cfg(feature = "cpu")]
mod recomputed;

pub use layers::{
    convolution, feed_forward, gated_residual, group_norm_silu, linear, log_probability, merging_attention,
    modulated_norm, newton_schulz, recomputed, rotated, self_attention, stream_attention,
};
pub use numbers::finite;

use burn::tensor::Tensor;

/// Zeros around feature maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Padding {
    /// Rows above.
    pub above: usize,
    /// Columns to the left.
    pub left: usize,
    /// Rows below.
    pub below: usize,
    /// Columns to the right.
    pub right: usize,
}

impl Padding {
    /// Height and width of a convolution's output: how often a kernel `[row, column]` fits into the padded input.
    ///
    /// # Panics
    /// When it does not fit once, or the stride is 0.
    pub fn output(self, size: [usize; 2], kernel: [usize; 2], stride: usize) -> [usize; 2] {
        let padded = [size[0] + self.above + self.below, size[1] + self.left + self.right];
        let fits = stride > 0 && kernel[0] > 0 && kernel[1] > 0 && padded[0] >= kernel[0] && padded[1] >= kernel[1];
        assert!(fits, "a kernel of {kernel:?}, stride {stride}, on {padded:?}");
        [(padded[0] - kernel[0]) / stride + 1, (padded[1] - kernel[1]) / stride + 1]
    }
}

/// Rotary positions of some sites (Su et al., "RoFormer", 2021): tables `[1 or batch, site, 1, head width]`.
///
/// A head's state `x` becomes `x · cos + swap(x) · sin`, where `swap` exchanges the halves of its last axis.
#[derive(Debug, Clone)]
pub struct Rotary {
    /// Cosines.
    pub cos: Tensor<4>,
    /// Sines, the rotation's sign folded in: negative in the first half.
    pub sin: Tensor<4>,
}
