//! Gradients of a micro-batch.

use burn::module::Module;
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use glauber_model::{Network, SiteClassifier};
use glauber_schedule::Schedule;

use crate::{Examples, Objective, Precision};

/// Loss of a batch of examples, in nats a site asked for, and its gradient by every weight, named by the identifiers of the network's
/// parameters. What a training step does with each micro-batch, before clipping.
///
/// `device` is the plain device that holds the network; gradients are taken on its autodiff counterpart.
///
/// # Panics
/// When the examples' sequences are longer than the network's, or of another vocabulary.
pub fn loss_and_gradients(
    network: &Network,
    objective: Objective,
    schedule: &Schedule,
    examples: &Examples,
    precision: Precision,
    device: &Device,
) -> (f64, GradientsParams) {
    let device = device.clone().autodiff();
    let network = network.clone().train();
    let (context, conditions) = examples.inputs(&device);
    let logits = precision.of(network.clone()).logits(context, &conditions, examples.query());
    let loss = objective.loss(logits, &examples.labels(objective, schedule, &device));
    let gradients = GradientsParams::from_grads(loss.backward(), &network);
    (scalar(loss.inner()), gradients)
}

/// The value of a one-element tensor.
fn scalar(tensor: Tensor<1>) -> f64 {
    let data = tensor.into_data();
    data.iter::<f64>().next().unwrap_or(f64::NAN)
}
