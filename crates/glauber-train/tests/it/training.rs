//! Training on a Markov source: it learns, it does not depend on threads, and its files survive.

use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use glauber_chain::oracles::MarkovSource;
use glauber_model::{Conditioning, ModelConfig, Network, NetworkKind, Positions};
use glauber_schedule::{NoiseConfig, ScheduleConfig};
use glauber_train::{
    DataConfig, Event, Examples, Flow, Objective, Observer, RunConfig, RunFolder, Surroundings, TrainConfig,
    TrainError, Trainer, Vocabulary, excess_over_bayes,
};

const VOCAB: usize = 5;

fn config(objective: Objective, network: NetworkKind, steps: usize) -> RunConfig {
    RunConfig {
        seed: 3,
        data: DataConfig::Markov { length: 8, vocab: VOCAB, source_seed: 1, classes: 1 },
        model: ModelConfig {
            network,
            width: 16,
            layers: 1,
            merge_layers: 1,
            heads: 2,
            condition_width: 8,
            positions: Positions::Line,
            conditioning: Conditioning::Step,
            classes: 0,
            tied: false,
        },
        schedule: ScheduleConfig { sweeps: 3, ..ScheduleConfig::default() },
        train: TrainConfig {
            objective,
            steps,
            batch: 16,
            warmup_steps: 10,
            learning_rate: 1e-2,
            average_decay: 0.9,
            validate_every: 20,
            validation_sequences: 32,
            sample_every: 0,
            checkpoint_every: 20,
            ..TrainConfig::default()
        },
    }
}

fn vocabulary() -> Vocabulary {
    Vocabulary::of_counts(vec![1; VOCAB], "test")
}

fn source() -> MarkovSource {
    MarkovSource::random(VOCAB, 1, 3.0).expect("a source")
}

/// Stops after a number of steps, if asked to.
struct Silent {
    stop_after: usize,
}

impl Observer for Silent {
    fn notice(&mut self, event: Event<'_>) -> Flow {
        match event {
            Event::Step { step, .. } if step == self.stop_after => Flow::Stop,
            _ => Flow::Continue,
        }
    }

    fn seconds(&self) -> f64 {
        0.0
    }
}

fn train(trainer: &mut Trainer, stop_after: usize) -> Result<Flow, TrainError> {
    let source = source();
    let (schedule, objective) = (trainer.schedule().clone(), trainer.config().train.objective);
    let excess = |network: &Network, held_out: &[Examples]| {
        let device = Device::flex();
        excess_over_bayes(network, objective, &schedule, &source, held_out, &device)
    };
    let no_samples = |_: &Network, _: usize, _: u64| Ok(Vec::new());
    let around = Surroundings { train: &source, validation: &source, sample: &no_samples, excess: Some(&excess) };
    trainer.run(&around, &mut Silent { stop_after })
}

fn begin(folder: &Path, config: RunConfig, threads: usize) -> Trainer {
    Trainer::begin(config, &vocabulary(), None, folder, &Device::flex(), threads).expect("a trainer")
}

#[test]
fn every_objective_and_network_comes_closer_to_the_bayes_loss() {
    for network in [NetworkKind::Hollow, NetworkKind::MaskedQuery] {
        for objective in Objective::ALL {
            let folder = tempfile::tempdir().expect("a folder");
            let mut trainer = begin(&folder.path().join("run"), config(objective, network, 120), 2);
            train(&mut trainer, usize::MAX).expect("training");
            let excess: Vec<f64> = trainer.metrics().iter().filter_map(|line| line.excess).collect();
            assert_eq!(excess.len(), 6);
            assert!(excess.iter().all(|&above| above >= 0.0), "{network:?}, {objective:?}: below Bayes: {excess:?}");
            assert!(excess[5] < excess[0], "{network:?}, {objective:?}: {excess:?}");
        }
    }
}

#[test]
fn the_result_does_not_depend_on_the_threads() {
    let checkpoint = |threads| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run");
        train(&mut begin(&path, config(Objective::Denoising, NetworkKind::Hollow, 20), threads), usize::MAX)
            .expect("training");
        let latest = RunFolder::open(&path).and_then(|run| run.latest_checkpoint()).expect("a checkpoint");
        std::fs::read(latest.path.join("weights.safetensors")).expect("weights")
    };
    assert!(checkpoint(1) == checkpoint(2));
}

/// Blocks that are computed again in the backward pass change nothing: not a bit of any weight, of any network, after some steps.
#[test]
fn checkpointed_activations_leave_losses_and_weights_as_they_are() {
    for network in [NetworkKind::Hollow, NetworkKind::MaskedQuery, NetworkKind::Bidirectional] {
        let run = |checkpoint_activations| {
            let mut config = config(Objective::Denoising, network, 20);
            config.train.checkpoint_activations = checkpoint_activations;
            (config.model.layers, config.model.merge_layers) = (3, 2);
            config.model.conditioning = Conditioning::SignalLevel;
            let mut vocabulary = vocabulary();
            if network == NetworkKind::Bidirectional {
                config.schedule.noise = NoiseConfig::Absorbing;
                vocabulary.mask = Some(VOCAB as u32 - 1);
            }
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("run");
            let mut trainer = Trainer::begin(config, &vocabulary, None, &path, &Device::flex(), 2).expect("a trainer");
            let source = MarkovSource::random(VOCAB - 1, 1, 3.0).expect("a source");
            let losses: Vec<f64> = (0..5).map(|_| trainer.train_step(&source).expect("a step").0).collect();
            let mut weights = Weights(Vec::new());
            trainer.network().visit(&mut weights);
            (losses, weights.0)
        };
        let (plain, again) = (run(false), run(true));
        assert!(plain.1.iter().any(|values| values.iter().any(|&value| value != 0.0)));
        assert_eq!(plain.0, again.0, "{network:?}");
        assert_eq!(plain.1, again.1, "{network:?}");
    }
}

/// All weights of a network.
struct Weights(Vec<Vec<f32>>);

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().into_data().iter::<f32>().collect());
    }
}

#[test]
fn a_run_that_was_stopped_goes_on_to_the_same_numbers() {
    let folder = tempfile::tempdir().expect("a folder");
    let (unbroken, broken) = (folder.path().join("unbroken"), folder.path().join("broken"));
    let config = config(Objective::Denoising, NetworkKind::Hollow, 40);
    let mut whole = begin(&unbroken, config.clone(), 2);
    assert_eq!(train(&mut whole, usize::MAX).expect("training"), Flow::Continue);
    assert_eq!(train(&mut begin(&broken, config, 2), 13).expect("training"), Flow::Stop);
    let mut rest = Trainer::resume(&broken, &Device::flex(), 1).expect("a trainer");
    assert_eq!(rest.state().step, 13);
    train(&mut rest, usize::MAX).expect("training");
    assert_eq!(whole.metrics(), rest.metrics());
}

#[test]
fn old_checkpoints_go_and_unfinished_ones_are_ignored() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run");
    let mut trainer = begin(&path, config(Objective::Denoising, NetworkKind::Hollow, 80), 1);
    train(&mut trainer, 70).expect("training");
    let run = RunFolder::open(&path).expect("a run");
    let steps = |run: &RunFolder| run.checkpoints().expect("checkpoints").iter().map(|c| c.step).collect::<Vec<_>>();
    assert_eq!(steps(&run), [60, 70]);
    let unfinished = path.join("checkpoints/.writing");
    std::fs::create_dir(&unfinished).expect("a folder");
    assert_eq!(steps(&run), [60, 70]);
    let second = Trainer::resume(&path, &Device::flex(), 1).err().expect("the folder is taken").to_string();
    assert!(second.contains("another process"), "{second}");
    drop(trainer);
    train(&mut Trainer::resume(&path, &Device::flex(), 1).expect("a trainer"), usize::MAX).expect("training");
    assert_eq!(steps(&run), [70, 80]);
    assert!(!unfinished.exists());
    assert!(run.picture().is_file());
}

#[test]
fn a_learning_rate_that_is_too_high_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = config(Objective::Denoising, NetworkKind::Hollow, 60);
    config.train.learning_rate = 1e30;
    config.train.warmup_steps = 0;
    let error = train(&mut begin(&folder.path().join("run"), config, 1), usize::MAX).expect_err("a divergence");
    assert!(error.to_string().contains("train.learning_rate"), "{error}");
}
