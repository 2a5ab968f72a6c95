//! From gradients to weights.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;

use super::TokenizerTrainConfig;

/// Adam as the configuration says.
pub(super) fn adam(config: &TokenizerTrainConfig) -> ModuleOptimizer {
    let betas = AdamWConfig::new().with_beta_1(config.beta_1 as f32).with_beta_2(config.beta_2 as f32);
    betas.with_epsilon(1e-8).with_weight_decay(0.0).init()
}

/// Rate of a step as a part of the highest: linear warm-up, then half a cosine down to `minimum_rate`.
pub(super) fn warmth(config: &TokenizerTrainConfig, step: usize) -> f64 {
    if step < config.warmup_steps {
        return (step + 1) as f64 / config.warmup_steps as f64;
    }
    let span = config.steps.saturating_sub(config.warmup_steps).max(1) as f64;
    let progress = ((step - config.warmup_steps) as f64 / span).min(1.0);
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
    config.minimum_rate + (1.0 - config.minimum_rate) * cosine
}

/// The mean of a module's gradients over micro-batches of one size, summed in their order.
pub(super) fn mean<M: Module>(module: &M, parts: Vec<GradientsParams>) -> GradientsParams {
    let mut mean = Mean { parts, total: GradientsParams::new() };
    module.visit(&mut mean);
    mean.total
}

struct Mean {
    parts: Vec<GradientsParams>,
    total: GradientsParams,
}

impl ModuleVisitor for Mean {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let count = self.parts.len() as f64;
        let sum = self.parts.iter_mut().filter_map(|part| part.remove::<D>(param.id)).reduce(|sum, part| sum + part);
        if let Some(sum) = sum {
            self.total.register(param.id, if count == 1.0 { sum } else { sum.div_scalar(count) });
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_rise_and_fall() {
        let config =
            TokenizerTrainConfig { steps: 110, warmup_steps: 10, minimum_rate: 0.1, ..TokenizerTrainConfig::default() };
        let at = |step| warmth(&config, step);
        assert_eq!((at(0), at(4), at(9), at(10)), (0.1, 0.5, 1.0, 1.0));
        assert!((at(60) - 0.55).abs() < 1e-12 && (at(110) - 0.1).abs() < 1e-12 && (at(500) - 0.1).abs() < 1e-12);
        let constant = TokenizerTrainConfig { warmup_steps: 0, minimum_rate: 1.0, ..config };
        assert!([0, 50, 200].iter().all(|&step| warmth(&constant, step) == 1.0));
    }
}
