//! Hash and moving average of a module's weights.

use std::hash::{DefaultHasher, Hasher};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::Exchange;
use crate::jobs::{self, Job};

/// A hash of all weights.
pub fn fingerprint<M: Module>(module: &M) -> u64 {
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

/// A module's parameters by id.
pub(crate) fn collect<M: Module>(module: &M) -> GradientsParams {
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

/// The module with the given values.
pub(crate) fn replace<M: Module>(module: &M, values: &mut GradientsParams) -> M {
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

/// The moving average after a step: `decay · average + (1 − decay) · module`. Early steps use the smaller decay `(1 +
/// step)/(10 + step)`, which forgets the initial weights. Only the parameters that this rank steps are updated.
pub fn moving_average<M: Module>(average: M, module: &M, exchange: &Exchange, decay: f64, step: usize) -> M {
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
