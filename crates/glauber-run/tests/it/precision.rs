//! Mixed precision: products of bfloat16 beside single precision.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor};
use glauber_chain::ChainRng;
use glauber_chain::oracles::MarkovSource;
use glauber_model::{Network, NetworkKind, Preset};
use glauber_run::markov::MarkovData;
use glauber_run::{DataConfig, Run, RunConfig, Vocabulary};
use glauber_schedule::{NoiseConfig, ScheduleConfig};
use glauber_train::{Drawing, Examples, Precision, TrainConfig, loss_and_gradients};

const VOCAB: usize = 8;

fn config(network: NetworkKind, precision: Precision) -> RunConfig {
    let mut model = Preset::Tiny.config();
    (model.network, model.width, model.layers, model.condition_width) = (network, 32, 2, 16);
    let noise = if network == NetworkKind::Bidirectional { NoiseConfig::Absorbing } else { NoiseConfig::default() };
    RunConfig {
        seed: 7,
        data: DataConfig::new(MarkovData { length: 12, vocab: VOCAB, source_seed: 1, classes: 1 }),
        model,
        schedule: ScheduleConfig { sweeps: 3.into(), noise, ..ScheduleConfig::default() },
        train: TrainConfig { steps: 100, batch: 16, warmup_steps: 5, precision, ..TrainConfig::default() },
    }
}

fn trainer(config: RunConfig) -> (tempfile::TempDir, Run) {
    let mut vocabulary = Vocabulary::of_counts(vec![1; VOCAB], "test");
    if config.model.network == NetworkKind::Bidirectional {
        vocabulary.mask = Some(VOCAB as u32 - 1);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run");
    let trainer = Run::begin(config, &vocabulary, None, &path, &Device::flex(), 2).expect("a trainer");
    (folder, trainer)
}

fn source() -> MarkovSource {
    MarkovSource::random(VOCAB - 1, 1, 3.0).expect("a source")
}

/// All gradients of a network, each with its number type.
struct Entries {
    gradients: GradientsParams,
    all: Vec<f64>,
}

impl ModuleVisitor for Entries {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            assert_eq!(gradient.dtype(), DType::F32);
            self.all.extend(gradient.into_data().iter::<f64>());
        }
    }
}

fn gradient(network: &Network, trainer: &Run, examples: &Examples, precision: Precision) -> (f64, Vec<f64>) {
    let (objective, device) = (trainer.config().train.objective, Device::flex());
    let (loss, gradients) = loss_and_gradients(network, objective, trainer.schedule(), examples, precision, &device);
    let mut entries = Entries { gradients, all: Vec::new() };
    network.visit(&mut entries);
    (loss, entries.all)
}

fn length(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum::<f64>().sqrt()
}

/// A factor has 8 bits of mantissa: the loss and the gradient are those of single precision to about a hundredth, and not the same.
#[test]
fn losses_and_gradients_are_those_of_single_precision_but_for_rounding() {
    for network in [NetworkKind::Hollow, NetworkKind::MaskedQuery, NetworkKind::Bidirectional] {
        let (_folder, mut trainer) = trainer(config(network, Precision::F32));
        // Modulations and read-out start at zero: only after some steps does everything count.
        (0..8).for_each(|_| {
            trainer.train_step(&source()).expect("a step");
        });
        let drawing = Drawing::held_out(trainer.network());
        let examples =
            Examples::draw(&source(), trainer.schedule(), 16, &drawing, &mut ChainRng::new(2, 0)).expect("examples");
        let [(single, exact), (mixed, rounded)] = [Precision::F32, Precision::Bf16]
            .map(|precision| gradient(trainer.network(), &trainer, &examples, precision));
        assert_eq!(exact.len(), rounded.len(), "{network:?}: every weight has a gradient in both");
        let apart = length(exact.iter().zip(&rounded).map(|(a, b)| a - b)) / length(exact.iter().copied());
        assert!(apart > 1e-4 && apart < 0.03, "{network:?}: gradients are {apart} apart");
        let loss = (single - mixed).abs() / single;
        assert!(loss > 0.0 && loss < 0.01, "{network:?}: losses {single} and {mixed}");
    }
}

/// Weights stay of single precision, and small steps are not lost in them; the loss falls as it does without rounding.
#[test]
fn training_follows_that_of_single_precision() {
    let run = |precision| {
        let (_folder, mut trainer) = trainer(config(NetworkKind::Hollow, precision));
        let losses: Vec<f64> = (0..100).map(|_| trainer.train_step(&source()).expect("a step").0).collect();
        let mut types = Types(Vec::new());
        trainer.network().visit(&mut types);
        assert!(types.0.iter().all(|dtype| *dtype == DType::F32), "{:?}", types.0);
        (losses[..10].iter().sum::<f64>() / 10.0, losses[90..].iter().sum::<f64>() / 10.0)
    };
    let ((before, single), (_, mixed)) = (run(Precision::F32), run(Precision::Bf16));
    assert!(before - single > 0.2, "nothing was learned: {before} to {single}");
    assert!((single - mixed).abs() < 0.1 * (before - single), "{before} nats fell to {single} and to {mixed}");
}

struct Types(Vec<DType>);

impl ModuleVisitor for Types {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.push(param.val().dtype());
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    let mut config = config(NetworkKind::Hollow, Precision::Bf16);
    config.train.checkpoint_activations = true;
    let refused = config.validate().expect_err("refused").to_string();
    assert!(refused.contains("train.precision") && refused.contains("train.checkpoint_activations"), "{refused}");
}
