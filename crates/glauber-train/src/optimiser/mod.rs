//! AdamW with decoupled decay on matrices alone, Muon for hidden matrices, the learning rate's course, and the moving average of the
//! weights.

pub(crate) mod exchange;
pub(crate) mod gradients;
#[cfg(test)]
mod any_module;
mod groups;
mod jobs;
mod lanes;
mod muon;

use std::hash::{DefaultHasher, Hasher};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, AdamWState, AdaptiveMomentumState, GradientsParams, Optimizer};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use glauber_model::{Network, Role};

pub use self::gradients::loss_and_gradients;
pub use self::groups::{ParamGroups, UpdateRule};

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

impl OptimiserKind {
    /// The rules of a network's parameters. The matrices of linear layers are decayed, those that modulate blocks included; biases and
    /// embeddings are not.
    pub fn groups(self, network: &Network) -> ParamGroups {
        let rule = |role: Role| match role {
            Role::Hidden if self == Self::Muon => UpdateRule::Muon,
            role if role.is_matrix() => UpdateRule::DecayedAdamW,
            _ => UpdateRule::AdamW,
        };
        network.roles().into_iter().map(|(parameter, role)| (parameter, rule(role))).collect()
    }
}

/// Constants of the update rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptimiserConstants {
    /// AdamW's decay of the mean gradient.
    pub beta_1: f64,
    /// AdamW's decay of the mean square of the gradient.
    pub beta_2: f64,
    /// Decoupled decay of the weights that are decayed, per unit of learning rate.
    pub weight_decay: f64,
}

/// An optimiser over a module, its state in two modules' worth of moments that are saved and loaded like any other.
pub struct Optimiser<M> {
    groups: ParamGroups,
    decay: f64,
    decayed: burn::optim::AdamW,
    undecayed: burn::optim::AdamW,
    /// Moving averages of the gradient and of its square; of a parameter that follows [Muon](UpdateRule::Muon), the momentum and zeros.
    pub(crate) moments: [M; 2],
    /// Steps taken.
    pub(crate) time: usize,
}

impl<M: Module> Optimiser<M> {
    /// Moments at zero.
    ///
    /// # Panics
    /// When a parameter of the module has no rule, or one that is no matrix is to follow Muon.
    pub fn new(module: &M, groups: ParamGroups, constants: OptimiserConstants) -> Self {
        module.visit(&mut Check(&groups));
        let build = |decay: f64| {
            AdamWConfig::new()
                .with_beta_1(constants.beta_1 as f32)
                .with_beta_2(constants.beta_2 as f32)
                .with_epsilon(1e-8)
                .with_weight_decay(decay as f32)
                .build()
        };
        let zeros = || module.clone().map(&mut Zeros);
        Self {
            groups,
            decay: constants.weight_decay,
            decayed: build(constants.weight_decay),
            undecayed: build(0.0),
            moments: [zeros(), zeros()],
            time: 0,
        }
    }

    /// One step: the weights after it. A parameter without a gradient stays.
    ///
    /// # Panics
    /// When the module is not the one that the optimiser was made for, or what became of it.
    pub fn step(&mut self, module: M, gradients: GradientsParams, rate: f64) -> M {
        let mut after = After { weights: GradientsParams::new(), moments: [(); 2].map(|()| GradientsParams::new()) };
        jobs::run(self.jobs(&module, gradients, rate), &mut after);
        let [first, second] = &mut after.moments;
        let [old_first, old_second] = self.moments.each_ref();
        self.moments = [replace(old_first, first), replace(old_second, second)];
        self.time += 1;
        replace(&module, &mut after.weights)
    }

    /// Takes in what other ranks know of the moments.
    pub(crate) fn complete(&mut self, exchange: &Exchange) {
        let [first, second] = &self.moments;
        self.moments = [first, second].map(|moments| exchange.whole(moments.clone()));
    }

    /// The steps of all parameters that have a gradient.
    fn jobs(&self, module: &M, gradients: GradientsParams, rate: f64) -> Vec<Job<'_, After>> {
        let moments = self.moments.each_ref().map(collect);
        let mut update = Update { optimiser: self, moments, gradients, rate, jobs: Vec::new() };
        module.visit(&mut update);
        update.jobs
    }
}

/// A hash of all weights.
pub(crate) fn fingerprint<M: Module>(module: &M) -> u64 {
    struct Hash(DefaultHasher);
    impl ModuleVisitor for Hash {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            param.val().into_data().iter::<f32>().for_each(|weight| self.0.write_u32(weight.to_bits()));
        }
    }
    let mut hash = Hash(DefaultHasher::new());
    module.visit(&mut hash);
    hash.0.finish()
}

/// That every parameter has a rule that can be followed.
struct Check<'a>(&'a ParamGroups);

impl ModuleVisitor for Check<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let rule = self.0.rule(param.id);
        assert!(rule.is_some(), "no rule for the parameter {}: `ParamGroups` must be of the same module", param.id);
        assert!(
            rule != Some(UpdateRule::Muon) || D == 2,
            "the parameter {} has {D} axes: Muon is for matrices",
            param.id
        );
    }
}

struct Zeros;

impl ModuleMapper for Zeros {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| tensor.zeros_like())
    }
}

/// A module's parameters by id.
fn collect<M: Module>(module: &M) -> GradientsParams {
    struct Collect(GradientsParams);
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.register(param.id, param.val());
        }
    }
    let mut values = Collect(GradientsParams::new());
    module.visit(&mut values);
    values.0
}

/// The module with the values given in place of its own.
fn replace<M: Module>(module: &M, values: &mut GradientsParams) -> M {
    struct Replace<'a>(&'a mut GradientsParams);
    impl ModuleMapper for Replace<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            match self.0.remove::<D>(param.id) {
                Some(value) => param.map(|_| value),
                None => param,
            }
        }
    }
    module.clone().map(&mut Replace(values))
}

/// Weights and moments after a step.
struct After {
    weights: GradientsParams,
    moments: [GradientsParams; 2],
}

/// Gathers the steps of all parameters.
struct Update<'a, M> {
    optimiser: &'a Optimiser<M>,
    moments: [GradientsParams; 2],
    gradients: GradientsParams,
    rate: f64,
    jobs: Vec<Job<'a, After>>,
}

impl<M: Module> ModuleVisitor for Update<'_, M> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (id, tensor, rate) = (param.id, param.val(), self.rate);
        let [first, second] = &mut self.moments;
        let Some(gradient) = self.gradients.remove::<D>(id) else { return };
        let (Some(first), Some(second)) = (first.remove::<D>(id), second.remove::<D>(id)) else {
            panic!("the optimiser was made for another module: it has no moments of the parameter {id}");
        };
        let store = move |tensor: Tensor<D>, moments: [Tensor<D>; 2]| -> Store<After> {
            Box::new(move |after| {
                after.weights.register(id, tensor);
                after.moments.iter_mut().zip(moments).for_each(|(all, moment)| all.register(id, moment));
            })
        };
        let rule = match self.optimiser.groups.rule(id) {
            Some(UpdateRule::Muon) => {
                let decay = self.optimiser.decay;
                self.jobs.push(Box::new(move || {
                    let (tensor, first) = muon::step(tensor, gradient, first, rate, decay);
                    store(tensor, [first, second])
                }));
                return;
            }
            Some(UpdateRule::DecayedAdamW) => &self.optimiser.decayed,
            Some(UpdateRule::AdamW) | None => &self.optimiser.undecayed,
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

/// The average after a step, `decay · average + (1 − decay) · module`; early on the decay is smaller, `(1 + step)/(10 + step)`, so that the
/// first weights are forgotten. Of the parameters that this rank steps; the others stay.
pub(crate) fn moving_average<M: Module>(average: M, module: &M, exchange: &Exchange, decay: f64, step: usize) -> M {
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
    let mut blend = Blend { weights: collect(module), exchange, decay, jobs: Vec::new() };
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
