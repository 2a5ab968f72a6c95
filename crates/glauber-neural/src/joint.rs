//! An energy and its sampler, trained together (Zhang et al., "Generative Flow Networks for Discrete Probabilistic Modeling",
//! 2022).

use glauber_descent::{Step, Trainer};
use glauber_gflownet::{Acceptance, BackAndForth, Exploration, Filling, FillingOrder, PathObjective, filled};

use crate::energy::{DrawData, EnergyNetwork, EnergyTarget, EnergyTask};
use crate::{NeuralError, PathTask, PolicyNetwork};

/// How an energy and its sampler are trained together. All numbers of paths and sequences are those of a micro-batch.
#[derive(Debug, Clone, Copy)]
pub struct JointSettings {
    /// Which sites the sampler may fill next.
    pub order: FillingOrder,
    /// What its paths minimise.
    pub objective: &'static dyn PathObjective,
    /// Paths of its own a step.
    pub own: usize,
    /// How its own paths are explored. Without exploration the energy can keep mass where no path leads: neither network then
    /// sees it again.
    pub exploration: Exploration,
    /// Paths a step that lead back from data; `ρ` is their share.
    pub back: usize,
    /// Sequences of data, and as many negatives, in a step of the energy.
    pub rows: usize,
    /// When a negative is accepted.
    pub acceptance: Acceptance,
    /// Steps until negatives are built anew from nothing; before, the number of undone actions grows with the steps.
    pub warmup: usize,
}

impl JointSettings {
    /// The actions that a negative is taken apart by, `K`, at a step counted from 0: from 1 to the number of sites.
    pub fn actions(&self, step: usize, len: usize) -> usize {
        (len * (step + 1) / self.warmup.max(1)).clamp(1, len)
    }
}

/// What a step found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct JointStep {
    /// Of the sampler.
    pub sampler: Step,
    /// Of the energy.
    pub energy: Step,
}

/// An energy and its sampler in training. A step of each takes turns: the sampler learns the energy as it is, and the energy
/// learns the data by negatives that the sampler makes.
///
/// With a [`Perceptron`](crate::Perceptron) that fills in [any order](FillingOrder::Any) and has a backward policy of its own,
/// both policies choose a site together with its token. So the order is learned: what is best decided first can be. A network
/// that spreads over orders must know the law of every site given any others; the authors report that it fails on the
/// checkerboard. From [left to right](FillingOrder::LeftToRight) each sequence has one path: its probability is exact.
///
/// The trainers' seeds must differ, or both draw the same numbers. The result depends on seeds and micro-batches alone.
pub struct JointTraining<'a, N> {
    /// The trainer of the energy.
    pub energy: Trainer<EnergyNetwork>,
    /// The trainer of the sampler.
    pub sampler: Trainer<N>,
    /// The settings.
    pub settings: JointSettings,
    /// Draws the data.
    pub data: &'a DrawData<'a>,
}

impl<N: PolicyNetwork<Filling<EnergyTarget>>> JointTraining<'_, N> {
    /// One step of the sampler, then one of the energy.
    ///
    /// # Errors
    /// When a loss is no number; the weights of that step are then unchanged. When the objective does not allow paths that lead
    /// back from data.
    pub fn step(&mut self) -> Result<JointStep, NeuralError> {
        let (settings, data) = (&self.settings, self.data);
        let device = self.energy.device().clone();
        let environment =
            Filling { target: EnergyTarget::new(self.energy.model().clone(), &device), order: settings.order };
        let paths = PathTask::new(&environment, settings.objective, settings.own, &device)
            .with_exploration(settings.exploration)
            .with_ends(settings.back, |rng| filled(&data(rng)));
        let sampler = self.sampler.step(&paths)?;
        let len = glauber_energy::Target::len(&environment.target);
        let actions = settings.actions(self.energy.steps(), len);
        let contrast = EnergyTask {
            order: settings.order,
            sampler: self.sampler.model(),
            kernel: BackAndForth { actions, acceptance: settings.acceptance },
            rows: settings.rows,
            data,
            device: &device,
        };
        Ok(JointStep { sampler, energy: self.energy.step(&contrast)? })
    }
}
