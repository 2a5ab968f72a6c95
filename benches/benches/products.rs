//! What of a matrix product does not depend on its rows: packing the weights again in every product, and dispatch.
//!
//! Times of `[rows, d] × [d, 4 d]`, one thread, are near `a + b · rows`: `a` is the most that keeping packed weights could save.

use std::hint::black_box;

use burn::tensor::{Device, Distribution, Tensor};
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use rayon::ThreadPoolBuilder;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn products(criterion: &mut Criterion) {
    let device = Device::flex();
    let pool = ThreadPoolBuilder::new().num_threads(1).build().expect("a pool of one thread");
    for width in [128, 256] {
        let mut group = criterion.benchmark_group(format!("product_{width}"));
        let weights = Tensor::<2>::random([width, 4 * width], Distribution::Default, &device);
        for rows in [64, 256, 512, 1024] {
            let x = Tensor::<2>::random([rows, width], Distribution::Default, &device);
            group.bench_function(BenchmarkId::from_parameter(rows), |bench| {
                pool.install(|| bench.iter(|| black_box(x.clone().matmul(weights.clone()))));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, products);
criterion_main!(benches);
