//! Training tasks.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use crate::DescentError;

/// The random stream of a draw: equal streams give equal numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    /// The seed.
    pub seed: u64,
    /// The number of the stream; in training, step × micro-batches + micro-batch.
    pub number: u64,
}

/// A training task: draws batches and computes the loss. The head of the crate has an example.
pub trait Task: Sync {
    /// The module to train.
    type Model: Module + Sync;
    /// A micro-batch.
    type Batch: Sync;
    /// Errors of drawing a batch and of a step.
    type Error: From<DescentError>;

    /// Draws a micro-batch. A task that trains on its own samples draws them from `model`, which is on the plain (not
    /// autodiff) device.
    ///
    /// # Errors
    /// If the batch cannot be drawn.
    fn batch(&self, model: &Self::Model, stream: Stream) -> Result<Self::Batch, Self::Error>;

    /// The mean loss of a batch, a scalar `[1]`. Model and device are autodiff ones if gradients are needed.
    fn loss(&self, model: &Self::Model, batch: &Self::Batch, device: &Device) -> Tensor<1>;

    /// Loss and gradients of a batch. Override it if the gradients are not those of a single loss.
    fn gradients(&self, model: &Self::Model, batch: &Self::Batch, device: &Device) -> (f64, GradientsParams) {
        let loss = self.loss(model, batch, device);
        let gradients = GradientsParams::from_grads(loss.backward(), model);
        (scalar(loss.inner()), gradients)
    }
}

/// The value of a one-element tensor.
pub fn scalar(tensor: Tensor<1>) -> f64 {
    let data = tensor.into_data();
    data.iter::<f64>().next().unwrap_or(f64::NAN)
}
