//! Networks that learn targets, against what is exactly true.

mod energy;

use std::sync::Arc;

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use glauber_chain::ChainRng;
use glauber_descent::{LearningRateSchedule, ParamGroups, Settings, Stream, Task, Trainer, UpdateRule};
use glauber_energy::{
    Annealing, Gibbs, Hypergrid, Levels, Particles, ProductLaw, Table, Target, Tempered, exact, log_sum_exp, unwatched,
};
use glauber_gflownet::{
    Buffer, Criterion, DetailedBalance, Distance, Environment, Exploration, Filling, FillingState, Flows, GridWalk,
    Paths, Policy, StateSpace, TablePolicy, UniformPolicy, objective, objectives,
};
use glauber_model::{Conditioning, ModelConfig, Network, NetworkKind, Preset};
use glauber_neural::{AnnealedUpdates, BackwardTask, WeightedSource, annealed_weights};
use glauber_neural::{
    FillingNetwork, NetworkPolicy, NeuralError, PathTask, Perceptron, PerceptronConfig, PolicyNetwork,
};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_train::{Denoising, SequenceSource, SiteTask};

fn grid() -> GridWalk<Hypergrid> {
    GridWalk(Hypergrid::new(4, 2, [0.1, 0.5, 2.0]).unwrap())
}

fn perceptron(backward: bool) -> Perceptron {
    let config = PerceptronConfig { width: 8, layers: 2, backward, log_partition_rate: 10.0 };
    Perceptron::new(&grid(), &config, 3, &Device::flex())
}

fn table() -> Filling<Table> {
    Filling::any_order(Table::random(3, 4, 1.5, 1).unwrap())
}

fn hollow() -> ModelConfig {
    ModelConfig {
        width: 16,
        layers: 1,
        heads: 2,
        condition_width: 8,
        conditioning: Conditioning::None,
        site_vectors: true,
        ..Preset::Tiny.config()
    }
}

fn trainer<M: Module + Sync>(network: M, peak: f64, steps: usize) -> Trainer<M> {
    let groups = ParamGroups::all(&network, UpdateRule::AdamW);
    let rate = LearningRateSchedule { peak, warmup_steps: 0, steps, minimum: 0.02 };
    let settings = Settings { average_decay: None, clip_norm: f64::INFINITY, ..Settings::new(rate, 1) };
    Trainer::new(network, groups, settings, &Device::flex(), 1)
}

/// Moves one weight of a module.
struct Nudge {
    at: usize,
    by: f32,
    seen: usize,
}

impl ModuleMapper for Nudge {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (shape, first) = (param.shape(), self.seen);
        self.seen += shape.num_elements();
        let Some(place) = self.at.checked_sub(first).filter(|_| self.at < self.seen) else {
            return param;
        };
        let by = self.by;
        param.map(|old| {
            let device = old.device();
            let mut values: Vec<f32> = old.into_data().iter::<f32>().collect();
            values[place] += by;
            Tensor::from_data(TensorData::new(values, shape), &device)
        })
    }
}

/// All gradients in the order of the weights.
struct Flat<'a>(&'a GradientsParams, Vec<f64>);

impl burn::module::ModuleVisitor for Flat<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        match self.0.get::<D>(param.id) {
            Some(gradient) => self.1.extend(gradient.into_data().iter::<f64>()),
            None => self.1.extend(std::iter::repeat_n(0.0, param.shape().num_elements())),
        }
    }
}

#[test]
fn gradients_are_those_of_the_loss() {
    let device = Device::flex();
    let environment = grid();
    let paths = Paths::draw(&environment, &UniformPolicy, Exploration::NONE, &mut ChainRng::streams(2, 6));
    for objective in objectives() {
        if ["relative-entropy", "cross-entropy"].contains(&objective.name()) {
            continue; // by where paths go
        }
        let network = perceptron(objective.name() == "sub-trajectory-balance");
        let task = PathTask::new(&environment, objective, 6, &device);
        let (_, gradients) = task.gradients(&network.clone().train(), &paths, &device.clone().autodiff());
        let mut flat = Flat(&gradients, Vec::new());
        network.visit(&mut flat);
        let loss = |network: Perceptron| glauber_descent::scalar(task.loss(&network, &paths, &device));
        let largest = flat.1.iter().fold(0.0f64, |top, g| top.max(g.abs()));
        for at in (0..network.num_params()).step_by(7).chain([network.num_params() - 1]) {
            let moved = |by: f32| loss(network.clone().map(&mut Nudge { at, by, seen: 0 }));
            let expected = (moved(1e-2) - moved(-1e-2)) / 2e-2;
            let error = (flat.1[at] - expected).abs();
            assert!(error < 0.02 * largest, "{} {at}: {} for {expected}", objective.name(), flat.1[at]);
        }
    }
}

#[test]
fn a_filling_network_spreads_over_sites_and_normalises_each() {
    let (environment, device) = (table(), Device::flex());
    let network = FillingNetwork::configured(&environment.target, &hollow(), 10.0, 1, &device).unwrap();
    let policy = NetworkPolicy { network: &network, device: &device, flows: Flows::Learned };
    let states = [vec![None; 4], vec![Some(1), None, Some(2), None]];
    let decided = policy.decide(&environment, &states);
    for (row, empty) in [(0, vec![0, 1, 2, 3]), (1, vec![1, 3])] {
        for site in 0..4 {
            let mass: f64 = decided.forward_at(row)[site * 3..][..3].iter().map(|log| log.exp()).sum();
            let expected = if empty.contains(&site) { 1.0 / empty.len() as f64 } else { 0.0 };
            assert!((mass - expected).abs() < 1e-6, "{row} {site}: {mass}");
        }
    }
}

/// Three tokens at four sites of a chain; neighbours like to agree.
struct Agreeing;

impl Target for Agreeing {
    fn vocab(&self) -> usize {
        3
    }
    fn len(&self) -> usize {
        4
    }
    fn log_density(&self, x: &[u32]) -> f64 {
        1.2 * x.windows(2).filter(|pair| pair[0] == pair[1]).count() as f64
    }
}

#[test]
fn a_hollow_network_learns_a_chain() {
    for learned_order in [false, true] {
        learn_a_chain(learned_order);
    }
}

fn learn_a_chain(learned_order: bool) {
    let (environment, device) = (Filling::any_order(Agreeing), Device::flex());
    let network = FillingNetwork::configured(&Agreeing, &hollow(), 100.0, 1, &device).unwrap();
    let network = if learned_order { network.with_learned_order() } else { network };
    let space = StateSpace::list(&environment).unwrap();
    let distance = |network: &FillingNetwork| {
        let policy = NetworkPolicy { network, device: &device, flows: Flows::Learned };
        let law = space.terminal_law(&environment, &policy);
        (Distance::between(&law, &space.target()).unwrap().l1, Policy::<Filling<Agreeing>>::log_partition(&policy))
    };
    let (before, _) = distance(&network);
    let mut trainer = trainer(network, 0.01, 300);
    let balance = objective("trajectory-balance").unwrap();
    let task = PathTask::new(&environment, balance, 32, &device).with_exploration(Exploration::uniform(0.05));
    while trainer.steps() < 300 {
        trainer.step(&task).unwrap();
    }
    let (after, log_z) = distance(trainer.model());
    assert!(before > 0.5 && after < 0.1, "{before} to {after}");
    assert!((log_z - space.log_partition()).abs() < 0.05, "{log_z} for {}", space.log_partition());
    // Which site comes first is uniform, or what was learned.
    let policy = NetworkPolicy { network: trainer.model(), device: &device, flows: Flows::Learned };
    let decided = policy.decide(&environment, &[vec![None; 4], vec![Some(0), Some(0), None, None]]);
    let sites: Vec<f64> = decided.forward_at(0).chunks(3).map(|site| site.iter().map(|log| log.exp()).sum()).collect();
    assert!((sites.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{sites:?}");
    assert_eq!(sites.iter().any(|p| (p - 0.25).abs() > 1e-3), learned_order, "{sites:?}");
    let undone = [0, 3].map(|action| decided.backward_at(1)[action].exp());
    assert!((undone[0] + undone[1] - 1.0).abs() < 1e-9, "{undone:?}");
    assert_eq!((undone[0] - 0.5).abs() > 1e-4, learned_order, "{undone:?}");
}

#[test]
fn an_autoregressive_network_reads_a_path_in_one_pass() {
    let (environment, device) = (Filling::left_to_right(Agreeing), Device::flex());
    let model = ModelConfig { network: NetworkKind::Autoregressive, ..hollow() };
    let network = FillingNetwork::configured(&Agreeing, &model, 1.0, 1, &device).unwrap();
    let mut trainer = trainer(network, 0.01, 150);
    let variance = objective("log-variance").unwrap();
    let task = PathTask::new(&environment, variance, 32, &device);
    let space = StateSpace::list(&environment).unwrap();
    let target = space.target();
    let distance = |network: &FillingNetwork| {
        let policy = NetworkPolicy { network, device: &device, flows: Flows::Learned };
        Distance::between(&space.terminal_law(&environment, &policy), &target).unwrap().l1
    };
    let before = distance(trainer.model());
    while trainer.steps() < 150 {
        trainer.step(&task).unwrap();
    }
    let after = distance(trainer.model());
    assert!(before > 0.5 && after < 0.1, "{before} to {after}");
    // One pass over the ends gives what a pass over every state gives.
    let policy = NetworkPolicy { network: trainer.model(), device: &device, flows: Flows::Learned };
    let paths = Paths::draw(&environment, &policy, Exploration::NONE, &mut ChainRng::streams(1, 20));
    let [along, each] = [policy.terms(&environment, &paths).unwrap(), paths.terms(&environment, &policy).unwrap()];
    assert_eq!(along.flow, each.flow);
    // Drawing with kept states is drawing state by state.
    let kept = policy.draw(&environment, Exploration::NONE, &mut ChainRng::streams(1, 20));
    assert_eq!(kept, paths);
    assert!(along.forward.iter().zip(&each.forward).all(|(a, b)| (a - b).abs() < 1e-5));
}

#[test]
fn a_perceptron_learns_a_grid_from_ends_that_are_given() {
    // Paths back from exact samples alone, by detailed balance with flows of stopping.
    let (environment, device) = (grid(), Device::flex());
    let space = StateSpace::list(&environment).unwrap();
    let target = space.target();
    let ends: Vec<_> = space.ends().cloned().collect();
    let draw = |rng: &mut ChainRng| {
        let mut left = rng.uniform();
        let found = target.iter().position(|p| {
            left -= p;
            left < 0.0
        });
        ends[found.unwrap_or(0)].clone()
    };
    let task = PathTask::new(&environment, &DetailedBalance(Criterion::Huber), 0, &device)
        .with_flows(Flows::OfStop)
        .with_ends(32, draw);
    let mut trainer = trainer(perceptron(false), 0.01, 400);
    while trainer.steps() < 400 {
        trainer.step(&task).unwrap();
    }
    let policy = NetworkPolicy { network: trainer.model(), device: &device, flows: Flows::OfStop };
    let found = Distance::between(&space.terminal_law(&environment, &policy), &target).unwrap();
    assert!(found.l1 < 0.1, "{found:?}");
}

#[test]
fn relative_balance_learns_a_posterior() {
    // (E11): the prior samples one table exactly, the likelihood is another; the posterior is their product.
    let device = Device::flex();
    let [prior, likelihood] = [1, 2].map(|seed| Filling::left_to_right(Table::random(3, 4, 0.8, seed).unwrap()));
    let space = Arc::new(StateSpace::list(&prior).unwrap());
    let prior_policy = TablePolicy::exact(&prior, Arc::clone(&space));
    let product = |end: &FillingState| prior.log_reward(end).unwrap() + likelihood.log_reward(end).unwrap();
    let logs: Vec<f64> = space.ends().map(product).collect();
    let sum = log_sum_exp(&logs);
    let posterior: Vec<f64> = logs.iter().map(|log| (log - sum).exp()).collect();
    let model = ModelConfig { network: NetworkKind::Autoregressive, ..hollow() };
    let network = FillingNetwork::configured(&likelihood.target, &model, 100.0, 3, &device).unwrap();
    let task = PathTask::new(&likelihood, objective("trajectory-balance").unwrap(), 64, &device);
    let task = task.with_exploration(Exploration::uniform(0.1)).relative_to(&prior_policy);
    let mut trainer = trainer(network, 0.02, 500);
    let distance = |trainer: &Trainer<FillingNetwork>| {
        let policy = NetworkPolicy { network: trainer.model(), device: &device, flows: Flows::Learned };
        Distance::between(&space.terminal_law(&likelihood, &policy), &posterior).unwrap().l1
    };
    let before = distance(&trainer);
    while trainer.steps() < 500 {
        trainer.step(&task).unwrap();
    }
    let after = distance(&trainer);
    assert!(before > 0.5 && after < 0.06, "{before} to {after}");
    let log_z = glauber_descent::scalar(PolicyNetwork::<Filling<Table>>::log_partition(trainer.model()));
    assert!((log_z - (sum - space.log_partition())).abs() < 0.1, "{log_z}");
}

/// The law of the last state of a chain of updates, shape `[state]`, by enumeration.
fn last_law(chain: &AnnealedUpdates<Table, ProductLaw>) -> Vec<f64> {
    let states = 3usize.pow(chain.target.len() as u32);
    (0..chain.updates).fold(vec![1.0 / states as f64; states], |law, update| {
        let annealed = chain.annealed(update + 1);
        exact::edit_law(&Gibbs(annealed), &law, &[(0, update % chain.target.len())]).unwrap()
    })
}

#[test]
fn learned_backward_kernels_lose_the_divergence_of_the_last_law_alone() {
    let device = Device::flex();
    let target = Table::random(3, 4, 1.5, 2).unwrap();
    let chain = AnnealedUpdates { base: ProductLaw::uniform(3, 4), target, updates: 8 };
    let listed = exact::enumerate(&chain.target).unwrap();
    let last = last_law(&chain);
    let divergence: f64 = last.iter().zip(listed.probabilities()).map(|(p, q)| p * (p / q).ln()).sum();
    let model = ModelConfig { conditioning: Conditioning::Step, ..hollow() };
    let network = Network::new(&model, 3, 4, 1, &device).unwrap();
    let weights = |network: &Network| annealed_weights(&chain, network, 4000, 9, &device).unwrap();
    let gap = |logs: &[f64]| listed.log_partition() - logs.iter().sum::<f64>() / logs.len() as f64;
    // Untrained, it is the closed form.
    let before = weights(&network);
    assert!(before.closed.iter().zip(&before.learned).all(|(a, b)| (a - b).abs() < 1e-4));
    for logs in [&before.annealed, &before.closed] {
        let ratios: Vec<f64> = logs.iter().map(|log| (log - listed.log_partition()).exp()).collect();
        let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
        assert!((mean - 1.0).abs() < 0.15, "E w / Z is {mean}");
    }
    assert!(gap(&before.annealed) > gap(&before.closed), "the sum over the site loses less here");
    let mut trainer = trainer(network, 0.01, 400);
    while trainer.steps() < 400 {
        trainer.step(&BackwardTask::new(&chain, 32, 1)).unwrap();
    }
    let after = weights(trainer.model());
    assert!(gap(&after.closed) - gap(&after.learned) > 0.02, "{} to {}", gap(&after.closed), gap(&after.learned));
    assert!((gap(&after.learned) - divergence).abs() < 0.05, "{} for {divergence}", gap(&after.learned));
}

#[test]
fn weighted_particles_teach_a_network_to_fill() {
    // Annealed particles, denoised under absorbing noise (E20), then used as a policy of any order.
    let device = Device::flex();
    let base = ProductLaw::uniform(3, 4);
    let mut particles = Particles::new(&Agreeing, &base, 4000, 2).unwrap();
    let annealed = Annealing::default().run(&mut particles, &Levels::linear(8).unwrap(), &mut unwatched).unwrap();
    let buffer = Buffer::of_particles(&annealed).unwrap();
    let order = SiteOrder::round_robin(4, 1).unwrap();
    let schedule = Schedule::new(SignalShape::Linear, order, NoiseLaw::absorbing(4, 3).unwrap(), 1e-3, false).unwrap();
    let network = Network::new(&hollow(), 4, 4, 1, &device).unwrap();
    let source = WeightedSource(&buffer);
    let task = SiteTask::new(&network, &source, &schedule, &Denoising, 64).unwrap();
    let mut trainer = trainer(network.clone(), 0.01, 300);
    while trainer.steps() < 300 {
        trainer.step(&task).unwrap();
    }
    let environment = Filling::any_order(Agreeing);
    let space = StateSpace::list(&environment).unwrap();
    let filling = FillingNetwork::new(trainer.model().clone(), 1.0, &device);
    let policy = NetworkPolicy { network: &filling, device: &device, flows: Flows::Learned };
    let found = Distance::between(&space.terminal_law(&environment, &policy), &space.target()).unwrap();
    assert!(found.l1 < 0.1, "{found:?}");
    let long = Buffer::of_particles(&annealed).unwrap();
    let mut out = [0; 5];
    assert!(SequenceSource::draw(&WeightedSource(&long), &mut ChainRng::new(1, 0), &mut out).is_err());
}

#[test]
fn paths_are_functions_of_seed_and_step() {
    let (environment, device) = (grid(), Device::flex());
    let network = perceptron(false);
    let task = PathTask::<_, Perceptron>::new(&environment, objective("log-variance").unwrap(), 8, &device);
    let draw = |seed, number| task.batch(&network, Stream { seed, number }).unwrap();
    assert_eq!(draw(1, 5), draw(1, 5));
    assert_ne!(draw(1, 5), draw(1, 6));
    assert_ne!(draw(1, 5), draw(2, 5));
}

#[test]
fn objectives_that_do_not_fit_are_refused() {
    let (environment, device) = (table(), Device::flex());
    let network = FillingNetwork::configured(&environment.target, &hollow(), 1.0, 1, &device).unwrap();
    let draw = |task: &PathTask<'_, _, FillingNetwork>| task.batch(&network, Stream { seed: 1, number: 0 });
    let without_flows = PathTask::new(&environment, objective("detailed-balance").unwrap(), 4, &device);
    let error = draw(&without_flows).unwrap_err().to_string();
    assert!(error.contains("detailed-balance") && error.contains("flows"), "{error}");
    let explored = PathTask::new(&environment, objective("cross-entropy").unwrap(), 4, &device)
        .with_exploration(Exploration::uniform(0.1));
    let error = draw(&explored).unwrap_err().to_string();
    assert!(error.contains("own paths"), "{error}");
    let own = PathTask::new(&environment, objective("likelihood").unwrap(), 4, &device);
    let error = draw(&own).unwrap_err().to_string();
    assert!(error.contains("likelihood") && error.contains("no own paths"), "{error}");
    let no_stop =
        PathTask::new(&environment, objective("trajectory-balance").unwrap(), 4, &device).with_flows(Flows::OfStop);
    let error = draw(&no_stop).unwrap_err().to_string();
    assert!(error.contains("may stop"), "{error}");
}

#[test]
fn rewards_that_are_no_numbers_stop_the_training() {
    let target = Table::random(2, 3, 1.0, 1).unwrap();
    let environment = Filling::any_order(Tempered { target, inverse_temperature: f64::NAN });
    let device = Device::flex();
    let network = FillingNetwork::configured(&environment.target, &hollow(), 1.0, 1, &device).unwrap();
    let task = PathTask::new(&environment, objective("trajectory-balance").unwrap(), 4, &device);
    let before = PolicyNetwork::<Filling<Tempered<Table>>>::log_partition(&network).into_data();
    let mut trainer = trainer(network, 0.01, 10);
    let error = trainer.step(&task).unwrap_err();
    assert!(matches!(error, NeuralError::Gflownet(_)) && error.to_string().contains("NaN"), "{error}");
    let after = PolicyNetwork::<Filling<Tempered<Table>>>::log_partition(trainer.model()).into_data();
    assert_eq!(before, after);
}
