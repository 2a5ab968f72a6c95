//! The step as a vector that conditions every block.

use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor, TensorData};

use crate::attention::linear;

/// Frequencies of the sinusoidal features; twice as many features.
const FREQUENCIES: usize = 64;

/// Highest angular frequency, in radians over the whole horizon.
const HIGHEST: f64 = 1000.0;

/// Sinusoidal features of the time, then two layers.
#[derive(Module, Debug)]
pub(crate) struct TimeEmbedding {
    /// `[1, frequency]`.
    frequencies: Tensor<2>,
    first: Linear,
    second: Linear,
}

impl TimeEmbedding {
    pub fn new(width: usize, device: &Device) -> Self {
        let frequency = |i: usize| HIGHEST.powf(i as f64 / (FREQUENCIES - 1) as f64) as f32;
        let frequencies: Vec<f32> = (0..FREQUENCIES).map(frequency).collect();
        Self {
            frequencies: Tensor::from_data(TensorData::new(frequencies, [1, FREQUENCIES]), device),
            first: linear(2 * FREQUENCIES, width, true, device),
            second: linear(width, width, true, device),
        }
    }

    /// Time `[batch]` in `0..=1` to the condition `[batch, width]`, its activation already applied.
    pub fn forward(&self, time: Tensor<1>) -> Tensor<2> {
        let angles = time.unsqueeze_dim::<2>(1) * self.frequencies.clone();
        let features = Tensor::cat(vec![angles.clone().sin(), angles.cos()], 1);
        silu(self.second.forward(silu(self.first.forward(features))))
    }
}
