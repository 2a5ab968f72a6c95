//! Several ranks train one run: what one process would, and whatever their number when it goes on.

use std::path::Path;
use std::rc::Rc;
use std::sync::Barrier;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use glauber_chain::oracles::MarkovSource;
use glauber_model::{Network, Preset};
use glauber_ranks::{Threads, World};
use glauber_run::markov::MarkovData;
use glauber_run::{
    DataConfig, Draw, Event, Flow, Hook, MetricLine, Run, RunConfig, RunError, RunFolder, Surroundings, Vocabulary,
};
use glauber_schedule::ScheduleConfig;
use glauber_train::{Precision, TrainConfig};

const VOCAB: usize = 5;
const STEPS: usize = 12;

fn config(micro_batches: usize) -> RunConfig {
    let mut model = Preset::Tiny.config();
    (model.width, model.layers, model.heads, model.condition_width) = (16, 2, 2, 8);
    RunConfig {
        seed: 3,
        data: DataConfig::new(MarkovData { length: 8, vocab: VOCAB, source_seed: 1, classes: 1 }),
        model,
        schedule: ScheduleConfig { sweeps: 3.into(), ..ScheduleConfig::default() },
        train: TrainConfig {
            steps: STEPS,
            batch: 24,
            micro_batches,
            warmup_steps: 2,
            validate_every: 4,
            validation_sequences: 80, // three batches, the last smaller than the others
            sample_every: 5,
            samples: 2,
            checkpoint_every: 4,
            ..TrainConfig::default()
        },
    }
}

/// Stops after a number of steps.
struct Until(usize);

impl Hook for Until {
    fn on_event(&mut self, event: Event<'_>) -> Flow {
        match event {
            Event::Step { step, .. } if step >= self.0 => Flow::Stop,
            _ => Flow::Continue,
        }
    }

    fn seconds(&self) -> f64 {
        0.0
    }
}

fn run(trainer: &mut Run, until: usize) -> Result<Flow, RunError> {
    let source = MarkovSource::random(VOCAB, 1, 3.0).expect("a source");
    // What a sample would depend on: every weight of the average.
    let sample =
        |average: &Network, Draw { count, seed, .. }: Draw| Ok(vec![format!("{} {seed}", sum(average)); count]);
    let around = Surroundings { train: &source, validation: &source, sample: Some(&sample), excess: None };
    trainer.run(&around, &mut Until(until))
}

fn first(folder: &Path, config: &RunConfig, threads: usize) -> Result<Run, RunError> {
    let vocabulary = Vocabulary::of_counts(vec![1; VOCAB], "test");
    match folder.exists() {
        true => Run::resume(folder, &Device::flex(), threads),
        false => Run::begin(config.clone(), &vocabulary, None, folder, &Device::flex(), threads),
    }
}

/// Trains with so many ranks; rank `r` asks to stop after `until(r)` steps. Where each of them ended.
fn train(folder: &Path, size: usize, config: &RunConfig, until: impl Fn(usize) -> usize + Sync) -> Vec<usize> {
    train_with(1, folder, size, config, until)
}

/// The same, with so many threads a rank.
fn train_with(
    threads: usize,
    folder: &Path,
    size: usize,
    config: &RunConfig,
    until: impl Fn(usize) -> usize + Sync,
) -> Vec<usize> {
    let begun = Barrier::new(size);
    let one = |ranks: Threads| {
        let rank = ranks.rank();
        let trainer = (rank == 0).then(|| first(folder, config, threads).expect("a run"));
        begun.wait();
        let trainer = trainer.unwrap_or_else(|| Run::join(folder, &Device::flex(), threads).expect("the same run"));
        let mut trainer = trainer.with_world(Rc::new(ranks)).expect("agreement");
        run(&mut trainer, until(rank)).expect("training");
        trainer.state().step
    };
    std::thread::scope(|scope| {
        let one = &one;
        let ranks: Vec<_> = Threads::world(size).into_iter().map(|rank| scope.spawn(move || one(rank))).collect();
        ranks.into_iter().map(|rank| rank.join().expect("a rank")).collect()
    })
}

fn sum(network: &Network) -> f64 {
    struct Sum(f64);
    impl ModuleVisitor for Sum {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0 += param.val().into_data().iter::<f64>().sum::<f64>();
        }
    }
    let mut sum = Sum(0.0);
    network.visit(&mut sum);
    sum.0
}

/// The newest checkpoint's files, with weights, average and the optimiser's state, the samples, and all evaluations.
fn result(folder: &Path) -> (Vec<(String, Vec<u8>)>, Vec<MetricLine>) {
    let run = RunFolder::open(folder).expect("a run");
    let latest = run.latest_checkpoint().expect("a checkpoint");
    assert_eq!(latest.step, STEPS);
    let read = |path: &Path| std::fs::read(path).expect("a file");
    let file = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.expect("a file");
        (entry.file_name().into_string().expect("a name"), read(&entry.path()))
    };
    let mut files: Vec<_> = std::fs::read_dir(&latest.path).expect("a folder").map(file).collect();
    assert!(files.len() >= 4, "weights, average, state, optimiser");
    files.push(("samples".into(), read(&folder.join("samples.txt"))));
    files.sort();
    (files, run.metrics().expect("metrics"))
}

#[test]
fn a_micro_batch_a_rank_is_the_run_of_one_process_bit_for_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    for micro_batches in [2, 3] {
        let alone = path(&format!("alone-{micro_batches}"));
        train(&alone, 1, &config(micro_batches), |_| usize::MAX);
        // The last rank of four has nothing to compute.
        for size in [micro_batches, 4] {
            let shared = path(&format!("shared-{micro_batches}-{size}"));
            assert_eq!(train(&shared, size, &config(micro_batches), |_| usize::MAX), vec![STEPS; size]);
            assert_eq!(result(&shared), result(&alone), "{size} ranks, {micro_batches} micro-batches");
        }
    }
}

#[test]
fn gradients_of_bfloat16_products_are_added_up_as_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let [alone, shared] = ["alone", "shared"].map(|name| folder.path().join(name));
    let mut config = config(2);
    config.train.precision = Precision::Bf16;
    train(&alone, 1, &config, |_| usize::MAX);
    train(&shared, 3, &config, |_| usize::MAX);
    assert_eq!(result(&shared), result(&alone));
}

#[test]
fn several_micro_batches_a_rank_are_the_run_of_one_process_to_rounding() {
    let folder = tempfile::tempdir().expect("a folder");
    let [alone, shared, threads] = ["alone", "shared", "threads"].map(|name| folder.path().join(name));
    train(&alone, 1, &config(6), |_| usize::MAX);
    train(&shared, 2, &config(6), |_| usize::MAX);
    // Micro-batches side by side are done in any order.
    train_with(2, &threads, 2, &config(6), |_| usize::MAX);
    assert_eq!(result(&threads), result(&shared));
    let ((one, alone), (other, shared)) = (result(&alone), result(&shared));
    assert_ne!(one, other, "sums of three and three are not rounded as sums of six");
    assert_eq!(alone.len(), 3);
    for (alone, shared) in alone.iter().zip(&shared) {
        assert!((alone.loss - shared.loss).abs() < 1e-5 * alone.loss, "{} and {}", alone.loss, shared.loss);
        assert!((alone.train_loss - shared.train_loss).abs() < 1e-5 * alone.train_loss);
    }
}

#[test]
fn one_rank_stops_all_and_any_number_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let [unbroken, broken] = ["unbroken", "broken"].map(|name| folder.path().join(name));
    train(&unbroken, 1, &config(2), |_| usize::MAX);
    // Only the last rank asks to stop.
    assert_eq!(train(&broken, 2, &config(2), |rank| if rank == 1 { 3 } else { usize::MAX }), [3, 3]);
    assert_eq!(train(&broken, 1, &config(2), |_| 7), [7]);
    assert_eq!(train(&broken, 3, &config(2), |_| usize::MAX), [STEPS; 3]);
    assert_eq!(result(&broken), result(&unbroken));
}

#[test]
fn ranks_that_stand_elsewhere_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let [here, there] = ["here", "there"].map(|name| folder.path().join(name));
    train(&there, 1, &config(2), |_| 5);
    drop(first(&here, &config(2), 1).expect("a run"));
    let places = [&here, &there];
    let one = |ranks: Threads| {
        let trainer = Run::join(places[ranks.rank()], &Device::flex(), 1).expect("a run");
        trainer.with_world(Rc::new(ranks)).err().map(|error| error.to_string())
    };
    let said = std::thread::scope(|scope| {
        let one = &one;
        let threads: Vec<_> = Threads::world(2).into_iter().map(|rank| scope.spawn(move || one(rank))).collect();
        threads.into_iter().map(|thread| thread.join().expect("a rank")).collect::<Vec<_>>()
    });
    for said in said {
        let said = said.expect("an error at every rank: none waits for another");
        assert!(said.starts_with("rank 1 is at step 5 with") && said.contains("the first at step 0 with"), "{said}");
    }
}
