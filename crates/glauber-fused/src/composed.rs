//! The layers composed of burn's operations: for every device and number type, and the reference of the fused path.
//!
//! Linear layers compute in the number type of their weights, and attention in that of its inputs; outputs have that
//! type. Norms and residual streams have the type of the states. Rotations and softmax use at least single precision.

use burn::tensor::activation::{log_softmax, relu, silu, softmax};
use burn::tensor::module::{conv2d, layer_norm, linear as affine};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{DType, Int, Tensor};

use crate::{Padding, Rotary};

/// See [`crate::linear`].
pub fn linear(x: Tensor<3>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<3> {
    let dtype = weight.dtype();
    affine(x.cast(dtype), weight, bias.map(|bias| bias.cast(dtype)))
}

/// See [`crate::feed_forward`].
pub fn feed_forward(x: Tensor<3>, up: (Tensor<2>, Tensor<1>), down: (Tensor<2>, Tensor<1>)) -> Tensor<3> {
    let hidden = relu(linear(x, up.0, Some(up.1)));
    linear(hidden, down.0, Some(down.1))
}

/// See [`crate::modulated_norm`].
pub fn modulated_norm(x: Tensor<3>, shift: Tensor<2>, scale: Tensor<2>) -> Tensor<3> {
    let ones = Tensor::ones([x.dims()[2]], &x.device());
    let normal = layer_norm(x, ones, None, 1e-5);
    normal * scale.add_scalar(1.0).unsqueeze_dim(1) + shift.unsqueeze_dim(1)
}

/// See [`crate::gated_residual`].
pub fn gated_residual(x: Tensor<3>, y: Tensor<3>, gate: Tensor<2>) -> Tensor<3> {
    let dtype = x.dtype();
    x + y.cast(dtype) * gate.unsqueeze_dim(1)
}

/// See [`crate::self_attention`].
pub fn self_attention(projected: Tensor<3>, heads: usize, rotary: &Rotary, bias: Option<Tensor<4>>) -> Tensor<3> {
    let [batch, sites, width] = projected.dims();
    let projected = projected.reshape([batch, sites, 3 * heads, width / 3 / heads]);
    // Queries and keys lie side by side, so that one rotation serves both.
    let rotated = rotate(projected.clone().narrow(2, 0, 2 * heads), rotary);
    let queries = rotated.clone().narrow(2, 0, heads);
    let keys = rotated.narrow(2, heads, heads);
    attend(queries, keys, projected.narrow(2, 2 * heads, heads), bias)
}

/// See [`crate::rotated`].
pub fn rotated(x: Tensor<3>, heads: usize, rotary: &Rotary) -> Tensor<3> {
    let ([batch, sites, width], head_width) = (x.dims(), rotary.cos.dims()[3]);
    let turned = heads * head_width;
    let states = x.clone().narrow(2, 0, turned).reshape([batch, sites, heads, head_width]);
    let states = rotate(states, rotary).reshape([batch, sites, turned]);
    match width - turned {
        0 => states,
        rest => Tensor::cat(vec![states, x.narrow(2, turned, rest)], 2),
    }
}

/// See [`crate::stream_attention`].
pub fn stream_attention(queries: Tensor<3>, stream: Tensor<3>, heads: usize, bias: Tensor<4>) -> Tensor<3> {
    over_streams(queries, vec![stream], heads, bias)
}

/// See [`crate::merging_attention`].
pub fn merging_attention(queries: Tensor<3>, streams: [Tensor<3>; 2], heads: usize, bias: Tensor<4>) -> Tensor<3> {
    over_streams(queries, streams.into(), heads, bias)
}

fn over_streams(queries: Tensor<3>, streams: Vec<Tensor<3>>, heads: usize, bias: Tensor<4>) -> Tensor<3> {
    let [batch, asked, width] = queries.dims();
    let head_width = width / heads;
    let queries = queries.reshape([batch, asked, heads, head_width]);
    let split = |stream: Tensor<3>| {
        let sites = stream.dims()[1];
        let both = stream.reshape([batch, sites, 2 * heads, head_width]);
        (both.clone().narrow(2, 0, heads), both.narrow(2, heads, heads))
    };
    let (keys, values) = streams.into_iter().map(split).unzip();
    attend(queries, Tensor::cat(keys, 1), Tensor::cat(values, 1), Some(bias))
}

/// See [`crate::log_probability`].
pub fn log_probability(logits: Tensor<3>, token: Tensor<2, Int>) -> Tensor<2> {
    log_softmax(logits, 2).gather(2, token.unsqueeze_dim(2)).squeeze_dim(2)
}

/// See [`crate::newton_schulz`].
pub fn newton_schulz(x: Tensor<2>, coefficients: [f64; 3], iterations: usize) -> Tensor<2> {
    let ([rows, columns], [a, b, c]) = (x.dims(), coefficients);
    let tall = rows > columns;
    let iterate = |x: Tensor<2>, _| {
        let square = x.clone().matmul(x.clone().transpose());
        let quartic = square.clone().matmul(square.clone());
        let factor = square.mul_scalar(b) + quartic.mul_scalar(c);
        x.clone().mul_scalar(a) + factor.matmul(x)
    };
    let x = (0..iterations).fold(if tall { x.transpose() } else { x }, iterate);
    if tall { x.transpose() } else { x }
}

/// See [`crate::convolution`].
pub fn convolution(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    stride: usize,
    padding: Padding,
) -> Tensor<4> {
    let Padding { above, left, below, right } = padding;
    conv2d(x, weight, bias, ConvOptions::new_with_padding([stride; 2], [(above, below), (left, right)], [1, 1], 1))
}

/// See [`crate::group_norm_silu`].
pub fn group_norm_silu(x: Tensor<4>, scale: Tensor<1>, shift: Tensor<1>, groups: usize, epsilon: f64) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    let grouped = x.reshape([batch, groups, channels / groups * height * width]);
    let centred = grouped.clone() - grouped.mean_dim(2);
    let variance = centred.clone().square().mean_dim(2);
    let normal = (centred / variance.add_scalar(epsilon).sqrt()).reshape([batch, channels, height, width]);
    let channel = |x: Tensor<1>| x.reshape([1, channels, 1, 1]);
    silu(normal * channel(scale) + channel(shift))
}

/// Rotates the halves of the last axis against each other: `[batch, site, head, head width]`.
fn rotate(x: Tensor<4>, rotary: &Rotary) -> Tensor<4> {
    let half = x.dims()[3] / 2;
    let dtype = x.dtype();
    let x = x.cast(rotary.cos.dtype());
    let swapped = Tensor::cat(vec![x.clone().narrow(3, half, half), x.clone().narrow(3, 0, half)], 3);
    (x * rotary.cos.clone() + swapped * rotary.sin.clone()).cast(dtype)
}

/// Queries `[batch, query, head, head width]` over keys and values `[batch, key, head, head width]`.
fn attend(queries: Tensor<4>, keys: Tensor<4>, values: Tensor<4>, bias: Option<Tensor<4>>) -> Tensor<3> {
    let ([batch, asked, heads, head_width], dtype) = (queries.dims(), queries.dtype());
    // Scaling the queries touches fewer numbers than scaling the scores.
    let queries = queries.mul_scalar((head_width as f64).powf(-0.5));
    let scores = queries.swap_dims(1, 2).matmul(keys.permute([0, 2, 3, 1]));
    let scores = scores.cast(if dtype == DType::F64 { DType::F64 } else { DType::F32 });
    let scores = match bias {
        Some(bias) => scores + bias,
        None => scores,
    };
    let weights = softmax(scores, 3).cast(dtype);
    weights.matmul(values.swap_dims(1, 2)).swap_dims(1, 2).reshape([batch, asked, heads * head_width])
}
