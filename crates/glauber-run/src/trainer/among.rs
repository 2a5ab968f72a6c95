//! Training that ranks share.

use std::rc::Rc;

use burn::tensor::Device;
use glauber_ranks::Ranks;

use super::Run;
use crate::error::Result;

impl Run {
    /// Shares every step with other ranks ([`Trainer::among`](glauber_descent::Trainer::among)). The first rank alone draws samples and writes, and must
    /// have begun or resumed the run; the others [join](Self::join).
    ///
    /// # Errors
    /// When the ranks do not stand at the same step with the same weights: they must see the same folder.
    pub fn among(mut self, ranks: Rc<dyn Ranks>) -> Result<Self> {
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
    pub fn among_devices(mut self, ranks: Rc<dyn Ranks>, devices: Vec<Device>) -> Result<Self> {
        self.trainer = self.trainer.among_devices(ranks, devices)?;
        Ok(self)
    }
}
