//! AdamW with decoupled decay on matrices alone, Muon for hidden matrices, the learning rate's course, and the moving average of the
//! weights.

pub(crate) mod exchange;
pub(crate) mod gradients;
mod jobs;
mod muon;

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hasher};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::{AdamWConfig, AdamWState, AdaptiveMomentumState, GradientsParams, Optimizer};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use glauber_model::{Network, Role};

pub use self::gradients::loss_and_gradients;

use self::exchange::Exchange;
use self::jobs::{Job, Store};
use crate::TrainConfig;

/// How weights follow their gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimiserKind {
    /// AdamW throughout (Loshchilov and Hutter, 2019).
    AdamW,
    /// Muon for the matrices of attention and feed-forward layers, AdamW for the rest.
    Muon,
}

/// An optimiser over a [`Network`], its state in two networks' worth of moments that are saved and loaded like any other.
///
/// The matrices of linear layers are decayed, those that modulate blocks included; biases and embeddings are not.
pub struct Optimiser {
    kind: OptimiserKind,
    decay: f64,
    decayed: burn::optim::AdamW,
    undecayed: burn::optim::AdamW,
    /// Moving averages of the gradient and of its square.
    pub(crate) moments: [Network; 2],
    /// Steps taken.
    pub(crate) time: usize,
}

impl Optimiser {
    /// Moments at zero.
    pub fn new(config: &TrainConfig, network: &Network) -> Self {
        let build = |decay: f64| {
            AdamWConfig::new()
                .with_beta_1(config.beta_1 as f32)
                .with_beta_2(config.beta_2 as f32)
                .with_epsilon(1e-8)
                .with_weight_decay(decay as f32)
                .build()
        };
        let zeros = || network.clone().map(&mut Zeros);
        Self {
            kind: config.optimiser,
            decay: config.weight_decay,
            decayed: build(config.weight_decay),
            undecayed: build(0.0),
            moments: [zeros(), zeros()],
            time: 0,
        }
    }

    /// One step: the weights after it. A parameter without a gradient stays.
    ///
    /// # Panics
    /// When the network is not the one that the optimiser was made for, or what became of it.
    pub fn step(&mut self, network: Network, gradients: GradientsParams, rate: f64) -> Network {
        let mut after = After { weights: GradientsParams::new(), moments: [(); 2].map(|()| GradientsParams::new()) };
        jobs::run(self.jobs(&network, gradients, rate), &mut after);
        let [first, second] = &mut after.moments;
        let [old_first, old_second] = self.moments.each_ref();
        self.moments = [replace(old_first, first), replace(old_second, second)];
        self.time += 1;
        replace(&network, &mut after.weights)
    }

    /// Takes in what other ranks know of the moments.
    pub(crate) fn complete(&mut self, exchange: &Exchange) {
        let [first, second] = &self.moments;
        self.moments = [first, second].map(|moments| exchange.whole(moments.clone()));
    }

    /// The steps of all parameters that have a gradient.
    fn jobs(&self, network: &Network, gradients: GradientsParams, rate: f64) -> Vec<Job<'_, After>> {
        let moments = self.moments.each_ref().map(collect);
        let roles = network.roles().into_iter().collect();
        let mut update = Update { optimiser: self, moments, gradients, rate, roles, jobs: Vec::new() };
        network.visit(&mut update);
        update.jobs
    }
}

/// A hash of all weights.
pub(crate) fn fingerprint(network: &Network) -> u64 {
    struct Hash(DefaultHasher);
    impl ModuleVisitor for Hash {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            param.val().into_data().iter::<f32>().for_each(|weight| self.0.write_u32(weight.to_bits()));
        }
    }
    let mut hash = Hash(DefaultHasher::new());
    network.visit(&mut hash);
    hash.0.finish()
}

struct Zeros;

impl ModuleMapper for Zeros {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.zeros_like())
    }
}

/// A network's parameters by id.
fn collect(network: &Network) -> GradientsParams {
    struct Collect(GradientsParams);
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.register(param.id, param.val());
        }
    }
    let mut values = Collect(GradientsParams::new());
    network.visit(&mut values);
    values.0
}

/// The network with the values given in place of its own.
fn replace(network: &Network, values: &mut GradientsParams) -> Network {
    struct Replace<'a>(&'a mut GradientsParams);
    impl ModuleMapper for Replace<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            match self.0.remove::<D>(param.id) {
                Some(value) => param.map(|_| value),
                None => param,
            }
        }
    }
    network.clone().map(&mut Replace(values))
}

/// Weights and moments after a step.
struct After {
    weights: GradientsParams,
    moments: [GradientsParams; 2],
}

/// Gathers the steps of all parameters.
struct Update<'a> {
    optimiser: &'a Optimiser,
    moments: [GradientsParams; 2],
    gradients: GradientsParams,
    rate: f64,
    roles: HashMap<ParamId, Role>,
    jobs: Vec<Job<'a, After>>,
}

impl ModuleVisitor for Update<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (id, tensor, rate) = (param.id, param.val(), self.rate);
        let [first, second] = &mut self.moments;
        let Some(gradient) = self.gradients.remove::<D>(id) else { return };
        let (Some(first), Some(second)) = (first.remove::<D>(id), second.remove::<D>(id)) else {
            panic!("the optimiser was made for another network: it has no moments of the parameter {id}");
        };
        let store = move |tensor: Tensor<D>, moments: [Tensor<D>; 2]| -> Store<After> {
            Box::new(move |after| {
                after.weights.register(id, tensor);
                after.moments.iter_mut().zip(moments).for_each(|(all, moment)| all.register(id, moment));
            })
        };
        let role = self.roles[&id];
        if self.optimiser.kind == OptimiserKind::Muon && role == Role::Hidden {
            let decay = self.optimiser.decay;
            self.jobs.push(Box::new(move || {
                let (tensor, first) = muon::step(tensor, gradient, first, rate, decay);
                store(tensor, [first, second])
            }));
            return;
        }
        let rule = match role.is_matrix() {
            true => &self.optimiser.decayed,
            false => &self.optimiser.undecayed,
        };
        let state = AdamWState::new(AdaptiveMomentumState::new(self.optimiser.time, first, second));
        self.jobs.push(Box::new(move || {
            let (tensor, state) = rule.step(rate, tensor, gradient, Some(state));
            let momentum = state.expect("AdamW always keeps moments").momentum;
            store(tensor, [momentum.moment_1, momentum.moment_2])
        }));
    }
}

/// Learning rate of a step: linear warm-up, then half a cosine down to `minimum_rate` of the peak.
pub fn learning_rate(config: &TrainConfig, step: usize) -> f64 {
    if step < config.warmup_steps {
        return config.learning_rate * (step + 1) as f64 / config.warmup_steps as f64;
    }
    let span = config.steps.saturating_sub(config.warmup_steps).max(1) as f64;
    let progress = ((step - config.warmup_steps) as f64 / span).min(1.0);
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
    config.learning_rate * (config.minimum_rate + (1.0 - config.minimum_rate) * cosine)
}

/// The average after a step, `decay · average + (1 − decay) · network`; early on the decay is smaller, `(1 + step)/(10 + step)`, so that the
/// first weights are forgotten. Of the parameters that this rank steps; the others stay.
pub(crate) fn moving_average(
    average: Network,
    network: &Network,
    exchange: &Exchange,
    decay: f64,
    step: usize,
) -> Network {
    struct Blend<'a> {
        weights: GradientsParams,
        exchange: &'a Exchange,
        decay: f64,
        jobs: Vec<Job<'a, GradientsParams>>,
    }
    impl ModuleVisitor for Blend<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let (id, average, decay) = (param.id, param.val(), self.decay);
            if !self.exchange.steps(id) {
                return;
            }
            let Some(weight) = self.weights.remove::<D>(id) else {
                return;
            };
            self.jobs.push(Box::new(move || {
                let blend = average.mul_scalar(decay) + weight.mul_scalar(1.0 - decay);
                Box::new(move |blends| blends.register(id, blend))
            }));
        }
    }
    let decay = decay.min((1.0 + step as f64) / (10.0 + step as f64));
    let mut blend = Blend { weights: collect(network), exchange, decay, jobs: Vec::new() };
    average.visit(&mut blend);
    let mut blends = GradientsParams::new();
    jobs::run(blend.jobs, &mut blends);
    replace(&average, &mut blends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_warms_up_then_falls_to_its_minimum() {
        let config = TrainConfig {
            steps: 100,
            warmup_steps: 10,
            learning_rate: 1.0,
            minimum_rate: 0.1,
            ..TrainConfig::default()
        };
        assert_eq!(learning_rate(&config, 0), 0.1);
        assert_eq!(learning_rate(&config, 9), 1.0);
        assert_eq!(learning_rate(&config, 10), 1.0);
        assert!((learning_rate(&config, 55) - 0.55).abs() < 1e-12);
        assert!((learning_rate(&config, 100) - 0.1).abs() < 1e-12);
    }
}
