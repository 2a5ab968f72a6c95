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

/// A training task: draws batches and computes the loss.
///
/// ```
/// use burn::nn::{Linear, LinearConfig};
/// use burn::tensor::{Device, Distribution, Tensor};
/// use glauber_descent::{LearningRateSchedule, DescentError, ParamGroups, Settings, Stream, Task, Trainer, UpdateRule};
///
/// /// Learns to double a number.
/// struct Doubling;
///
/// impl Task for Doubling {
///     type Model = Linear;
///     type Batch = Vec<f32>;
///     type Error = DescentError;
///
///     fn batch(&self, _: &Linear, stream: Stream) -> Result<Vec<f32>, DescentError> {
///         Ok((0..8).map(|at| ((stream.number * 8 + at) % 13) as f32 - 6.0).collect())
///     }
///
///     fn loss(&self, model: &Linear, batch: &Vec<f32>, device: &Device) -> Tensor<1> {
///         let x = Tensor::<1>::from_floats(batch.as_slice(), device).reshape([8, 1]);
///         (model.forward(x.clone()) - x * 2.0).square().mean()
///     }
/// }
///
/// let device = Device::flex();
/// let model = LinearConfig::new(1, 1).init(&device);
/// let groups = ParamGroups::all(&model, UpdateRule::AdamW);
/// let course = LearningRateSchedule { peak: 0.05, warmup_steps: 0, steps: 300, minimum: 0.1 };
/// let mut trainer = Trainer::new(model, groups, Settings::new(course, 0), &device, 1);
/// let mut loss = f64::INFINITY;
/// for _ in 0..300 {
///     loss = trainer.step(&Doubling)?.loss;
/// }
/// assert!(loss < 1e-3, "{loss}");
/// # Ok::<(), DescentError>(())
/// ```
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
