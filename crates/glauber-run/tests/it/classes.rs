//! A network trained with classes samples the class asked for, and guidance makes it more so.

use burn::tensor::Device;
use glauber_chain::oracles::{MarkovMixture, MarkovSource};
use glauber_chain::statistics::Estimate;
use glauber_chain::{Guided, HeatBath, ReverseSampler, Sampler, SiteConditional};
use glauber_model::{Conditioning, ModelConfig, NetworkKind, Positions};
use glauber_run::markov::MarkovData;
use glauber_run::{DataConfig, Run, RunConfig, Vocabulary};
use glauber_schedule::ScheduleConfig;
use glauber_tokens::TokenBatch;
use glauber_train::{NetworkConditional, TrainConfig};

const VOCAB: usize = 6;
const LEN: usize = 8;
const CLASSES: usize = 2;

fn config() -> RunConfig {
    RunConfig {
        seed: 3,
        data: DataConfig::new(MarkovData { length: LEN, vocab: VOCAB, source_seed: 1, classes: CLASSES }),
        model: ModelConfig {
            network: NetworkKind::Hollow,
            width: 16,
            layers: 1,
            merge_layers: 1,
            heads: 2,
            condition_width: 8,
            positions: Positions::Line,
            site_vectors: false,
            conditioning: Conditioning::Step,
            classes: CLASSES,
            tied: false,
            block: 0,
            prior: None,
        },
        schedule: ScheduleConfig { sweeps: 4.into(), ..ScheduleConfig::default() },
        train: TrainConfig {
            steps: 300,
            batch: 32,
            warmup_steps: 10,
            learning_rate: 1e-2,
            average_decay: 0.9,
            ..TrainConfig::default()
        },
    }
}

fn mixture() -> MarkovMixture {
    let classes = (0..CLASSES as u64).map(|class| MarkovSource::random(VOCAB, 1 + class, 3.0).expect("a source"));
    MarkovMixture::new(vec![0.5; CLASSES], classes.collect()).expect("a mixture")
}

fn trained(mixture: &MarkovMixture) -> Run {
    let folder = tempfile::tempdir().expect("a folder");
    let vocabulary = Vocabulary::of_counts(vec![1; VOCAB], "test");
    let path = folder.path().join("run");
    let config = config();
    let mut trainer = Run::begin(config.clone(), &vocabulary, None, &path, &Device::flex(), 2).expect("a trainer");
    for _ in 0..config.train.steps {
        trainer.train_step(mixture).expect("a step");
    }
    trainer
}

/// How much more probable the samples are under a class than under the other, nats of a sequence.
fn odds(mixture: &MarkovMixture, class: usize, samples: &TokenBatch) -> Estimate {
    let log = |class: usize, tokens: &[u32]| mixture.classes()[class].log_probability(tokens);
    let odds: Vec<f64> = samples.iter().map(|tokens| log(class, tokens) - log(1 - class, tokens)).collect();
    Estimate::independent(&odds)
}

#[test]
fn samples_belong_to_the_class_asked_for_and_guidance_makes_them_typical_of_it() {
    let mixture = mixture();
    let trainer = trained(&mixture);
    let (schedule, device) = (trainer.schedule(), Device::flex());
    let any = NetworkConditional::new(trainer.average(), trainer.config().train.objective, schedule, &device)
        .expect("they fit");
    let draw = |conditional: &dyn SiteConditional| {
        let sampler = ReverseSampler::new(schedule, HeatBath::default());
        let mut chains = sampler.start(400, 11);
        sampler.sample(conditional, &mut chains).expect("samples");
        chains.into_parts().0
    };
    let without = odds(&mixture, 0, &draw(&any));
    for class in 0..CLASSES {
        let of_class = any.clone().of_class(Some(class)).expect("a class");
        let plain = odds(&mixture, class, &draw(&of_class));
        let guided = Guided::new(of_class, any.clone(), 2.0).expect("a weight");
        let guided = odds(&mixture, class, &draw(&guided));
        assert!(plain.deviation_from(0.0) > 5.0, "class {class}: {plain:?}");
        let error = plain.standard_error.hypot(guided.standard_error);
        assert!(guided.mean - plain.mean > 4.0 * error, "class {class}: {plain:?}, guided {guided:?}");
        // An unconditional network must lie between the two.
        let unconditional = if class == 0 { without.mean } else { -without.mean };
        let error = plain.standard_error.hypot(without.standard_error);
        assert!(plain.mean - unconditional > 4.0 * error, "class {class}: {plain:?}, untold {without:?}");
    }
}

#[test]
fn a_network_for_other_classes_than_the_data_tells_is_refused() {
    let mut config = config();
    config.model.classes = 3;
    let error = config.validate().expect_err("2 classes in the data").to_string();
    assert!(error.contains("model.classes") && error.contains('3') && error.contains('2'), "{error}");
    config.data = DataConfig::new(MarkovData { length: LEN, vocab: VOCAB, source_seed: 1, classes: 1 });
    config.model.classes = 0;
    assert!(config.validate().is_ok());
}
