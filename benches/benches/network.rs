//! One training step and one sampling step of the presets, on the CPU device.

use std::time::Duration;

use burn::tensor::Device;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use glauber_benches::{schedule, source};
use glauber_chain::{SiteConditional, TokenRows};
use glauber_model::{Network, Preset};
use glauber_schedule::{Schedule, ScheduleConfig};
use glauber_train::{Denoising, NetworkConditional, SiteTask, TrainConfig};

const VOCAB: usize = 1024;
const LEN: usize = 64;

/// An optimiser step on 32 sequences of 64 tokens, two micro-batches side by side.
fn training(criterion: &mut Criterion) {
    let (source, device) = (source(VOCAB).expect("a source"), Device::flex());
    let schedule = Schedule::from_config(&ScheduleConfig::default(), LEN, VOCAB, None, None).expect("a schedule");
    let train = TrainConfig { batch: 32, micro_batches: 2, ..TrainConfig::default() };
    let mut group = criterion.benchmark_group("training step, 32 x 64 tokens");
    group.throughput(Throughput::Elements((32 * LEN) as u64));
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    for preset in [Preset::Tiny, Preset::Small] {
        let network = Network::new(&preset.config(), VOCAB, LEN, 0, &device).expect("a network");
        let task = SiteTask::configured(&network, &source, &schedule, &train);
        let mut trainer = train.trainer(network, 0, &device, 2);
        group.bench_function(preset.name(), |bencher| bencher.iter(|| trainer.step(&task).expect("a step")));
    }
}

/// The conditional of one site of each row: what one heat-bath step costs.
fn sampling(criterion: &mut Criterion) {
    let schedule = schedule(VOCAB, LEN, 8).expect("a schedule");
    let device = Device::flex();
    let mut group = criterion.benchmark_group("sampling step, 64 tokens");
    group.sample_size(20).measurement_time(Duration::from_secs(5));
    for preset in [Preset::Tiny, Preset::Small] {
        let network = Network::new(&preset.config(), VOCAB, LEN, 0, &device).expect("a network");
        let conditional = NetworkConditional::new(&network, &Denoising, &schedule, &device).expect("they fit");
        for rows in [1, 16] {
            let tokens = vec![7; rows * LEN];
            // One step after the other, as in a chain: a network conditioned on the step reuses nothing of the step before.
            let mut now: usize = 0;
            let mut log_r = vec![0.0; rows * VOCAB];
            group.throughput(Throughput::Elements(rows as u64));
            group.bench_function(format!("{}, {rows} rows", preset.name()), |bencher| {
                bencher.iter(|| {
                    now = now.checked_sub(1).unwrap_or(schedule.horizon() - 1);
                    let (rows, sites) = (TokenRows::new(&tokens, LEN), schedule.sites(now));
                    conditional.log_conditionals(rows, now, sites, &mut log_r).expect("conditionals");
                });
            });
        }
    }
}

criterion_group!(benches, training, sampling);
criterion_main!(benches);
