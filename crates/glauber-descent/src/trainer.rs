//! The loop's one step, whatever the task.

use std::rc::Rc;

use burn::module::Module;
use burn::tensor::Device;
use glauber_ranks::{Alone, Ranks};

use crate::{
    Course, DescentError, Exchange, Optimiser, OptimiserConstants, ParamGroups, Replicas, Stream, Task, fingerprint,
    moving_average,
};

/// How weights follow their gradients.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// The learning rate of every step.
    pub course: Course,
    /// Micro-batches of a step: the result depends on this number, not on threads.
    pub micro_batches: usize,
    /// Global norm to which gradients are clipped.
    pub clip_norm: f64,
    /// Decay of the weights' moving average; without it none is kept.
    pub average_decay: Option<f64>,
    /// Constants of the update rules.
    pub constants: OptimiserConstants,
    /// Seed of the batches.
    pub seed: u64,
}

impl Settings {
    /// One micro-batch a step, gradients clipped to 1, no decay of weights.
    pub fn new(course: Course, seed: u64) -> Self {
        let constants = OptimiserConstants { beta_1: 0.9, beta_2: 0.98, weight_decay: 0.0 };
        Self { course, micro_batches: 1, clip_norm: 1.0, average_decay: Some(0.995), constants, seed }
    }
}

/// What a step found, before it changed any weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Mean loss.
    pub loss: f64,
    /// Global norm of the mean gradient, before clipping.
    pub norm: f64,
    /// The learning rate.
    pub rate: f64,
}

/// A module that learns, its moving average, if one is kept, and its optimiser, alone or among ranks.
///
/// Every draw is addressed by seed, step and micro-batch: a training that is loaded draws what an
/// unbroken one would have.
pub struct Trainer<M> {
    settings: Settings,
    pub(crate) model: M,
    pub(crate) average: Option<M>,
    pub(crate) optimiser: Optimiser<M>,
    replicas: Replicas,
    ranks: Rc<dyn Ranks>,
    device: Device,
}

impl<M: Module + Sync> Trainer<M> {
    /// Begins with a module on `device`, the plain one; gradients are taken on its autodiff
    /// counterpart. At most `threads` micro-batches run side by side.
    ///
    /// # Panics
    /// When a parameter of the module has no rule, or one that is no matrix is to follow Muon.
    pub fn new(model: M, groups: ParamGroups, settings: Settings, device: &Device, threads: usize) -> Self {
        Self {
            average: settings.average_decay.map(|_| model.clone()),
            optimiser: Optimiser::new(&model, groups, settings.constants),
            model,
            replicas: Replicas::new(threads.min(settings.micro_batches)),
            ranks: Rc::new(Alone),
            device: device.clone(),
            settings,
        }
    }

    /// How weights follow their gradients.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The same in so many steps in all: from here on the learning rate takes the course that it has
    /// in a training of so many steps from the beginning.
    pub fn set_steps(&mut self, steps: usize) {
        self.settings.course.steps = steps;
    }

    /// The module as trained.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// Puts another in its place, which was changed otherwise than by gradients; its parameters are
    /// the same ones.
    pub fn set_model(&mut self, model: M) {
        self.model = model;
    }

    /// The moving average of its weights; where none is kept, the module itself. Of several ranks
    /// each has its own part alone until [`complete_average`](Self::complete_average).
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

    /// The same with at most so many micro-batches side by side.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.replicas.set_threads(threads.min(self.settings.micro_batches));
        self
    }

    /// One step, at the learning rate of its course.
    ///
    /// # Errors
    /// [`DescentError::Diverged`] when loss or gradient are no longer numbers, no weight changed;
    /// those of [`Task::batch`].
    pub fn step<T: Task<Model = M>>(&mut self, task: &T) -> Result<Step, T::Error> {
        self.step_at(task, self.settings.course.rate(self.steps()))
    }

    /// One step at a learning rate of the caller's.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn step_at<T: Task<Model = M>>(&mut self, task: &T, rate: f64) -> Result<Step, T::Error> {
        let own = self.ranks.share(self.settings.micro_batches);
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
        self.model = exchange.whole(self.optimiser.step(self.model.clone(), found.gradients, rate));
        if let Some((average, decay)) = self.average.take().zip(self.settings.average_decay) {
            self.average = Some(moving_average(average, &self.model, exchange, decay, step));
        }
        Ok(Step { loss, norm, rate })
    }

    /// The micro-batches of the step to come, those of all ranks, as [`step`](Self::step) draws them.
    ///
    /// # Errors
    /// Those of [`Task::batch`].
    pub fn next_batches<T: Task<Model = M>>(&self, task: &T) -> Result<Vec<T::Batch>, T::Error> {
        (0..self.settings.micro_batches).map(|micro| task.batch(&self.model, self.stream(micro))).collect()
    }

    fn stream(&self, micro: usize) -> Stream {
        Stream { seed: self.settings.seed, number: (self.steps() * self.settings.micro_batches + micro) as u64 }
    }

    /// Sums of the average over each batch, `N` numbers a batch in the order of the batches. Each
    /// rank computes some of them, and all get all.
    pub fn evaluate<B, const N: usize>(
        &self,
        batches: &[B],
        sums: impl Fn(&M, &B, &Device) -> [f64; N],
    ) -> Vec<[f64; N]> {
        let mut all = vec![[0.0; N]; batches.len()];
        for at in self.ranks.share(batches.len()) {
            all[at] = sums(self.average(), &batches[at], &self.device);
        }
        self.replicas.exchange().add_up(all.as_flattened_mut());
        all
    }

    /// Takes in what other ranks know of the average.
    pub fn complete_average(&mut self) {
        self.average = self.average.take().map(|average| self.replicas.exchange().whole(average));
    }

    /// Takes in what other ranks know of the optimiser's state.
    pub fn complete_optimiser(&mut self) {
        self.optimiser.complete(self.replicas.exchange());
    }

    /// The ranks that share the training.
    pub fn ranks(&self) -> &dyn Ranks {
        &*self.ranks
    }

    /// Shares every step with other ranks: each computes some of the micro-batches; the gradients
    /// are added up in the order of the ranks; each rank steps some of the parameters and sends them
    /// to the others.
    ///
    /// What is drawn depends on no rank: a training is that of one process, but for the order in
    /// which gradients are added. It is the same bit for bit where each rank computes one
    /// micro-batch, or none.
    ///
    /// # Errors
    /// [`DescentError::Apart`] when the ranks do not stand at the same step with the same weights.
    pub fn among(self, ranks: Rc<dyn Ranks>) -> Result<Self, DescentError> {
        let exchange = Exchange::parts(&self.model, Rc::clone(&ranks));
        self.sharing(ranks, exchange)
    }

    /// [`among`](Self::among), but that the devices add up the gradients among themselves, and every
    /// rank steps all parameters. For ranks that are threads of one process, each with an NVIDIA
    /// card of its own, of the same model as the others: burn has such sums for no other device, and
    /// cards of several models would not step alike. The devices are given for every rank in their
    /// order; NCCL decides in which order it adds.
    ///
    /// # Errors
    /// As [`among`](Self::among).
    ///
    /// # Panics
    /// When there is not a device for each rank. In the first step, when the devices cannot do it.
    pub fn among_devices(self, ranks: Rc<dyn Ranks>, devices: Vec<Device>) -> Result<Self, DescentError> {
        assert_eq!(devices.len(), ranks.size(), "a device for each rank");
        let exchange = Exchange::devices(Rc::clone(&ranks), devices);
        self.sharing(ranks, exchange)
    }

    fn sharing(mut self, ranks: Rc<dyn Ranks>, exchange: Exchange) -> Result<Self, DescentError> {
        self.ranks = ranks;
        self.replicas.share(exchange);
        self.check_agreement()?;
        Ok(self)
    }

    /// Checks that all ranks stand where the first does.
    ///
    /// # Errors
    /// [`DescentError::Apart`] at all ranks, where one does not.
    pub fn check_agreement(&self) -> Result<(), DescentError> {
        if self.ranks.size() == 1 {
            return Ok(());
        }
        let own = format!("step {} with weights {:016x}", self.steps(), fingerprint(&self.model));
        let all = self.ranks.gather(own.clone().into_bytes());
        let apart = all.iter().position(|other| other != own.as_bytes());
        let found = |rank: usize| format!("rank {rank} is at {}", String::from_utf8_lossy(&all[rank]));
        // All of them fail, and none goes on to wait for another, or to write.
        let apart = self.ranks.broadcast(apart.map(found).unwrap_or_default().into_bytes());
        let first = self.ranks.broadcast(own.into_bytes());
        match apart.is_empty() {
            true => Ok(()),
            false => {
                let [found, expected] = [apart, first].map(|text| String::from_utf8_lossy(&text).into_owned());
                Err(DescentError::Apart { found, expected })
            }
        }
    }
}
