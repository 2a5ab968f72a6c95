//! The training step of any task.

use std::rc::Rc;

use burn::module::Module;
use burn::tensor::Device;
use glauber_ranks::{Alone, World};

use crate::{
    DescentError, Exchange, LearningRateSchedule, Optimiser, OptimiserConstants, ParamGroups, Replicas, Stream, Task,
    fingerprint, moving_average,
};

/// Settings of a training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The learning rate of every step.
    pub learning_rate: LearningRateSchedule,
    /// Micro-batches per step. The result depends on this number, not on threads.
    pub micro_batches: usize,
    /// Maximal global norm of gradients (clipping).
    pub clip_norm: f64,
    /// Decay of the moving average of the weights; `None` keeps no average.
    pub average_decay: Option<f64>,
    /// Constants of the update rules.
    pub constants: OptimiserConstants,
    /// Seed of the batches.
    pub seed: u64,
}

impl Settings {
    /// One micro-batch per step, gradients clipped to 1, no weight decay.
    pub fn new(learning_rate: LearningRateSchedule, seed: u64) -> Self {
        let constants = OptimiserConstants { beta_1: 0.9, beta_2: 0.98, weight_decay: 0.0 };
        Self { learning_rate, micro_batches: 1, clip_norm: 1.0, average_decay: Some(0.995), constants, seed }
    }
}

/// Results of a step, computed before the weights change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Mean loss.
    pub loss: f64,
    /// Global norm of the mean gradient, before clipping.
    pub norm: f64,
    /// The learning rate.
    pub rate: f64,
}

/// A module in training with its optimiser and optional moving average, on one rank or in a world of ranks.
///
/// Every draw is a function of seed, step and micro-batch. A resumed training therefore draws the same batches as an
/// uninterrupted one.
pub struct Trainer<M> {
    settings: Settings,
    pub(crate) model: M,
    pub(crate) average: Option<M>,
    pub(crate) optimiser: Optimiser<M>,
    replicas: Replicas,
    world: Rc<dyn World>,
    device: Device,
}

impl<M: Module + Sync> Trainer<M> {
    /// Starts with a module on the plain `device`; gradients are computed on its autodiff counterpart. At most
    /// `threads` micro-batches run in parallel.
    ///
    /// # Panics
    /// If a parameter has no rule, or a parameter that is not a matrix has the rule Muon.
    pub fn new(model: M, groups: ParamGroups, settings: Settings, device: &Device, threads: usize) -> Self {
        Self {
            average: settings.average_decay.map(|_| model.clone()),
            optimiser: Optimiser::new(&model, groups, settings.constants),
            model,
            replicas: Replicas::new(threads.min(settings.micro_batches)),
            world: Rc::new(Alone),
            device: device.clone(),
            settings,
        }
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sets the total number of steps. Further steps use the learning-rate schedule of a training of that length.
    pub fn set_steps(&mut self, steps: usize) {
        self.settings.learning_rate.steps = steps;
    }

    /// The module as trained.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// Replaces the module by one with the same parameters, for changes made other than by gradients.
    pub fn set_model(&mut self, model: M) {
        self.model = model;
    }

    /// The moving average of the weights, or the module if none is kept. In a world of ranks, each rank has only its
    /// own part up to date until [`complete_average`](Self::complete_average).
    pub fn average(&self) -> &M {
        self.average.as_ref().unwrap_or(&self.model)
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.optimiser.time
    }

    /// The plain device.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Sets how many micro-batches run in parallel.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.replicas.set_threads(threads.min(self.settings.micro_batches));
        self
    }

    /// One step at the scheduled learning rate.
    ///
    /// # Errors
    /// [`DescentError::Diverged`] when the loss or the gradient is not finite; the weights are then unchanged. Those of
    /// [`Task::batch`].
    pub fn step<T: Task<Model = M>>(&mut self, task: &T) -> Result<Step, T::Error> {
        self.step_at(task, self.settings.learning_rate.rate(self.steps()))
    }

    /// One step at the given learning rate.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn step_at<T: Task<Model = M>>(&mut self, task: &T, rate: f64) -> Result<Step, T::Error> {
        let own = self.world.share(self.settings.micro_batches);
        let batches = own.map(|micro| task.batch(&self.model, self.stream(micro))).collect::<Result<Vec<_>, _>>()?;
        let on = self.device.clone().autodiff();
        let pass = |batch: &T::Batch| task.gradients(&self.model.clone().train(), batch, &on);
        let found = self.replicas.step(&self.model, &batches, self.settings.clip_norm, pass);
        let step = self.steps();
        let (loss, norm) = (found.loss, found.norm);
        if !loss.is_finite() || !norm.is_finite() {
            return Err(DescentError::Diverged { step, loss, norm, learning_rate: rate }.into());
        }
        let exchange = self.replicas.exchange();
        self.model = exchange.all_gather(self.optimiser.step(self.model.clone(), found.gradients, rate));
        if let Some((average, decay)) = self.average.take().zip(self.settings.average_decay) {
            self.average = Some(moving_average(average, &self.model, exchange, decay, step));
        }
        Ok(Step { loss, norm, rate })
    }

    /// The micro-batches of the next step of all ranks, as [`step`](Self::step) draws them.
    ///
    /// # Errors
    /// Those of [`Task::batch`].
    pub fn next_batches<T: Task<Model = M>>(&self, task: &T) -> Result<Vec<T::Batch>, T::Error> {
        (0..self.settings.micro_batches).map(|micro| task.batch(&self.model, self.stream(micro))).collect()
    }

    fn stream(&self, micro: usize) -> Stream {
        Stream { seed: self.settings.seed, number: (self.steps() * self.settings.micro_batches + micro) as u64 }
    }

    /// Evaluates `sums` of the averaged module on each batch: `N` numbers per batch, in order. Ranks divide the
    /// batches, and all receive all numbers.
    pub fn evaluate<B, const N: usize>(
        &self,
        batches: &[B],
        sums: impl Fn(&M, &B, &Device) -> [f64; N],
    ) -> Vec<[f64; N]> {
        let mut all = vec![[0.0; N]; batches.len()];
        for at in self.world.share(batches.len()) {
            all[at] = sums(self.average(), &batches[at], &self.device);
        }
        self.replicas.exchange().all_reduce(all.as_flattened_mut());
        all
    }

    /// All-gathers the moving average from the ranks that step its parameters.
    pub fn complete_average(&mut self) {
        self.average = self.average.take().map(|average| self.replicas.exchange().all_gather(average));
    }

    /// All-gathers the optimiser's state from the ranks that step its parameters.
    pub fn complete_optimiser(&mut self) {
        self.optimiser.complete(self.replicas.exchange());
    }

    /// The world of ranks that share the training.
    pub fn world(&self) -> &dyn World {
        &*self.world
    }

    /// Shares every step with the ranks of a world. Each rank computes some micro-batches; a reduce-scatter sums the
    /// gradients in the order of the ranks. Each rank steps some parameters, and an all-gather distributes them.
    ///
    /// Draws do not depend on ranks, so the result differs from a single process only by the order of gradient sums. It
    /// is equal bit for bit if each rank computes at most one micro-batch.
    ///
    /// # Errors
    /// [`DescentError::Apart`] when the ranks have different steps or weights.
    pub fn with_world(self, world: Rc<dyn World>) -> Result<Self, DescentError> {
        let exchange = Exchange::sharded(&self.model, Rc::clone(&world));
        self.sharing(world, exchange)
    }

    /// [`with_world`](Self::with_world) with an all-reduce between the devices; every rank steps all parameters. For
    /// ranks that are threads of one process, each with its own NVIDIA GPU of the same model: burn supports no other
    /// device, and different models round differently. `devices` has one per rank, in their order. NCCL chooses the
    /// order of the sums.
    ///
    /// # Errors
    /// As [`with_world`](Self::with_world).
    ///
    /// # Panics
    /// If `devices` does not have one per rank. In the first step, if the devices cannot all-reduce.
    pub fn with_world_on_devices(self, world: Rc<dyn World>, devices: Vec<Device>) -> Result<Self, DescentError> {
        assert_eq!(devices.len(), world.size(), "a device for each rank");
        let exchange = Exchange::devices(Rc::clone(&world), devices);
        self.sharing(world, exchange)
    }

    fn sharing(mut self, world: Rc<dyn World>, exchange: Exchange) -> Result<Self, DescentError> {
        self.world = world;
        self.replicas.set_exchange(exchange);
        self.check_agreement()?;
        Ok(self)
    }

    /// Checks that all ranks have the step and weights of the first.
    ///
    /// # Errors
    /// [`DescentError::Apart`] at all ranks if any rank differs.
    pub fn check_agreement(&self) -> Result<(), DescentError> {
        if self.world.size() == 1 {
            return Ok(());
        }
        let own = format!("step {} with weights {:016x}", self.steps(), fingerprint(&self.model));
        let all = self.world.gather(own.clone().into_bytes());
        let apart = all.iter().position(|other| other != own.as_bytes());
        let found = |rank: usize| format!("rank {rank} is at {}", String::from_utf8_lossy(&all[rank]));
        // All of them fail, and none goes on to wait for another, or to write.
        let apart = self.world.broadcast(apart.map(found).unwrap_or_default().into_bytes());
        let first = self.world.broadcast(own.into_bytes());
        match apart.is_empty() {
            true => Ok(()),
            false => {
                let [found, expected] = [apart, first].map(|text| String::from_utf8_lossy(&text).into_owned());
                Err(DescentError::Apart { found, expected })
            }
        }
    }
}
