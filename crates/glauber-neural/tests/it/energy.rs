//! Energies that learn, against what is exactly true.

use burn::module::Module;
use burn::tensor::Device;
use glauber_chain::{ChainRng, TokenRows};
use glauber_descent::{LearningRateSchedule, ParamGroups, Settings, Stream, Task, Trainer, UpdateRule, fingerprint};
use glauber_energy::{Table, Target, exact};
use glauber_gflownet::{
    Acceptance, BackAndForth, Criterion, Distance, Exploration, Filling, FillingOrder, Flows, Policy, StateSpace,
    TrajectoryBalance, objective,
};
use glauber_neural::{
    ContrastiveBatch, EnergyConfig, EnergyNetwork, EnergyTarget, EnergyTask, JointSettings, JointTraining,
    NetworkPolicy, NeuralError, Perceptron, PerceptronConfig,
};
use glauber_tokens::Token;

use crate::{Flat, Nudge};

const BITS: usize = 5;

fn energy(seed: u64) -> EnergyNetwork {
    EnergyNetwork::new(2, BITS, &EnergyConfig { width: 16, layers: 2 }, seed, &Device::flex())
}

fn sampler(seed: u64) -> Perceptron {
    let config = PerceptronConfig { width: 32, layers: 2, backward: true, log_partition_rate: 10.0 };
    Perceptron::new(&Filling::any_order(target(energy(1))), &config, seed, &Device::flex())
}

fn target(network: EnergyNetwork) -> EnergyTarget {
    EnergyTarget::new(network, &Device::flex())
}

fn settings() -> JointSettings {
    JointSettings {
        order: FillingOrder::Any,
        objective: &TrajectoryBalance(Criterion::Square),
        own: 16,
        exploration: Exploration::uniform(0.05),
        back: 16,
        rows: 128,
        acceptance: Acceptance::Metropolis,
        warmup: 100,
    }
}

fn trainer<M: Module + Sync>(network: M, peak: f64, steps: usize, seed: u64) -> Trainer<M> {
    let groups = ParamGroups::all(&network, UpdateRule::AdamW);
    let rate = LearningRateSchedule { peak, warmup_steps: 0, steps, minimum: 0.02 };
    let settings =
        Settings { average_decay: None, clip_norm: f64::INFINITY, micro_batches: 2, ..Settings::new(rate, seed) };
    Trainer::new(network, groups, settings, &Device::flex(), 1)
}

/// Draws the law of a table, by its place in the list of states.
fn draw(law: &[f64], rng: &mut ChainRng) -> Vec<Token> {
    let mut left = rng.uniform();
    let found = law.iter().position(|p| {
        left -= p;
        left < 0.0
    });
    let state = found.unwrap_or(law.len() - 1);
    (0..BITS).map(|site| (state >> (BITS - 1 - site) & 1) as Token).collect()
}

#[test]
fn a_target_keeps_what_its_network_says() {
    let (network, device) = (energy(1), Device::flex());
    let target = target(network.clone());
    let all = exact::enumerate(&target).unwrap();
    let direct = |tokens: &[Token]| -> f64 {
        let logs = network.log_densities(TokenRows::new(tokens, BITS), &device).into_data();
        logs.iter::<f64>().next().unwrap()
    };
    let states: Vec<Vec<Token>> = (0..1 << BITS).map(|state| all.sequence(state)).collect();
    for (tokens, p) in states.iter().zip(all.probabilities()) {
        // Alone, or in a batch of all: only rounding may differ.
        assert!((target.log_density(tokens) - direct(tokens)).abs() < 1e-6);
        assert!((target.log_density(tokens) - all.log_partition() - p.ln()).abs() < 1e-12);
    }
    let twice = [&states[3][..], &states[9], &states[3]].concat();
    let mut logs = [0.0; 3];
    target.log_densities(TokenRows::new(&twice, BITS), &mut logs);
    assert_eq!(logs.map(f64::to_bits), [3, 9, 3].map(|state: usize| target.log_density(&states[state]).to_bits()));
    let spread = all.probabilities().iter().fold(0f64, |top, p| top.max(*p)) * 32.0;
    assert!(spread > 1.01, "the densities differ: {spread}");
}

/// With negatives of the law `γ / Z`, the mean gradient is that of the negative log-likelihood: both are summed over all states.
#[test]
fn the_gradient_is_that_of_the_likelihood() {
    let (network, sampler, device) = (energy(2), sampler(1), Device::flex());
    let law = exact::enumerate(&Table::random(2, BITS, 1.0, 4).unwrap()).unwrap().probabilities().to_vec();
    let nll = |network: EnergyNetwork| -> f64 {
        let model = exact::enumerate(&target(network)).unwrap();
        law.iter().zip(model.probabilities()).map(|(p, q)| -p * q.ln()).sum()
    };
    let kernel = BackAndForth { actions: 1, acceptance: Acceptance::Metropolis };
    let data = |_: &mut ChainRng| vec![0; BITS];
    let task =
        EnergyTask { order: FillingOrder::Any, sampler: &sampler, kernel, rows: 1, data: &data, device: &device };
    let model = exact::enumerate(&target(network.clone())).unwrap();
    let mut mean = vec![0.0; network.num_params()];
    for (state, (p, q)) in law.iter().zip(model.probabilities()).enumerate() {
        let batch = ContrastiveBatch::new(&model.sequence(0), &model.sequence(state), BITS);
        let (_, gradients) = task.gradients(&network.clone().train(), &batch, &device.clone().autodiff());
        let mut flat = Flat(&gradients, Vec::new());
        network.visit(&mut flat);
        mean.iter_mut().zip(&flat.1).for_each(|(mean, g)| *mean += (q - p) * g);
    }
    let largest = mean.iter().fold(0f64, |top, g| top.max(g.abs()));
    assert!(largest > 0.01, "{largest}");
    for at in (0..network.num_params()).step_by(5) {
        let moved = |by: f32| nll(network.clone().map(&mut Nudge { at, by, seen: 0 }));
        let expected = (moved(1e-2) - moved(-1e-2)) / 2e-2;
        assert!((mean[at] - expected).abs() < 1e-3 * largest, "{at}: {} for {expected}", mean[at]);
    }
}

/// Data of the energy's own law give negatives of that law, whatever the sampler and the number of actions.
#[test]
fn negatives_have_the_law_of_the_energy() {
    const ROWS: usize = 10_000;
    let (network, sampler, device) = (energy(3), sampler(2), Device::flex());
    // Far from uniform.
    let network = network.map(&mut Steeper);
    let law = exact::enumerate(&target(network.clone())).unwrap();
    let data = |rng: &mut ChainRng| draw(law.probabilities(), rng);
    for actions in [1, 3, BITS] {
        let kernel = BackAndForth { actions, acceptance: Acceptance::Metropolis };
        let task = EnergyTask {
            order: FillingOrder::Any,
            sampler: &sampler,
            kernel,
            rows: ROWS,
            data: &data,
            device: &device,
        };
        let batch = task.batch(&network, Stream { seed: 5, number: 0 }).unwrap();
        assert!((ROWS / 10..ROWS * 98 / 100).contains(&batch.accepted), "{}", batch.accepted);
        let mut counts = vec![0.0; 1 << BITS];
        batch.negatives().iter().for_each(|tokens| counts[law.state(tokens)] += 1.0);
        let expected = law.probabilities().iter().map(|p| p * ROWS as f64);
        let chi: f64 = counts.iter().zip(expected).map(|(n, e)| (n - e) * (n - e) / e).sum();
        // 31 degrees of freedom: the standard deviation is 8.
        assert!(chi < 31.0 + 4.0 * 8.0, "{actions}: {chi}");
    }
}

/// Multiplies all weights.
struct Steeper;

impl burn::module::ModuleMapper for Steeper {
    fn map_float<const D: usize>(
        &mut self,
        param: burn::module::Param<burn::tensor::Tensor<D>>,
    ) -> burn::module::Param<burn::tensor::Tensor<D>> {
        param.map(|tensor| tensor.mul_scalar(2.5))
    }
}

#[test]
fn an_energy_and_its_sampler_learn_a_table() {
    let device = Device::flex();
    let law = exact::enumerate(&Table::random(2, BITS, 1.0, 7).unwrap()).unwrap().probabilities().to_vec();
    let data = |rng: &mut ChainRng| draw(&law, rng);
    for order in [FillingOrder::Any, FillingOrder::LeftToRight] {
        let backward = order == FillingOrder::Any;
        let config = PerceptronConfig { width: 32, layers: 2, backward, log_partition_rate: 10.0 };
        let environment = Filling { target: target(energy(1)), order };
        let network = Perceptron::new(&environment, &config, 2, &device);
        let mut joint = JointTraining {
            energy: trainer(energy(1), 2e-2, 500, 1),
            sampler: trainer(network, 1e-2, 500, 2),
            settings: JointSettings { order, ..settings() },
            data: &data,
        };
        while joint.energy.steps() < 500 {
            joint.step().unwrap();
        }
        let environment = Filling { target: target(joint.energy.model().clone()), order };
        let found = exact::enumerate(&environment.target).unwrap();
        let loss: f64 = law.iter().zip(found.probabilities()).map(|(p, q)| p * (p / q).ln()).sum();
        assert!(loss < 0.01, "{order:?}: {loss} nats above the entropy");
        let policy = NetworkPolicy { network: joint.sampler.model(), device: &device, flows: Flows::Learned };
        let space = StateSpace::list(&environment).unwrap();
        let off = Distance::between(&space.terminal_law(&environment, &policy), &space.target()).unwrap();
        assert!(off.jensen_shannon < 0.005, "{order:?}: {off:?}");
        let error = Policy::<Filling<EnergyTarget>>::log_partition(&policy) - found.log_partition();
        assert!(error.abs() < 0.05, "{order:?}: {error}");
    }
}

/// The weights after some steps.
fn after_steps(seed: u64, threads: usize) -> [u64; 2] {
    let data = |rng: &mut ChainRng| (0..BITS).map(|_| u32::from(rng.uniform() < 0.7)).collect();
    let mut joint = JointTraining {
        energy: trainer(energy(1), 1e-2, 5, 1).with_threads(threads),
        sampler: trainer(sampler(1), 1e-2, 5, seed).with_threads(threads),
        settings: settings(),
        data: &data,
    };
    (0..5).for_each(|_| {
        joint.step().unwrap();
    });
    [fingerprint(joint.energy.model()), fingerprint(joint.sampler.model())]
}

#[test]
fn a_training_is_a_function_of_its_seeds() {
    assert_eq!(after_steps(2, 1), after_steps(2, 1));
    assert_eq!(after_steps(2, 2), after_steps(2, 1));
    let [one, other] = [after_steps(2, 1), after_steps(3, 1)];
    assert!(one[0] != other[0] && one[1] != other[1]);
}

#[test]
fn more_is_taken_apart_as_training_goes_on() {
    let settings = JointSettings { warmup: 50, ..settings() };
    let found: Vec<usize> = [0, 9, 10, 24, 49, 1000].map(|step| settings.actions(step, 5)).to_vec();
    assert_eq!(found, [1, 1, 1, 2, 5, 5]);
    assert_eq!(JointSettings { warmup: 0, ..settings }.actions(0, 5), 5);
}

#[test]
fn an_objective_of_own_paths_is_refused() {
    let data = |_: &mut ChainRng| vec![0; BITS];
    let mut joint = JointTraining {
        energy: trainer(energy(1), 1e-2, 5, 1),
        sampler: trainer(sampler(1), 1e-2, 5, 2),
        settings: JointSettings { objective: objective("relative-entropy").unwrap(), ..settings() },
        data: &data,
    };
    assert!(matches!(joint.step(), Err(NeuralError::Gflownet(_))));
}
