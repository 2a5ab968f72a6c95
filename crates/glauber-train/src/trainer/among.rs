//! Training that ranks share.

use std::rc::Rc;

use burn::tensor::Device;
use glauber_ranks::Ranks;

use super::Run;
use crate::TrainError;
use crate::objective::evaluation::{Evaluation, loss_sums};

impl Run {
    /// Shares every step with other ranks ([`Trainer::among`](glauber_descent::Trainer::among)). The first rank alone draws samples and writes, and must
    /// have begun or resumed the run; the others [join](Self::join).
    ///
    /// # Errors
    /// When the ranks do not stand at the same step with the same weights: they must see the same folder.
    pub fn among(mut self, ranks: Rc<dyn Ranks>) -> Result<Self, TrainError> {
        self.trainer = self.trainer.among(ranks)?;
        Ok(self)
    }

    /// [`among`](Self::among), but that the devices add up the gradients among themselves
    /// ([`Trainer::among_devices`](glauber_descent::Trainer::among_devices)).
    ///
    /// # Errors
    /// As [`among`](Self::among).
    ///
    /// # Panics
    /// When there is not a device for each rank. In the first step, when the devices cannot do it.
    pub fn among_devices(mut self, ranks: Rc<dyn Ranks>, devices: Vec<Device>) -> Result<Self, TrainError> {
        self.trainer = self.trainer.among_devices(ranks, devices)?;
        Ok(self)
    }

    /// The average's held-out losses. Each rank evaluates some of the batches.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] where they are no numbers, at all ranks.
    pub(super) fn evaluate(&self, learning_rate: f64) -> Result<Evaluation, TrainError> {
        let (objective, schedule) = (self.config.train.objective, &self.schedule);
        let sums = self.trainer.evaluate(&self.validation, |network, batch, device| {
            loss_sums(network, objective, schedule, batch, device)
        });
        let held_out = Evaluation::mean(&sums);
        if !held_out.loss.is_finite() || !held_out.step_cross_entropy.is_finite() {
            let (step, loss) = (self.state.step, held_out.loss);
            return Err(TrainError::Diverged { step, loss, norm: f64::NAN, learning_rate });
        }
        Ok(held_out)
    }
}
