//! From gradients to weights.

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::optim::{AdamWConfig, ModuleOptimizer};
use burn::tensor::Tensor;
use glauber_descent::Course;

use super::TokenizerTrainConfig;

/// Adam as the configuration says.
pub(super) fn adam(config: &TokenizerTrainConfig) -> ModuleOptimizer {
    let betas = AdamWConfig::new().with_beta_1(config.beta_1 as f32).with_beta_2(config.beta_2 as f32);
    betas.with_epsilon(1e-8).with_weight_decay(0.0).init()
}

/// Rate of a step as a part of the highest.
pub(super) fn warmth(config: &TokenizerTrainConfig, step: usize) -> f64 {
    let TokenizerTrainConfig { warmup_steps, steps, minimum_rate, .. } = *config;
    Course { peak: 1.0, warmup_steps, steps, minimum: minimum_rate }.rate(step)
}

/// Numbers the parameters from `first` in the order of the module, so that an optimiser's state finds them again in another process.
pub(super) fn numbered<M: Module>(module: M, first: u64) -> M {
    module.map(&mut Number { next: first })
}

struct Number {
    next: u64,
}

impl ModuleMapper for Number {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (_, value, mapper) = param.consume();
        let id = ParamId::from(self.next);
        self.next += 1;
        Param::from_mapped_value(id, value, mapper)
    }
}
