//! Log-variance: whole paths against the density of what they end in.

use burn::tensor::Device;
use glauber_chain::ChainRng;
use glauber_chain::oracles::MarkovSource;
use glauber_descent::{Stream, Task, Trainer};
use glauber_model::{Conditioning, ModelConfig, Network, NetworkKind, Preset, SiteClassifier};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::Token;
use glauber_train::{
    Denoising, Drawing, Examples, LogVariance, SequenceSource, SiteTask, TrainConfig, TrainError, WholeSweeps,
};

const VOCAB: usize = 3;
const LEN: usize = 4;
/// `log Z` of the density.
const LOG_PARTITION: f64 = 2.5;

/// A Markov source with an unnormalised density, which excludes one sequence if `excludes`.
struct Weighed {
    source: MarkovSource,
    excludes: Option<[Token; LEN]>,
}

impl Weighed {
    fn new() -> Self {
        Self { source: MarkovSource::random(VOCAB, 1, 2.0).expect("a source"), excludes: None }
    }
}

impl SequenceSource for Weighed {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        loop {
            let class = self.source.draw(rng, out)?;
            if self.excludes.is_none_or(|excluded| excluded != out) {
                return Ok(class);
            }
        }
    }

    fn log_density(&self, tokens: &[Token]) -> Option<f64> {
        let excluded = self.excludes.is_some_and(|excluded| excluded == tokens);
        Some(if excluded { f64::NEG_INFINITY } else { self.source.log_probability(tokens) + LOG_PARTITION })
    }
}

fn schedule(sweeps: usize) -> Schedule {
    let order = SiteOrder::round_robin(LEN, sweeps).expect("an order");
    Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(VOCAB).expect("a law"), 1e-3, false)
        .expect("a schedule")
}

fn network() -> Network {
    let model = ModelConfig {
        width: 16,
        layers: 1,
        heads: 2,
        condition_width: 8,
        network: NetworkKind::Hollow,
        conditioning: Conditioning::SignalLevelOnly,
        site_vectors: true,
        ..Preset::Tiny.config()
    };
    Network::new(&model, VOCAB, LEN, 1, &Device::flex()).expect("valid sizes")
}

fn config(own_share: f64) -> TrainConfig {
    TrainConfig {
        objective: &LogVariance,
        steps: 300,
        warmup_steps: 10,
        average_decay: 0.98,
        whole_sweeps: WholeSweeps::WherePossible,
        own_share,
        ..TrainConfig::default()
    }
}

/// Mean and variance of `Σ_i log μ_i(x_i) − log γ(x)` over sequences of the source.
fn residuals(network: &Network, source: &Weighed, schedule: &Schedule) -> [f64; 2] {
    let drawing = Drawing { whole_sweeps: true, ..Drawing::held_out(network).of(&LogVariance) };
    let examples = Examples::draw(source, schedule, 400, &drawing, &mut ChainRng::new(7, 0)).expect("examples");
    let device = Device::flex();
    let (context, conditions) = examples.inputs(&device);
    let targets = examples.targets(&LogVariance, schedule, &device);
    let logs = targets.log_probability(network.logits(context, &conditions, examples.query())).sum_dim(1);
    let each: Vec<f64> = logs.into_data().iter::<f64>().zip(&examples.log_densities).map(|(p, log)| p - log).collect();
    let mean = each.iter().sum::<f64>() / 400.0;
    [mean, each.iter().map(|residual| (residual - mean).powi(2)).sum::<f64>() / 400.0]
}

/// Where the variance is 0, the network has the target's law, and the residual is `−log Z`. Own sequences teach the same.
#[test]
fn the_variance_vanishes_at_the_law_of_the_target() {
    let (source, schedule, device) = (Weighed::new(), schedule(1), Device::flex());
    let [_, before] = residuals(&network(), &source, &schedule);
    for own_share in [0.0, 0.5, 1.0] {
        let config = config(own_share);
        config.check(&network(), &schedule, &device).expect("settings");
        let mut trainer: Trainer<Network> = config.trainer(network(), 1, &device, 1);
        while trainer.steps() < config.steps {
            let task = SiteTask::configured(trainer.model(), &source, &schedule, &config);
            trainer.step(&task).expect("a step");
        }
        let [mean, after] = residuals(trainer.average(), &source, &schedule);
        assert!(before > 0.2 && after < 0.01 * before, "{own_share}: {before} to {after}");
        assert!((mean + LOG_PARTITION).abs() < 0.02, "{own_share}: {mean}");
    }
}

#[test]
fn own_sequences_come_first_without_excluded_ones() {
    let (mut source, schedule, network) = (Weighed::new(), schedule(1), network());
    let drawn = |source: &Weighed, share: f64| {
        let drawing = Drawing { whole_sweeps: true, ..Drawing::held_out(&network).of(&LogVariance) };
        let task = SiteTask::new(&network, source, &schedule, &LogVariance, 40).expect("a task");
        let task = task.with_drawing(drawing).with_own_share(share);
        task.batch(&network, Stream { seed: 3, number: 5 }).expect("a batch").clean
    };
    let own = drawn(&source, 0.5);
    assert_eq!(own, drawn(&source, 0.5), "a function of the stream");
    assert_ne!(own, drawn(&source, 0.0));
    let first: [Token; LEN] = own[..LEN].try_into().expect("a sequence");
    assert!(own[..20 * LEN].chunks(LEN).any(|row| row == first));
    source.excludes = Some(first);
    // The sequences move up.
    let kept: Vec<Token> = own[..20 * LEN].chunks(LEN).filter(|row| **row != first).flatten().copied().collect();
    source.source = MarkovSource::random(VOCAB, 2, 0.0).expect("a source");
    assert_eq!(drawn(&source, 0.5)[..kept.len()], kept);
}

#[test]
fn settings_without_whole_paths_are_refused() {
    let (network, device) = (network(), Device::flex());
    let refused = |config: TrainConfig, sweeps: usize| {
        config.check(&network, &schedule(sweeps), &device).expect_err("an error").to_string()
    };
    assert!(refused(config(0.0), 3).contains("schedule.sweeps"));
    assert!(refused(TrainConfig { whole_sweeps: WholeSweeps::Never, ..config(0.0) }, 1).contains("train.whole_sweeps"));
    assert!(refused(TrainConfig { clamped_share: 0.1, ..config(0.0) }, 1).contains("train.clamped_share"));
    assert!(refused(TrainConfig { micro_batches: 32, ..config(0.0) }, 1).contains("train.micro_batches"));
    assert!(refused(TrainConfig { objective: &Denoising, ..config(0.1) }, 1).contains("train.own_share"));
    let drawing = Drawing { whole_sweeps: true, ..Drawing::held_out(&network).of(&LogVariance) };
    let plain = MarkovSource::random(VOCAB, 1, 2.0).expect("a source");
    let missing = Examples::draw(&plain, &schedule(1), 4, &drawing, &mut ChainRng::new(1, 0)).expect_err("no density");
    assert!(missing.to_string().contains("without a density") && missing.to_string().contains("energy"), "{missing}");
}
