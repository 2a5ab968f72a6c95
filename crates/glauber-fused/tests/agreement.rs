//! The fused layers against the same layers composed of burn's operations: values, and gradients by every input.
#![cfg(feature = "cpu")]

use burn::tensor::{Device, Int, Tensor, TensorData};
use glauber_fused::{Padding, Rotary, composed};

/// Numbers in −1..1, the same at every call.
fn numbers<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    let count: usize = shape.iter().product();
    let number = |at: usize| {
        let mixed = (at as u64 + 1 + seed * 7919).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    Tensor::from_data(TensorData::new((0..count).map(number).collect::<Vec<f32>>(), shape), device)
}

fn assert_close(name: &str, fused: TensorData, composed: TensorData) {
    assert_eq!(fused.shape(), composed.shape(), "{name}");
    let size = composed.iter::<f64>().fold(1e-3, |most: f64, value| most.max(value.abs()));
    for (at, (fused, composed)) in fused.iter::<f64>().zip(composed.iter::<f64>()).enumerate() {
        assert!((fused - composed).abs() <= 2e-5 * size, "{name}, number {at}: {fused} for {composed}");
    }
}

/// Compares outputs and, for an uneven sum of them as the loss, gradients by every input; the network's inference path as well.
fn compare<const D: usize>(
    name: &str,
    inputs: Vec<Tensor<D>>,
    fused: impl Fn(&[Tensor<D>]) -> Tensor<D>,
    composed: impl Fn(&[Tensor<D>]) -> Tensor<D>,
) {
    let plain = fused(&inputs).into_data();
    assert_close(&format!("{name} without gradients"), plain, composed(&inputs).into_data());
    let device = Device::flex().autodiff();
    let run = |layer: &dyn Fn(&[Tensor<D>]) -> Tensor<D>| {
        let track = |x: &Tensor<D>| Tensor::<D>::from_data(x.clone().into_data(), &device).require_grad();
        let inputs: Vec<Tensor<D>> = inputs.iter().map(track).collect();
        let output = layer(&inputs);
        let weights = numbers(output.dims(), 99, &device);
        let gradients = (output.clone() * weights).sum().backward();
        let by: Vec<TensorData> = inputs.iter().map(|x| x.grad(&gradients).expect("reached").into_data()).collect();
        (output.into_data(), by)
    };
    let ((value, by), (expected, expected_by)) = (run(&fused), run(&composed));
    assert_close(name, value, expected);
    for (at, (by, expected)) in by.into_iter().zip(expected_by).enumerate() {
        assert_close(&format!("{name}, gradient by input {at}"), by, expected);
    }
}

fn flat(x: &Tensor<3>) -> Tensor<2> {
    x.clone().squeeze_dim(1)
}

fn vector(x: &Tensor<3>) -> Tensor<1> {
    flat(x).squeeze_dim(0)
}

#[test]
fn modulated_norm() {
    let device = Device::flex();
    for [batch, sites, width] in [[2, 3, 20], [3, 1, 16], [1, 5, 7]] {
        let inputs = vec![
            numbers([batch, sites, width], 1, &device),
            numbers([batch, 1, width], 2, &device),
            numbers([batch, 1, width], 3, &device),
        ];
        let fused = |x: &[Tensor<3>]| glauber_fused::modulated_norm(x[0].clone(), flat(&x[1]), flat(&x[2]));
        let reference = |x: &[Tensor<3>]| composed::modulated_norm(x[0].clone(), flat(&x[1]), flat(&x[2]));
        compare("modulated norm", inputs, fused, reference);
    }
}

#[test]
fn gated_residual() {
    let device = Device::flex();
    let inputs =
        vec![numbers([2, 3, 20], 1, &device), numbers([2, 3, 20], 2, &device), numbers([2, 1, 20], 3, &device)];
    let fused = |x: &[Tensor<3>]| glauber_fused::gated_residual(x[0].clone(), x[1].clone(), flat(&x[2]));
    let reference = |x: &[Tensor<3>]| composed::gated_residual(x[0].clone(), x[1].clone(), flat(&x[2]));
    compare("gated residual", inputs, fused, reference);
}

#[test]
fn linear_with_and_without_bias() {
    let device = Device::flex();
    let inputs =
        || vec![numbers([2, 3, 20], 1, &device), numbers([20, 1, 9], 2, &device), numbers([1, 1, 9], 3, &device)];
    let fused = |x: &[Tensor<3>]| glauber_fused::linear(x[0].clone(), flat(&x[1]), Some(vector(&x[2])));
    let reference = |x: &[Tensor<3>]| composed::linear(x[0].clone(), flat(&x[1]), Some(vector(&x[2])));
    compare("linear", inputs(), fused, reference);
    let fused = |x: &[Tensor<3>]| glauber_fused::linear(x[0].clone(), flat(&x[1]), None);
    let reference = |x: &[Tensor<3>]| composed::linear(x[0].clone(), flat(&x[1]), None);
    compare("linear without bias", inputs()[..2].to_vec(), fused, reference);
}

/// More rows than a tile, so that gradients add up over tiles.
#[test]
fn feed_forward() {
    let device = Device::flex();
    let inputs = vec![
        numbers([3, 190, 8], 1, &device),
        numbers([8, 1, 24], 2, &device),
        numbers([1, 1, 24], 3, &device),
        numbers([24, 1, 8], 4, &device),
        numbers([1, 1, 8], 5, &device),
    ];
    let up = |x: &[Tensor<3>]| (flat(&x[1]), vector(&x[2]));
    let down = |x: &[Tensor<3>]| (flat(&x[3]), vector(&x[4]));
    let fused = |x: &[Tensor<3>]| glauber_fused::feed_forward(x[0].clone(), up(x), down(x));
    let reference = |x: &[Tensor<3>]| composed::feed_forward(x[0].clone(), up(x), down(x));
    compare("feed-forward", inputs, fused, reference);
}

/// Tables of `rows` rows: angles that differ by site, row and number.
fn rotary(rows: usize, sites: usize, width: usize, device: &Device) -> Rotary {
    let angle = |at: usize| (at % (width / 2)) as f32 * 0.3 + (at / width) as f32 * 0.7;
    let sign = |at: usize| if at % width < width / 2 { -1.0 } else { 1.0 };
    let table = |value: &dyn Fn(usize) -> f32| {
        let values: Vec<f32> = (0..rows * sites * width).map(value).collect();
        Tensor::from_data(TensorData::new(values, [rows, sites, 1, width]), device)
    };
    Rotary { cos: table(&|at| angle(at).cos()), sin: table(&|at| sign(at) * angle(at).sin()) }
}

/// `−∞` where a hash says so, never in a query's first key.
fn mask(shape: [usize; 4], device: &Device) -> Tensor<4> {
    let keys = shape[3];
    let values = numbers(shape, 5, device).into_data();
    let hidden = |(at, value): (usize, f32)| if at % keys > 0 && value > 0.2 { f32::NEG_INFINITY } else { value };
    Tensor::from_data(TensorData::new(values.iter().enumerate().map(hidden).collect::<Vec<f32>>(), shape), device)
}

#[test]
fn self_attention() {
    let device = Device::flex();
    for (rows, bias) in [(1, None), (1, Some(1)), (2, Some(2))] {
        let rotary = rotary(rows, 5, 4, &device);
        let bias = bias.map(|rows| mask([rows, 1, 5, 5], &device));
        let fused = |x: &[Tensor<3>]| glauber_fused::self_attention(x[0].clone(), 3, &rotary, bias.clone());
        let reference = |x: &[Tensor<3>]| composed::self_attention(x[0].clone(), 3, &rotary, bias.clone());
        compare("self-attention", vec![numbers([2, 5, 36], 1, &device)], fused, reference);
    }
}

/// Bias of queries in a row that see keys up to their place, or from it on, and not all of those.
fn one_sided(queries: usize, keys: usize, from: bool, device: &Device) -> Tensor<4> {
    let seen = |at: usize| {
        let (query, key) = (at / keys, at % keys);
        let place = query * keys / queries;
        key == place || (key > place) == from && (key + query) % 5 != 3
    };
    let bias = |at: usize| if seen(at) { 0.3 * (at % 7) as f32 } else { f32::NEG_INFINITY };
    let values: Vec<f32> = (0..queries * keys).map(bias).collect();
    Tensor::from_data(TensorData::new(values, [1, 1, queries, keys]), device)
}

/// More queries than a block, whose keys begin or end elsewhere than those of the next one.
#[test]
fn self_attention_of_one_side() {
    let device = Device::flex();
    let (sites, rotary) = (150, rotary(1, 150, 4, &device));
    for from in [false, true] {
        let bias = Some(one_sided(sites, sites, from, &device));
        let fused = |x: &[Tensor<3>]| glauber_fused::self_attention(x[0].clone(), 3, &rotary, bias.clone());
        let reference = |x: &[Tensor<3>]| composed::self_attention(x[0].clone(), 3, &rotary, bias.clone());
        compare("one-sided self-attention", vec![numbers([2, sites, 36], 1, &device)], fused, reference);
    }
}

#[test]
fn rotated() {
    let device = Device::flex();
    for (rows, heads) in [(1, 2), (2, 3)] {
        let rotary = rotary(rows, 5, 4, &device);
        let fused = |x: &[Tensor<3>]| glauber_fused::rotated(x[0].clone(), heads, &rotary);
        let reference = |x: &[Tensor<3>]| composed::rotated(x[0].clone(), heads, &rotary);
        compare("rotation", vec![numbers([2, 5, 12], 1, &device)], fused, reference);
    }
}

/// Few queries, which the loops serve, and more than a block of them; heads of a width that fills vectors and of one that does not.
#[test]
fn stream_attention() {
    let device = Device::flex();
    for (queries, sites, heads, width) in [(1, 5, 2, 24), (3, 70, 2, 8), (4, 33, 3, 30), (9, 5, 2, 8), (130, 140, 2, 8)]
    {
        for bias in [mask([2, 1, queries, sites], &device), one_sided(queries, sites, true, &device)] {
            let inputs = vec![numbers([2, queries, width], 1, &device), numbers([2, sites, 2 * width], 2, &device)];
            let fused =
                |x: &[Tensor<3>]| glauber_fused::stream_attention(x[0].clone(), x[1].clone(), heads, bias.clone());
            let reference =
                |x: &[Tensor<3>]| composed::stream_attention(x[0].clone(), x[1].clone(), heads, bias.clone());
            compare(&format!("stream attention of {queries} over {sites}"), inputs, fused, reference);
        }
    }
}

#[test]
fn merging_attention() {
    let device = Device::flex();
    for (queries, sites) in [(1, 5), (3, 40), (7, 5), (150, 150)] {
        let sides = [false, true].map(|from| one_sided(queries, sites, from, &device));
        for bias in [mask([2, 1, queries, 2 * sites], &device), Tensor::cat(sides.into(), 3)] {
            let inputs = vec![
                numbers([2, queries, 8], 1, &device),
                numbers([2, sites, 16], 2, &device),
                numbers([2, sites, 16], 3, &device),
            ];
            let streams = |x: &[Tensor<3>]| [x[1].clone(), x[2].clone()];
            let fused = |x: &[Tensor<3>]| glauber_fused::merging_attention(x[0].clone(), streams(x), 2, bias.clone());
            let reference = |x: &[Tensor<3>]| composed::merging_attention(x[0].clone(), streams(x), 2, bias.clone());
            compare(&format!("merging attention of {queries} over {sites}"), inputs, fused, reference);
        }
    }
}

/// A query that sees one stream and nothing of the other.
#[test]
fn merging_attention_over_one_stream() {
    let device = Device::flex();
    let hidden = Tensor::<4>::full([1, 1, 1, 6], f32::NEG_INFINITY, &device);
    let bias = Tensor::cat(vec![hidden, Tensor::zeros([1, 1, 1, 6], &device)], 3);
    let [queries, before, after] = [[2, 1, 8], [2, 6, 16], [2, 6, 16]].map(|shape| numbers(shape, 3, &device));
    let merged = glauber_fused::merging_attention(queries.clone(), [before, after.clone()], 2, bias);
    let alone = glauber_fused::stream_attention(queries, after, 2, Tensor::zeros([1, 1, 1, 6], &device));
    assert_eq!(merged.into_data(), alone.into_data());
}

#[test]
fn log_probability() {
    let device = Device::flex();
    let token = |device: &Device| Tensor::<2, Int>::from_data([[0, 16, 3], [5, 5, 11]], device);
    let logits = numbers([2, 3, 17], 1, &device).mul_scalar(30.0);
    let lift = |x: Tensor<2>| x.unsqueeze_dim::<3>(2);
    let fused = |x: &[Tensor<3>]| lift(glauber_fused::log_probability(x[0].clone(), token(&x[0].device())));
    let reference = |x: &[Tensor<3>]| lift(composed::log_probability(x[0].clone(), token(&x[0].device())));
    compare("log-probability", vec![logits], fused, reference);
}

/// Kernels, strides, uneven padding, more images than a group, more rows than a tile.
#[test]
fn convolution() {
    let device = Device::flex();
    let around = |n: usize| Padding { above: n, left: n, below: n, right: n };
    let below = Padding { above: 0, left: 0, below: 1, right: 1 };
    let uneven = Padding { above: 2, left: 0, below: 1, right: 3 };
    for (batch, [from, to], size, kernel, stride, padding) in [
        (2, [3, 5], [6, 7], [3, 3], 1, around(1)),
        (9, [2, 4], [8, 6], [3, 3], 2, below),
        (1, [4, 3], [5, 9], [1, 1], 1, around(0)),
        (3, [2, 3], [9, 8], [4, 4], 2, around(1)),
        (2, [3, 2], [6, 6], [4, 4], 1, around(1)),
        (2, [1, 2], [5, 4], [2, 3], 3, uneven),
        (1, [40, 2], [8, 33], [3, 3], 1, around(1)),
        (1, [2, 2], [1, 1], [5, 5], 1, around(2)),
    ] {
        let inputs = || {
            vec![
                numbers([batch, from, size[0], size[1]], 1, &device),
                numbers([to, from, kernel[0], kernel[1]], 2, &device),
                numbers([1, to, 1, 1], 3, &device),
            ]
        };
        let bias = |x: &[Tensor<4>]| Some(x[2].clone().reshape([to]));
        let name = format!("convolution {size:?} under {kernel:?}, stride {stride}, {padding:?}");
        let fused = |x: &[Tensor<4>]| glauber_fused::convolution(x[0].clone(), x[1].clone(), bias(x), stride, padding);
        let reference = |x: &[Tensor<4>]| composed::convolution(x[0].clone(), x[1].clone(), bias(x), stride, padding);
        compare(&name, inputs(), fused, reference);
        let fused = |x: &[Tensor<4>]| glauber_fused::convolution(x[0].clone(), x[1].clone(), None, stride, padding);
        let reference = |x: &[Tensor<4>]| composed::convolution(x[0].clone(), x[1].clone(), None, stride, padding);
        compare(&format!("{name}, no bias"), inputs()[..2].to_vec(), fused, reference);
    }
}

/// Long sums against double precision: 30 × 33 outputs, whose gradient by the bias nearly cancels.
#[test]
fn gradient_of_a_convolution_by_its_bias() {
    let (device, [channels, height, width]) = (Device::flex().autodiff(), [2, 30, 33]);
    let bias = Tensor::<1>::zeros([channels], &device).require_grad();
    let (x, weight) = (numbers([1, 40, height, width], 1, &device), numbers([channels, 40, 3, 3], 2, &device));
    let padding = Padding { above: 1, left: 1, below: 1, right: 1 };
    let weights = numbers([1, channels, height, width], 99, &device);
    let output = glauber_fused::convolution(x, weight, Some(bias.clone()), 1, padding);
    let gradients = (output * weights.clone()).sum().backward();
    let found = bias.grad(&gradients).expect("reached").into_data();
    let weights: Vec<f64> = weights.into_data().iter::<f64>().collect();
    for (channel, found) in found.iter::<f64>().enumerate() {
        let terms = &weights[channel * height * width..][..height * width];
        let (sum, size) = (terms.iter().sum::<f64>(), terms.iter().map(|term| term.abs()).sum::<f64>());
        // A few roundings of single precision, as the terms add up.
        assert!(
            (found - sum).abs() <= 4.0 * f64::from(f32::EPSILON) * size,
            "{found} for {sum}, of terms that add up to {size}"
        );
    }
}

#[test]
fn group_norm_silu() {
    let device = Device::flex();
    for (batch, channels, groups, size) in [(2, 6, 3, [4, 5]), (1, 4, 1, [7, 3]), (3, 8, 8, [1, 5])] {
        let inputs = vec![
            numbers([batch, channels, size[0], size[1]], 1, &device).mul_scalar(4.0).add_scalar(3.0),
            numbers([1, channels, 1, 1], 2, &device).mul_scalar(5.0),
            numbers([1, channels, 1, 1], 3, &device).mul_scalar(5.0),
        ];
        let vector = |x: &Tensor<4>| x.clone().reshape([channels]);
        let fused =
            |x: &[Tensor<4>]| glauber_fused::group_norm_silu(x[0].clone(), vector(&x[1]), vector(&x[2]), groups, 1e-6);
        let reference =
            |x: &[Tensor<4>]| composed::group_norm_silu(x[0].clone(), vector(&x[1]), vector(&x[2]), groups, 1e-6);
        compare("group norm", inputs, fused, reference);
    }
}

/// A masked key weighs nothing at all: what stands there changes no bit of the result.
#[test]
fn a_masked_key_changes_no_bit() {
    let device = Device::flex();
    let rotary = rotary(1, 4, 4, &device);
    let bias = Tensor::<4>::from_data(
        TensorData::new(
            (0..16).map(|at| if at % 4 == 2 { f32::NEG_INFINITY } else { 0.0 }).collect::<Vec<f32>>(),
            [1, 1, 4, 4],
        ),
        &device,
    );
    let x = numbers([1, 4, 24], 1, &device);
    let other = x.clone().slice_assign([0..1, 2..3, 8..24], numbers([1, 1, 16], 7, &device).mul_scalar(50.0));
    let run = |x: Tensor<3>| glauber_fused::self_attention(x, 2, &rotary, Some(bias.clone())).into_data();
    assert_eq!(run(x), run(other));
}
