//! The chains: forward corruption, heat bath of the Ising model, a reverse sweep with an oracle.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use glauber_benches::{schedule, source};
use glauber_chain::oracles::{Ising, Lattice};
use glauber_chain::{ChainRng, Chains, HeatBath, MultiSpin, Progress, ReverseKernel, ReverseSampler, Sampler, corrupt};
use glauber_schedule::{Boundary, SiteOrder};
use glauber_tokens::TokenBatch;

/// Closed-form noising (equation (M)) of one sequence of 1024 tokens over a vocabulary of 1024, half way down.
fn forward(criterion: &mut Criterion) {
    let schedule = schedule(1024, 1024, 8).expect("a schedule");
    let clean: Vec<u32> = (0..1024).collect();
    let mut noisy = clean.clone();
    let mut rng = ChainRng::new(0, 0);
    let mut group = criterion.benchmark_group("forward");
    group.throughput(Throughput::Elements(1024));
    group.bench_function("corrupt", |bencher| {
        bencher.iter(|| corrupt(&schedule, black_box(&clean), schedule.horizon() / 2, &mut rng, &mut noisy));
    });
}

/// One sweep of the critical Ising model on a 64 × 64 torus: site updates per second on one core, and over all with 16 chains.
fn ising(criterion: &mut Criterion) {
    let (side, replicas) = (64, 16);
    let lattice = Lattice::new(side, side, Boundary::Torus).expect("a lattice");
    let ising = Ising::new(lattice, 0.440_686_8, 0.0).expect("a coupling");
    let order = SiteOrder::round_robin(side * side, 1).expect("an order");
    let kernel = HeatBath::default();
    let mut group = criterion.benchmark_group("ising 64x64");
    let mut one = Chains::seeded(TokenBatch::filled(1, side * side, 1), 0);
    group.throughput(Throughput::Elements((side * side) as u64));
    group.bench_function("one core", |bencher| {
        bencher.iter(|| kernel.run(&ising, &mut one, &order, 0..order.horizon()).expect("a sweep"));
    });
    let mut many = Chains::seeded(TokenBatch::filled(replicas, side * side, 1), 0);
    group.throughput(Throughput::Elements((replicas * side * side) as u64));
    group.bench_function("rayon, 16 chains", |bencher| {
        bencher.iter(|| kernel.run_parallel(&ising, &mut many, &order, 0..order.horizon()).expect("a sweep"));
    });
    let classes = ising.lattice().order(1).expect("an order");
    group.throughput(Throughput::Elements((side * side) as u64));
    group.bench_function("one core, colour classes", |bencher| {
        bencher.iter(|| kernel.run(&ising, &mut one, &classes, 0..classes.horizon()).expect("a sweep"));
    });
    let mut words = MultiSpin::filled(&ising, 64, 1, 0).expect("a torus with even sides");
    group.throughput(Throughput::Elements((64 * side * side) as u64));
    group.bench_function("one core, multi-spin coding", |bencher| bencher.iter(|| words.run(1)));
}

/// One reverse sweep of one sequence of 64 with the exact conditional of a Markov source of 27 symbols.
fn reverse(criterion: &mut Criterion) {
    let (vocab, len) = (27, 64);
    let (source, schedule) = (source(vocab).expect("a source"), schedule(vocab, len, 8).expect("a schedule"));
    let conditional = source.conditional(&schedule).expect("they fit");
    let sampler = ReverseSampler::new(&schedule, HeatBath::default());
    let mut chains = sampler.start(1, 0);
    let (from, to) = (4 * len, 3 * len);
    let mut group = criterion.benchmark_group("reverse sweep");
    group.throughput(Throughput::Elements(len as u64));
    group.bench_function("Markov oracle, V = 27, L = 64", |bencher| {
        let mut go_on = |_: Progress<'_>| std::ops::ControlFlow::Continue(());
        bencher.iter(|| sampler.run(&conditional, &mut chains, from, to, &mut go_on).expect("a sweep"));
    });
}

criterion_group!(benches, forward, ising, reverse);
criterion_main!(benches);
