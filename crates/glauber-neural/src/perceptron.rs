//! A perceptron on the features of states.

use burn::module::{Module, Param, ParamId};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::activation::leaky_relu;
use burn::tensor::{Device, Tensor, TensorData};
use glauber_chain::ChainRng;
use glauber_gflownet::Environment;

use crate::policy::{Logits, PolicyNetwork};

/// Slope of the activation below 0.
const SLOPE: f64 = 0.01;

/// Sizes of a [`Perceptron`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PerceptronConfig {
    /// Width of the hidden layers.
    pub width: usize,
    /// Number of hidden layers.
    pub layers: usize,
    /// Whether the backward policy is learned; else it is uniform.
    pub backward: bool,
    /// Learning rate of `log Z_θ` over that of the other weights.
    pub log_partition_rate: f64,
}

impl Default for PerceptronConfig {
    /// Two hidden layers of 256, a uniform backward policy, and a rate of `log Z_θ` a hundred times as high.
    fn default() -> Self {
        Self { width: 256, layers: 2, backward: false, log_partition_rate: 100.0 }
    }
}

/// A multilayer perceptron with leaky rectifiers on the [features](Environment::write_features) of a state: the policy of
/// GFlowNet code on hypergrids and graphs.
#[derive(Module, Debug)]
pub struct Perceptron {
    layers: Vec<Linear>,
    forward: Linear,
    backward: Option<Linear>,
    flow: Linear,
    /// `log Z_θ` over its scale. Adam moves every weight by its rate, so that the scale is a rate of its own.
    log_partition: Param<Tensor<1>>,
    scale: f64,
}

impl Perceptron {
    /// For the features and actions of an environment, with weights drawn from a seed as PyTorch draws them: uniform, of
    /// variance `1 / (3 · inputs)`.
    pub fn new<E: Environment>(environment: &E, config: &PerceptronConfig, seed: u64, device: &Device) -> Self {
        let mut rng = ChainRng::new(seed, 0);
        let mut linear = |input: usize, output: usize| linear(&mut rng, input, output, device);
        let inputs = (0..config.layers).map(|layer| if layer == 0 { environment.features() } else { config.width });
        let last = if config.layers == 0 { environment.features() } else { config.width };
        Self {
            layers: inputs.map(|input| linear(input, config.width)).collect(),
            forward: linear(last, environment.actions()),
            backward: config.backward.then(|| linear(last, environment.actions())),
            flow: linear(last, 1),
            log_partition: Param::from_data(TensorData::new(vec![0f32], [1]), device),
            scale: config.log_partition_rate,
        }
    }
}

impl Perceptron {
    /// The matrices of the hidden layers: what [Muon](glauber_descent::UpdateRule::Muon) is for.
    pub fn hidden(&self) -> impl Iterator<Item = ParamId> + '_ {
        self.layers.iter().map(|layer| layer.weight.id)
    }
}

/// A layer drawn as PyTorch draws it.
pub(crate) fn linear(rng: &mut ChainRng, input: usize, output: usize, device: &Device) -> Linear {
    let bound = (1.0 / input as f64).sqrt();
    let mut draw = |count: usize| (0..count).map(|_| ((2.0 * rng.uniform() - 1.0) * bound) as f32).collect();
    let (weight, bias): (Vec<f32>, Vec<f32>) = (draw(input * output), draw(output));
    let mut layer = LinearConfig::new(input, output).init(device);
    layer.weight = Param::from_data(TensorData::new(weight, [input, output]), device);
    layer.bias = Some(Param::from_data(TensorData::new(bias, [output]), device));
    layer
}

impl<E: Environment> PolicyNetwork<E> for Perceptron {
    fn logits(&self, environment: &E, states: &[E::State], device: &Device) -> Logits {
        let width = environment.features();
        let mut features = vec![0f32; states.len() * width];
        for (state, features) in states.iter().zip(features.chunks_exact_mut(width)) {
            environment.write_features(state, features);
        }
        let x = Tensor::<2>::from_data(TensorData::new(features, [states.len(), width]), device);
        let x = self.layers.iter().fold(x, |x, layer| leaky_relu(layer.forward(x), SLOPE));
        Logits {
            forward: self.forward.forward(x.clone()),
            backward: self.backward.as_ref().map(|layer| layer.forward(x.clone())),
            flow: Some(self.flow.forward(x).reshape([states.len()])),
        }
    }

    fn has_backward(&self) -> bool {
        self.backward.is_some()
    }

    fn log_partition(&self) -> Tensor<1> {
        self.log_partition.val().mul_scalar(self.scale)
    }
}
