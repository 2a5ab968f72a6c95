//! Gradients of micro-batches, side by side, summed in a fixed order.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};
use rayon::{ThreadPool, ThreadPoolBuilder};

use glauber_model::{Network, SiteClassifier};
use glauber_schedule::Schedule;

use super::exchange::Exchange;
use super::jobs::{self, Job};
use crate::{Examples, Objective, Precision, TrainConfig};

/// The mean gradient of a step's micro-batches.
pub(crate) struct StepGradients {
    /// Mean loss, in nats a site asked for.
    pub loss: f64,
    /// Global norm of the mean gradient, before clipping.
    pub norm: f64,
    /// The mean gradient, scaled down to the clipping norm where it was longer.
    pub gradients: GradientsParams,
}

/// One replica of forward and backward per thread.
///
/// Each replica's operations stay on its own thread, so the serial parts of several micro-batches run side by side. The sum
/// runs in the order of the micro-batches: the result does not depend on the number of threads.
pub(crate) struct Replicas {
    lanes: Lanes,
    recomputing: bool,
    precision: Precision,
    exchange: Exchange,
}

impl Replicas {
    /// At most `threads` replicas; one replica leaves the parallelism within its operations as it is.
    pub fn new(threads: usize, train: &TrainConfig) -> Self {
        let lanes = Lanes::new(threads.min(train.micro_batches));
        let (recomputing, precision) = (train.checkpoint_activations, train.precision);
        Self { lanes, recomputing, precision, exchange: Exchange::None }
    }

    /// From here on the micro-batches of other ranks count as well.
    pub fn share(&mut self, exchange: Exchange) {
        self.exchange = exchange;
    }

    /// How steps are shared with other ranks.
    pub fn exchange(&self) -> &Exchange {
        &self.exchange
    }

    /// Loss and gradient of every micro-batch, averaged, over all ranks; the gradient's global norm is clipped to `clip`. Of the parameters that
    /// other ranks step, no gradient.
    pub fn step(
        &self,
        network: &Network,
        objective: Objective,
        schedule: &Schedule,
        batches: &[Examples],
        device: &Device,
        clip: f64,
    ) -> StepGradients {
        let network = network.clone().recomputing(self.recomputing);
        let precision = self.precision;
        let one = |examples: &Examples| loss_and_gradients(&network, objective, schedule, examples, precision, device);
        let (losses, gradients): (Vec<f64>, Vec<_>) = self.lanes.run(batches, &one).into_iter().unzip();
        self.average(&network, &losses, self.exchange.gradients(&network, gradients), clip)
    }

    /// The mean of gradients that are to be added up.
    fn average(&self, network: &Network, losses: &[f64], parts: Vec<GradientsParams>, clip: f64) -> StepGradients {
        let mut totals = [losses.iter().sum::<f64>(), losses.len() as f64];
        self.exchange.add_up(&mut totals);
        let [loss, count] = totals;
        let mut gather = Gather { parts, count, jobs: Vec::new() };
        network.visit(&mut gather);
        let mut mean = Mean { total: GradientsParams::new(), squares: Vec::new() };
        jobs::run(gather.jobs, &mut mean);
        self.exchange.complete(&mut mean.squares);
        let norm = mean.squares.iter().sum::<f64>().sqrt();
        let mut gradients = mean.total;
        if norm > clip {
            let scale = clip / norm;
            network.visit(&mut Scale { gradients: &mut gradients, scale });
        }
        StepGradients { loss: loss / count, norm, gradients }
    }
}

/// Threads, of which the first takes the first micro-batch, the first after a round of all, and so on; none where one after the other is computed.
struct Lanes(Vec<ThreadPool>);

impl Lanes {
    fn new(threads: usize) -> Self {
        let name = |at| move |_| format!("replica-{at}");
        let pool = |at: usize| ThreadPoolBuilder::new().num_threads(1).thread_name(name(at)).build().ok();
        Self(if threads > 1 { (0..threads).filter_map(pool).collect() } else { Vec::new() })
    }

    /// What each micro-batch comes to.
    fn run<T: Send>(&self, batches: &[Examples], one: &(dyn Fn(&Examples) -> T + Sync)) -> Vec<T> {
        match batches.len() > 1 && self.0.len() > 1 {
            false => batches.iter().map(one).collect(),
            true => self.side_by_side(batches, one),
        }
    }

    fn side_by_side<T: Send>(&self, batches: &[Examples], one: &(dyn Fn(&Examples) -> T + Sync)) -> Vec<T> {
        let mut results: Vec<Option<T>> = Vec::new();
        results.resize_with(batches.len(), || None);
        let mut lanes: Vec<Vec<_>> = Vec::new();
        lanes.resize_with(self.0.len(), Vec::new);
        for (at, work) in batches.iter().zip(&mut results).enumerate() {
            lanes[at % self.0.len()].push(work);
        }
        std::thread::scope(|scope| {
            for (pool, lane) in self.0.iter().zip(lanes) {
                let run = move || {
                    for (examples, result) in lane {
                        *result = Some(one(examples));
                    }
                };
                scope.spawn(|| pool.install(run));
            }
        });
        results.into_iter().flatten().collect()
    }
}

/// Loss of a batch of examples, in nats a site asked for, and its gradient by every weight, named by the identifiers of the network's
/// parameters. What a training step does with each micro-batch, before clipping.
///
/// `device` is the plain device that holds the network; gradients are taken on its autodiff counterpart.
///
/// # Panics
/// When the examples' sequences are longer than the network's, or of another vocabulary.
pub fn loss_and_gradients(
    network: &Network,
    objective: Objective,
    schedule: &Schedule,
    examples: &Examples,
    precision: Precision,
    device: &Device,
) -> (f64, GradientsParams) {
    let device = device.clone().autodiff();
    let network = network.clone().train();
    let (context, conditions) = examples.inputs(&device);
    let logits = precision.of(network.clone()).logits(context, &conditions, examples.query());
    let loss = objective.loss(logits, &examples.labels(objective, schedule, &device));
    let gradients = GradientsParams::from_grads(loss.backward(), &network);
    (scalar(loss.inner()), gradients)
}

/// The value of a one-element tensor.
pub(crate) fn scalar(tensor: Tensor<1>) -> f64 {
    let data = tensor.into_data();
    data.iter::<f64>().next().unwrap_or(f64::NAN)
}

/// The mean gradient, and the sums of its squares by parameter.
struct Mean {
    total: GradientsParams,
    squares: Vec<f64>,
}

/// Gathers the means of all parameters' gradients.
struct Gather<'a> {
    parts: Vec<GradientsParams>,
    /// Micro-batches that the parts are the sum over.
    count: f64,
    jobs: Vec<Job<'a, Mean>>,
}

impl ModuleVisitor for Gather<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let (id, count) = (param.id, self.count);
        let parts: Vec<Tensor<D>> = self.parts.iter_mut().filter_map(|part| part.remove::<D>(id)).collect();
        self.jobs.push(Box::new(move || {
            let sum = parts.into_iter().reduce(|sum, gradient| sum + gradient);
            let mean = sum.map(|sum| if count == 1.0 { sum } else { sum.div_scalar(count) });
            let squares = mean.clone().map_or(0.0, sum_of_squares);
            Box::new(move |after: &mut Mean| {
                mean.into_iter().for_each(|mean| after.total.register(id, mean));
                after.squares.push(squares);
            })
        }));
    }
}

/// Row by row on the device, then in order in f64: a device may add up a large tensor in whatever order its threads finish.
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
