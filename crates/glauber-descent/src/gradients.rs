//! Gradients of micro-batches, computed in parallel and summed in a fixed order.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use crate::jobs::{self, Job};
use crate::{Exchange, Lanes};

/// The mean gradient of a step's micro-batches.
pub struct StepGradients {
    /// Mean loss.
    pub loss: f64,
    /// Global norm of the mean gradient, before clipping.
    pub norm: f64,
    /// The mean gradient, clipped to the maximal norm.
    pub gradients: GradientsParams,
}

/// Threads that each run the forward and backward pass of one micro-batch.
///
/// The operations of a replica stay on its thread, so the serial parts of several micro-batches run in parallel.
/// Gradients are summed in the order of the micro-batches, so the result does not depend on the number of threads.
pub struct Replicas {
    lanes: Lanes,
    exchange: Exchange,
}

impl Replicas {
    /// At most `threads` replicas. A single replica keeps the parallelism within operations.
    pub fn new(threads: usize) -> Self {
        Self { lanes: Lanes::new(threads), exchange: Exchange::none() }
    }

    /// Sets the maximal number of replicas.
    pub fn set_threads(&mut self, threads: usize) {
        self.lanes = Lanes::new(threads);
    }

    /// Sets how steps are shared with other ranks.
    pub fn set_exchange(&mut self, exchange: Exchange) {
        self.exchange = exchange;
    }

    /// How steps are shared.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Runs `pass` (loss and gradients) on every micro-batch, and averages over all ranks. The global norm of the
    /// gradient is clipped to `clip`. Parameters that other ranks step have no gradient.
    pub fn step<M: Module, B: Sync>(
        &self,
        module: &M,
        batches: &[B],
        clip: f64,
        pass: impl Fn(&B) -> (f64, GradientsParams) + Sync,
    ) -> StepGradients {
        let (losses, parts): (Vec<f64>, Vec<_>) = self.lanes.run(batches.iter().collect(), &pass).into_iter().unzip();
        let parts = self.exchange.gradients(module, parts);
        let mut totals = [losses.iter().sum::<f64>(), losses.len() as f64];
        self.exchange.all_reduce(&mut totals);
        let [loss, count] = totals;
        let mut gradients = mean_gradients(module, parts, count);
        let mut squares = squares(module, &gradients);
        self.exchange.complete(&mut squares);
        let norm = squares.iter().sum::<f64>().sqrt();
        if norm > clip {
            let scale = clip / norm;
            module.visit(&mut Scale { gradients: &mut gradients, scale });
        }
        StepGradients { loss: loss / count, norm, gradients }
    }
}

/// The mean of a module's gradients over `count` micro-batches. `parts` are summed in their order.
pub fn mean_gradients<M: Module>(module: &M, parts: Vec<GradientsParams>, count: f64) -> GradientsParams {
    struct Means<'a>(Vec<GradientsParams>, f64, Vec<Job<'a, GradientsParams>>);
    impl ModuleVisitor for Means<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let (id, count) = (param.id, self.1);
            let parts: Vec<Tensor<D>> = self.0.iter_mut().filter_map(|part| part.remove::<D>(id)).collect();
            self.2.push(Box::new(move || {
                let sum = parts.into_iter().reduce(|sum, gradient| sum + gradient);
                let mean = sum.map(|sum| if count == 1.0 { sum } else { sum.div_scalar(count) });
                Box::new(move |all| mean.into_iter().for_each(|mean| all.register(id, mean)))
            }));
        }
    }
    let mut means = Means(parts, count, Vec::new());
    module.visit(&mut means);
    let mut gradients = GradientsParams::new();
    jobs::run(means.2, &mut gradients);
    gradients
}

/// The sum of squares of each parameter's gradient, in order; 0 without a gradient.
fn squares<M: Module>(module: &M, gradients: &GradientsParams) -> Vec<f64> {
    struct Squares<'a>(&'a GradientsParams, Vec<Job<'a, Vec<f64>>>);
    impl ModuleVisitor for Squares<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let gradient = self.0.get::<D>(param.id);
            self.1.push(Box::new(move || {
                let squares = gradient.map_or(0.0, sum_of_squares);
                Box::new(move |all| all.push(squares))
            }));
        }
    }
    let mut visit = Squares(gradients, Vec::new());
    module.visit(&mut visit);
    let mut squares = Vec::new();
    jobs::run(visit.1, &mut squares);
    squares
}

/// Sums rows on the device, then row sums in order in f64, because a device may sum a large tensor in any order.
pub(crate) fn sum_of_squares<const D: usize>(tensor: Tensor<D>) -> f64 {
    tensor.square().sum_dim(D - 1).into_data().iter::<f64>().sum()
}

struct Scale<'a> {
    gradients: &'a mut GradientsParams,
    scale: f64,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients.register(param.id, gradient.mul_scalar(self.scale));
        }
    }
}
