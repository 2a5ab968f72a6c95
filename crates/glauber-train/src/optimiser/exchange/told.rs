//! Gradients on their way from the threads that compute them to the one that exchanges them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::mpsc::{Receiver, RecvError, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use glauber_fused::GradientObserver;
use glauber_model::Network;

use super::{append, own_sum};

/// The entries of a micro-batch's gradient by a parameter, if it has one.
pub(crate) struct Told {
    micro: usize,
    parameter: ParamId,
    gradient: Option<Vec<f32>>,
}

/// Tells of all gradients of a micro-batch, of each once: as its backward pass completes them, and of the others when it is over.
pub(crate) struct Teller {
    micro: usize,
    to: Sender<Told>,
    told: Mutex<HashSet<ParamId>>,
}

impl Teller {
    pub fn new(micro: usize, to: Sender<Told>) -> Arc<Self> {
        Arc::new(Self { micro, to, told: Mutex::default() })
    }

    /// Passes on what a backward pass tells it. Burn may keep it after a pass that was broken off; whoever listens must not wait for it then.
    pub fn observer(self: &Arc<Self>) -> GradientObserver {
        let teller = Arc::downgrade(self);
        GradientObserver::new(move |parameter, gradient| {
            if let Some(teller) = teller.upgrade() {
                teller.tell(parameter, || Some(gradient.to_vec()));
            }
        })
    }

    /// The others, of which there may be several to be added up, on the device where they are.
    pub fn finish(&self, network: &Network, gradients: Vec<GradientsParams>) {
        network.visit(&mut Others { teller: self, gradients });
    }

    fn tell(&self, parameter: ParamId, gradient: impl FnOnce() -> Option<Vec<f32>>) {
        if self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(parameter) {
            // Nobody listens any more where the exchange has failed.
            let _ = self.to.send(Told { micro: self.micro, parameter, gradient: gradient() });
        }
    }
}

struct Others<'a> {
    teller: &'a Teller,
    gradients: Vec<GradientsParams>,
}

impl ModuleVisitor for Others<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let gradient = own_sum(&mut self.gradients, param);
        let entries = |gradient: Tensor<D>| {
            let mut entries = Vec::new();
            append(&mut entries, gradient);
            entries
        };
        self.teller.tell(param.id, || gradient.map(entries));
    }
}

/// Sums over the micro-batches of this rank, in their order, as they are told of.
pub(crate) struct Sums {
    micro_batches: usize,
    told: Receiver<Told>,
    by: HashMap<ParamId, Sum>,
}

#[derive(Default)]
struct Sum {
    /// Micro-batches added up.
    added: usize,
    entries: Option<Vec<f32>>,
    /// Told of before an earlier one.
    early: BTreeMap<usize, Option<Vec<f32>>>,
}

impl Sums {
    pub fn new(micro_batches: usize, told: Receiver<Told>) -> Self {
        Self { micro_batches, told, by: HashMap::new() }
    }

    /// Waits for the gradients by a parameter: their sum, if there are any.
    ///
    /// # Errors
    /// When all who might tell of them have ended.
    pub fn wait_for(&mut self, parameter: ParamId) -> Result<Option<Vec<f32>>, RecvError> {
        while self.by.entry(parameter).or_default().added < self.micro_batches {
            let Told { micro, parameter, gradient } = self.told.recv()?;
            self.by.entry(parameter).or_default().take_in(micro, gradient);
        }
        Ok(self.by.remove(&parameter).and_then(|sum| sum.entries))
    }
}

impl Sum {
    fn take_in(&mut self, micro: usize, gradient: Option<Vec<f32>>) {
        self.early.insert(micro, gradient);
        while let Some(gradient) = self.early.remove(&self.added) {
            self.added += 1;
            match (&mut self.entries, gradient) {
                (Some(sum), Some(gradient)) => sum.iter_mut().zip(gradient).for_each(|(sum, entry)| *sum += entry),
                (entries @ None, gradient) => *entries = gradient,
                (Some(_), None) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn a_pass_that_is_broken_off_leaves_nobody_waiting() {
        let (to, told) = mpsc::channel();
        let mut sums = Sums::new(1, told);
        let teller = Teller::new(0, to);
        // As burn keeps it.
        let _observer = teller.observer();
        let [done, missing] = [ParamId::new(), ParamId::new()];
        teller.tell(done, || Some(vec![1.0, 2.0]));
        drop(teller);
        assert_eq!(sums.wait_for(done), Ok(Some(vec![1.0, 2.0])));
        assert_eq!(sums.wait_for(missing), Err(RecvError));
    }
}
