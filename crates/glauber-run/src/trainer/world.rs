//! Training that ranks share.

use std::rc::Rc;

use burn::tensor::Device;
use glauber_ranks::World;

use super::Run;
use crate::error::Result;

impl Run {
    /// Shares every step with other ranks ([`Trainer::with_world`](glauber_descent::Trainer::with_world)). Only the
    /// first rank draws samples and writes; it must have started or resumed the run. The others [join](Self::join).
    ///
    /// # Errors
    /// If the ranks have different steps or weights: they must share the run folder.
    pub fn with_world(mut self, world: Rc<dyn World>) -> Result<Self> {
        self.trainer = self.trainer.with_world(world)?;
        Ok(self)
    }

    /// [`with_world`](Self::with_world) with an all-reduce between the devices
    /// ([`Trainer::with_world_on_devices`](glauber_descent::Trainer::with_world_on_devices)).
    ///
    /// # Errors
    /// As [`with_world`](Self::with_world).
    ///
    /// # Panics
    /// If `devices` does not have one per rank. In the first step, if the devices cannot all-reduce.
    pub fn with_world_on_devices(mut self, world: Rc<dyn World>, devices: Vec<Device>) -> Result<Self> {
        self.trainer = self.trainer.with_world_on_devices(world, devices)?;
        Ok(self)
    }
}
