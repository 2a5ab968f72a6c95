//! Training that ranks share.

use std::rc::Rc;

use burn::tensor::Device;
use glauber_descent::{Exchange, fingerprint};
use glauber_ranks::Ranks;

use super::Trainer;
use crate::TrainError;
use crate::objective::evaluation::{Evaluation, LossSums, loss_sums};

impl Trainer {
    /// Shares every step with other ranks: each computes some of the micro-batches; the gradients are added up in the order of the ranks; each rank steps
    /// some of the parameters and sends them to the others. The first rank alone draws samples and writes, and must have begun or resumed the run; the others
    /// [join](Self::join).
    ///
    /// What is drawn depends on no rank: a run is that of one process, but for the order in which gradients are added. It is the same bit for bit
    /// where each rank computes one micro-batch, or none.
    ///
    /// # Errors
    /// When the ranks do not stand at the same step with the same weights: they must see the same folder.
    pub fn among(self, ranks: Rc<dyn Ranks>) -> Result<Self, TrainError> {
        let exchange = Exchange::parts(&self.network, Rc::clone(&ranks));
        self.sharing(ranks, exchange)
    }

    /// [`among`](Self::among), but that the devices add up the gradients among themselves, and every rank steps all parameters. For ranks that are threads of
    /// one process, each with an NVIDIA card of its own, of the same model as the others: burn has such sums for no other device, and cards of several
    /// models would not step alike. The devices are given for every rank in their order; NCCL decides in which order it adds.
    ///
    /// # Errors
    /// As [`among`](Self::among).
    ///
    /// # Panics
    /// When there is not a device for each rank. In the first step, when the devices cannot do it.
    pub fn among_devices(self, ranks: Rc<dyn Ranks>, devices: Vec<Device>) -> Result<Self, TrainError> {
        assert_eq!(devices.len(), ranks.size(), "a device for each rank");
        let exchange = Exchange::devices(Rc::clone(&ranks), devices);
        self.sharing(ranks, exchange)
    }

    fn sharing(mut self, ranks: Rc<dyn Ranks>, exchange: Exchange) -> Result<Self, TrainError> {
        self.ranks = ranks;
        self.replicas.share(exchange);
        self.check_agreement()?;
        Ok(self)
    }

    /// The average's held-out losses. Each rank evaluates some of the batches.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] where they are no numbers, at all ranks.
    pub(super) fn evaluate(&self, learning_rate: f64) -> Result<Evaluation, TrainError> {
        let mut sums: Vec<LossSums> = vec![[0.0; 4]; self.validation.len()];
        let objective = self.config.train.objective;
        for at in self.ranks.share(self.validation.len()) {
            sums[at] = loss_sums(&self.average, objective, &self.schedule, &self.validation[at], &self.device);
        }
        self.replicas.exchange().add_up(sums.as_flattened_mut());
        let held_out = Evaluation::mean(&sums);
        if !held_out.loss.is_finite() || !held_out.step_cross_entropy.is_finite() {
            let (step, loss) = (self.state.step, held_out.loss);
            return Err(TrainError::Diverged { step, loss, norm: f64::NAN, learning_rate });
        }
        Ok(held_out)
    }

    /// Takes in what other ranks know of the average.
    pub(super) fn complete_average(&mut self) {
        self.average = self.replicas.exchange().whole(self.average.clone());
    }

    /// Takes in what other ranks know of the optimiser's state.
    pub(super) fn complete_optimiser(&mut self) {
        self.optimiser.complete(self.replicas.exchange());
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
