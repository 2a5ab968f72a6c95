//! What is trained.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use crate::DescentError;

/// Where a draw takes its random numbers from: equal streams, equal numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    /// The seed of the purpose.
    pub seed: u64,
    /// The number of the stream: of training, step × micro-batches + micro-batch.
    pub number: u64,
}

/// What a module learns: where its batches come from, and its loss on one. The head of the crate has an example.
pub trait Task: Sync {
    /// What learns.
    type Model: Module + Sync;
    /// What a micro-batch is.
    type Batch: Sync;
    /// What drawing a batch can meet, and a step.
    type Error: From<DescentError>;

    /// Draws a micro-batch. A task that learns from its own samples draws them from `model`, which
    /// is on the plain device.
    ///
    /// # Errors
    /// When it cannot be drawn.
    fn batch(&self, model: &Self::Model, stream: Stream) -> Result<Self::Batch, Self::Error>;

    /// The mean loss of a batch, a scalar `[1]`. Model and device are autodiff ones where gradients
    /// are wanted.
    fn loss(&self, model: &Self::Model, batch: &Self::Batch, device: &Device) -> Tensor<1>;

    /// Loss and gradients of a batch; for tasks whose gradients are not those of one loss.
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
