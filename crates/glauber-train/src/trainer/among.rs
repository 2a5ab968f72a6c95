//! Training that ranks share.

use std::rc::Rc;

use burn::tensor::Device;
use glauber_ranks::Ranks;

use super::Trainer;
use crate::TrainError;
use crate::optimiser::exchange::Exchange;
use crate::optimiser::fingerprint;

impl Trainer {
    /// Shares every step with other ranks: each computes some of the micro-batches, all add up the gradients in the order of the ranks, and
    /// all take the same step. The first rank alone evaluates and writes, and must have begun or resumed the run; the others [join](Self::join).
    ///
    /// What is drawn depends on no rank: a run is that of one process, but for the order in which gradients are added. It is the same bit for bit
    /// where each rank computes one micro-batch, or none.
    ///
    /// # Errors
    /// When the ranks do not stand at the same step with the same weights: they must see the same folder.
    pub fn among(mut self, ranks: Rc<dyn Ranks>) -> Result<Self, TrainError> {
        self.replicas.share(Exchange::parts(&self.network, Rc::clone(&ranks)));
        self.ranks = ranks;
        self.check_agreement()?;
        Ok(self)
    }

    /// Gradients are added up among the devices themselves, given for every rank in their order, in place of the memory of the host. For ranks that are
    /// threads of one process, each with an NVIDIA card of its own: burn has such sums for no other device. NCCL decides in which order it adds.
    ///
    /// # Panics
    /// When there is not a device for each rank. In the first step, when the devices cannot do it.
    pub fn adding_up_among(mut self, devices: Vec<Device>) -> Self {
        assert_eq!(devices.len(), self.ranks.size(), "a device for each rank");
        self.replicas.share(Exchange::Devices(Rc::clone(&self.ranks), devices));
        self
    }

    /// Takes in what other ranks know of the average and of the optimiser's state.
    pub(super) fn complete(&mut self) {
        let exchange = self.replicas.exchange();
        self.average = exchange.whole(self.average.clone());
        self.optimiser.complete(exchange);
    }

    /// All ranks must stand where the first does.
    pub(super) fn check_agreement(&self) -> Result<(), TrainError> {
        if self.ranks.size() == 1 {
            return Ok(());
        }
        let own = format!("step {} with weights {:016x}", self.state.step, fingerprint(&self.network));
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
                Err(TrainError::Apart { found, expected })
            }
        }
    }
}
