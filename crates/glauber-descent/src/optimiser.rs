//! AdamW and Muon over the parameters of a module.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, AdamWState, AdaptiveMomentumState, GradientsParams, Optimizer};
use burn::tensor::Tensor;

use crate::jobs::{self, Job, Store};
use crate::weights::{collect, replace};
use crate::{Exchange, ParamGroups, UpdateRule, muon};

/// Constants of the update rules.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OptimiserConstants {
    /// AdamW's decay of the first moment.
    pub beta_1: f64,
    /// AdamW's decay of the second moment.
    pub beta_2: f64,
    /// Decoupled weight decay per unit of learning rate, for rules with decay.
    pub weight_decay: f64,
}

/// An optimiser of a module. Its state is two modules of moments, saved and loaded like any module.
pub struct Optimiser<M> {
    groups: ParamGroups,
    decay: f64,
    decayed: burn::optim::AdamW,
    undecayed: burn::optim::AdamW,
    /// First and second moments of the gradient; for [Muon](UpdateRule::Muon), the momentum and zeros.
    pub moments: [M; 2],
    /// Steps taken.
    pub time: usize,
}

impl<M: Module> Optimiser<M> {
    /// An optimiser with zero moments.
    ///
    /// # Panics
    /// If a parameter has no rule, or a parameter that is not a matrix has the rule Muon.
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

    /// One step; returns the updated module. Parameters without a gradient are unchanged.
    ///
    /// # Panics
    /// If the module's parameters are not those that the optimiser was created for.
    pub fn step(&mut self, module: M, gradients: GradientsParams, rate: f64) -> M {
        let mut after = After { weights: GradientsParams::new(), moments: [(); 2].map(|()| GradientsParams::new()) };
        jobs::run(self.jobs(&module, gradients, rate), &mut after);
        let [first, second] = &mut after.moments;
        let [old_first, old_second] = self.moments.each_ref();
        self.moments = [replace(old_first, first), replace(old_second, second)];
        self.time += 1;
        replace(&module, &mut after.weights)
    }

    /// All-gathers the moments from the ranks that step them.
    pub fn complete(&mut self, exchange: &Exchange) {
        let [first, second] = &self.moments;
        self.moments = [first, second].map(|moments| exchange.all_gather(moments.clone()));
    }

    /// The steps of all parameters that have a gradient.
    fn jobs(&self, module: &M, gradients: GradientsParams, rate: f64) -> Vec<Job<'_, After>> {
        let moments = self.moments.each_ref().map(collect);
        let mut update = Update { optimiser: self, moments, gradients, rate, jobs: Vec::new() };
        module.visit(&mut update);
        update.jobs
    }
}

/// Checks that every parameter has an applicable rule.
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
