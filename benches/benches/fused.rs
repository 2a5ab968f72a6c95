//! Fused layers beside the same layers composed of burn's operations: forward and backward, on one thread, as a replica runs them.

use std::time::Duration;

use burn::tensor::{Device, Distribution, Int, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use glauber_fused::{Rotary, composed};
use rayon::ThreadPoolBuilder;

/// Rows, sites, width and heads.
type Shape = [usize; 4];

const SHAPES: [(&str, Shape); 2] = [("16x64, width 64", [16, 64, 64, 2]), ("8x128, width 256", [8, 128, 256, 4])];

fn random<const D: usize>(shape: [usize; D]) -> Tensor<D> {
    Tensor::random(shape, Distribution::Default, &Device::flex().autodiff()).require_grad()
}

/// Runs a layer and the gradient of the sum of what it gives.
fn there_and_back<const D: usize>(output: Tensor<D>) {
    output.sum().backward();
}

fn compare(criterion: &mut Criterion, layer: &str, fused: impl Fn(Shape) + Sync, reference: impl Fn(Shape) + Sync) {
    let alone = ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let mut group = criterion.benchmark_group(layer);
    group.sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    for (name, shape) in SHAPES {
        group.bench_function(format!("{name}, fused"), |b| alone.install(|| b.iter(|| fused(shape))));
        group.bench_function(format!("{name}, composed"), |b| alone.install(|| b.iter(|| reference(shape))));
    }
}

fn layers(criterion: &mut Criterion) {
    let norm = |[batch, sites, width, _]: Shape| {
        (random([batch, sites, width]), random([batch, width]), random([batch, width]))
    };
    compare(
        criterion,
        "modulated norm",
        |shape| {
            let (x, shift, scale) = norm(shape);
            there_and_back(glauber_fused::modulated_norm(x, shift, scale));
        },
        |shape| {
            let (x, shift, scale) = norm(shape);
            there_and_back(composed::modulated_norm(x, shift, scale));
        },
    );
    let weights = |width: usize| {
        ((random([width, 4 * width]), random([4 * width])), (random([4 * width, width]), random([width])))
    };
    compare(
        criterion,
        "feed-forward",
        |[batch, sites, width, _]| {
            let (up, down) = weights(width);
            there_and_back(glauber_fused::feed_forward(random([batch, sites, width]), up, down));
        },
        |[batch, sites, width, _]| {
            let (up, down) = weights(width);
            there_and_back(composed::feed_forward(random([batch, sites, width]), up, down));
        },
    );
    let rotary = |sites: usize, head_width: usize| {
        let table = || Tensor::random([1, sites, 1, head_width], Distribution::Default, &Device::flex().autodiff());
        Rotary { cos: table(), sin: table() }
    };
    compare(
        criterion,
        "self-attention",
        |[batch, sites, width, heads]| {
            let projected = random([batch, sites, 3 * width]);
            there_and_back(glauber_fused::self_attention(projected, heads, &rotary(sites, width / heads), None));
        },
        |[batch, sites, width, heads]| {
            let projected = random([batch, sites, 3 * width]);
            there_and_back(composed::self_attention(projected, heads, &rotary(sites, width / heads), None));
        },
    );
    let labels = |batch: usize, sites: usize| Tensor::<2, Int>::zeros([batch, sites], &Device::flex().autodiff());
    compare(
        criterion,
        "log-probability of 1024 tokens",
        |[batch, sites, ..]| {
            there_and_back(glauber_fused::log_probability(random([batch, sites, 1024]), labels(batch, sites)));
        },
        |[batch, sites, ..]| {
            there_and_back(composed::log_probability(random([batch, sites, 1024]), labels(batch, sites)));
        },
    );
}

/// Muon's iterations, without gradients.
fn newton_schulz(criterion: &mut Criterion) {
    let alone = ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let mut group = criterion.benchmark_group("Newton and Schulz");
    group.sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    let coefficients = [3.4445, -4.7750, 2.0315];
    for shape in [[128, 512], [512, 128], [256, 256], [256, 512], [256, 768], [256, 1024], [1024, 256]] {
        let name = format!("{} x {}", shape[0], shape[1]);
        let matrix = Tensor::<2>::random(shape, Distribution::Default, &Device::flex()).div_scalar(256.0);
        let fused = || glauber_fused::newton_schulz(matrix.clone(), coefficients, 5);
        let reference = || composed::newton_schulz(matrix.clone(), coefficients, 5);
        group.bench_function(format!("{name}, fused"), |b| alone.install(|| b.iter(fused)));
        group.bench_function(format!("{name}, composed"), |b| alone.install(|| b.iter(reference)));
    }
}

criterion_group!(benches, layers, newton_schulz);
criterion_main!(benches);
