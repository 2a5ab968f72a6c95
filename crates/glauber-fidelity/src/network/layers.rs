//! Layers with their weights.

use burn::module::{Module, Param};
use burn::nn::conv::Conv2d;
use burn::nn::{Linear, PaddingConfig2d};
use burn::tensor::activation::{gelu, leaky_relu, relu, sigmoid, silu, tanh};
use burn::tensor::module::{avg_pool2d, max_pool2d};
use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData};

use super::config::{Function, LayerConfig, Shape};
use crate::FidelityError;

/// Gives the numbers of a tensor by its name within a layer, and its shape.
pub(crate) type Supply<'a> = dyn FnMut(&str, &[usize]) -> Result<Vec<f32>, FidelityError> + 'a;

/// A tensor of a layer by its name there, its shape, and its numbers.
pub(crate) type Stored = (&'static str, Vec<usize>, Vec<f32>);

/// The weights of a layer.
#[derive(Module, Debug)]
pub(crate) enum Weights {
    Convolution(Conv2d),
    Linear(Linear),
    BatchNorm(BatchNorm),
    None(NoWeights),
}

/// Of a layer without any.
#[derive(Module, Debug)]
pub(crate) struct NoWeights {}

/// Normalisation by statistics that are known.
#[derive(Module, Debug)]
pub(crate) struct BatchNorm {
    weight: Param<Tensor<1>>,
    bias: Param<Tensor<1>>,
    running_mean: Param<Tensor<1>>,
    running_var: Param<Tensor<1>>,
}

/// What runs through the layers.
#[derive(Debug, Clone)]
pub(crate) enum Signal {
    /// `[batch, channel, row, column]`.
    Map(Tensor<4>),
    /// `[batch, number]`.
    Vector(Tensor<2>),
}

impl Signal {
    /// `[batch, number]`, maps channel by channel.
    pub fn flat(self) -> Tensor<2> {
        match self {
            Self::Map(map) => {
                let [batch, channels, rows, columns] = map.dims();
                map.reshape([batch, channels * rows * columns])
            }
            Self::Vector(vector) => vector,
        }
    }

    fn each(self, function: Function) -> Self {
        match self {
            Self::Map(map) => Self::Map(activate(map, function)),
            Self::Vector(vector) => Self::Vector(activate(vector, function)),
        }
    }

    /// The map that a checked description promises.
    fn map(self) -> Tensor<4> {
        match self {
            Self::Map(map) => map,
            Self::Vector(_) => unreachable!("descriptions are checked when a network is made"),
        }
    }
}

fn activate<const D: usize>(x: Tensor<D>, function: Function) -> Tensor<D> {
    match function {
        Function::Relu => relu(x),
        Function::LeakyRelu => leaky_relu(x, 0.01),
        Function::Silu => silu(x),
        Function::Gelu => gelu(x),
        Function::Tanh => tanh(x),
        Function::Sigmoid => sigmoid(x),
    }
}

impl Weights {
    /// The weights of a layer that is given `input`, each tensor as `supply` has it.
    pub fn new(
        layer: &LayerConfig,
        input: Shape,
        supply: &mut Supply<'_>,
        device: &Device,
    ) -> Result<Self, FidelityError> {
        let vector = |supply: &mut Supply<'_>, name: &str, size: usize| {
            Ok::<_, FidelityError>(param(supply(name, &[size])?, [size], device))
        };
        let before = input.channels();
        Ok(match *layer {
            LayerConfig::Convolution { channels, kernel, stride, padding, bias } => {
                let shape = [channels, before, kernel, kernel];
                Self::Convolution(Conv2d {
                    weight: param(supply("weight", &shape)?, shape, device),
                    bias: bias.then(|| vector(supply, "bias", channels)).transpose()?,
                    stride: [stride; 2],
                    kernel_size: [kernel; 2],
                    dilation: [1; 2],
                    groups: 1,
                    padding: PaddingConfig2d::Explicit(padding, padding, padding, padding),
                })
            }
            LayerConfig::Linear { outputs, bias } => Self::Linear(Linear {
                weight: param(transposed(&supply("weight", &[outputs, before])?, before), [before, outputs], device),
                bias: bias.then(|| vector(supply, "bias", outputs)).transpose()?,
            }),
            LayerConfig::BatchNorm { .. } => Self::BatchNorm(BatchNorm {
                weight: vector(supply, "weight", before)?,
                bias: vector(supply, "bias", before)?,
                running_mean: vector(supply, "running_mean", before)?,
                running_var: vector(supply, "running_var", before)?,
            }),
            _ => Self::None(NoWeights {}),
        })
    }

    /// The tensors by their names within the layer.
    pub fn stored(&self) -> Vec<Stored> {
        let optional = |bias: &Option<Param<Tensor<1>>>| bias.as_ref().map(|bias| stored("bias", bias.val()));
        match self {
            Self::Convolution(layer) => {
                [stored("weight", layer.weight.val())].into_iter().chain(optional(&layer.bias)).collect()
            }
            Self::Linear(layer) => {
                let weight = stored("weight", layer.weight.val().transpose());
                [weight].into_iter().chain(optional(&layer.bias)).collect()
            }
            Self::BatchNorm(layer) => vec![
                stored("weight", layer.weight.val()),
                stored("bias", layer.bias.val()),
                stored("running_mean", layer.running_mean.val()),
                stored("running_var", layer.running_var.val()),
            ],
            Self::None(_) => Vec::new(),
        }
    }

    pub fn forward(&self, layer: &LayerConfig, x: Signal) -> Signal {
        match (self, *layer) {
            (Self::Convolution(convolution), _) => Signal::Map(convolution.forward(x.map())),
            (Self::Linear(linear), _) => Signal::Vector(linear.forward(x.flat())),
            (Self::BatchNorm(norm), LayerConfig::BatchNorm { epsilon }) => norm.forward(x, epsilon),
            (_, LayerConfig::Activation { function }) => x.each(function),
            (_, LayerConfig::MaxPool { size, stride, padding }) => {
                let stride = stride.unwrap_or(size);
                let options = MaxPoolOptions::new([size; 2]).with_stride([stride; 2]).with_padding([padding; 2]);
                Signal::Map(max_pool2d(x.map(), options))
            }
            (_, LayerConfig::AveragePool { size, stride }) => {
                let stride = stride.unwrap_or(size);
                let options = AvgPoolOptions::new([size; 2]).with_stride([stride; 2]);
                Signal::Map(avg_pool2d(x.map(), options))
            }
            (_, LayerConfig::GlobalAveragePool {}) => Signal::Map(x.map().mean_dim(3).mean_dim(2)),
            (_, LayerConfig::Flatten {}) => Signal::Vector(x.flat()),
            _ => x,
        }
    }
}

impl BatchNorm {
    /// `weight · (x − mean) / √(variance + ε) + bias`, a channel at a time.
    fn forward(&self, x: Signal, epsilon: f64) -> Signal {
        let scale = self.weight.val() / self.running_var.val().add_scalar(epsilon).sqrt();
        let shift = self.bias.val() - self.running_mean.val() * scale.clone();
        let [channels] = scale.dims();
        match x {
            Signal::Map(map) => {
                let shape = [1, channels, 1, 1];
                Signal::Map(map * scale.reshape(shape) + shift.reshape(shape))
            }
            Signal::Vector(vector) => {
                Signal::Vector(vector * scale.reshape([1, channels]) + shift.reshape([1, channels]))
            }
        }
    }
}

fn param<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Param<Tensor<D>> {
    Param::from_tensor(Tensor::from_data(TensorData::new(values, shape), device))
}

fn stored<const D: usize>(name: &'static str, tensor: Tensor<D>) -> Stored {
    (name, tensor.dims().to_vec(), tensor.into_data().iter().collect())
}

/// Rows of `columns` numbers as columns.
fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns).flat_map(|column| values.iter().skip(column).step_by(columns).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(layer: LayerConfig, tensors: &[(&str, &[f32])], x: Tensor<4>) -> Vec<f32> {
        let device = Device::flex();
        let [_, channels, rows, columns] = x.dims();
        let mut supply = |name: &str, shape: &[usize]| {
            let (_, values) = tensors.iter().find(|(known, _)| *known == name).expect("a tensor that the layer has");
            assert_eq!(values.len(), shape.iter().product::<usize>(), "{name}");
            Ok(values.to_vec())
        };
        let (shape, signal) = match layer {
            LayerConfig::Linear { .. } => (Shape::Vector(channels * rows * columns), Signal::Map(x)),
            _ => (Shape::Map([channels, rows, columns]), Signal::Map(x)),
        };
        let weights = Weights::new(&layer, shape, &mut supply, &device).unwrap();
        for (name, shape, values) in weights.stored() {
            let (_, given) = tensors.iter().find(|(known, _)| *known == name).expect("a tensor that was given");
            assert_eq!((shape.iter().product(), values.as_slice()), (given.len(), *given), "stored as given: {name}");
        }
        weights.forward(&layer, signal).flat().into_data().iter().collect()
    }

    fn ramp(shape: [usize; 4]) -> Tensor<4> {
        let values: Vec<f32> = (0..shape.iter().product()).map(|i: usize| i as f32).collect();
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    #[test]
    fn layers_by_hand() {
        // Two outputs of three inputs, weights row by row as PyTorch stores them.
        let linear = LayerConfig::Linear { outputs: 2, bias: true };
        let found =
            applied(linear, &[("weight", &[1., 10., 100., 0., 0., 2.]), ("bias", &[0.5, -1.])], ramp([1, 3, 1, 1]));
        assert_eq!(found, [210.5, 3.]);
        // A kernel that takes what lies to the right, zeros beyond the edge, every second row and column.
        let convolution = LayerConfig::Convolution { channels: 1, kernel: 3, stride: 2, padding: 1, bias: true };
        let right = [0., 0., 0., 0., 0., 1., 0., 0., 0.];
        let found = applied(convolution, &[("weight", &right), ("bias", &[100.])], ramp([1, 1, 3, 3]));
        assert_eq!(found, [101., 100., 107., 100.]);
        let pool = LayerConfig::MaxPool { size: 2, stride: None, padding: 0 };
        assert_eq!(applied(pool, &[], ramp([1, 1, 3, 5])), [6., 8.]);
        let pool = LayerConfig::AveragePool { size: 2, stride: Some(1) };
        assert_eq!(applied(pool, &[], ramp([1, 1, 2, 3])), [2., 3.]);
        assert_eq!(applied(LayerConfig::GlobalAveragePool {}, &[], ramp([1, 2, 2, 2])), [1.5, 5.5]);
        assert_eq!(applied(LayerConfig::Identity {}, &[], ramp([1, 1, 1, 3])), [0., 1., 2.]);
        let norm = LayerConfig::BatchNorm { epsilon: 0.0 };
        let tensors: [(&str, &[f32]); 4] =
            [("weight", &[2., 3.]), ("bias", &[1., 0.]), ("running_mean", &[0., 1.]), ("running_var", &[4., 0.25])];
        assert_eq!(applied(norm, &tensors, ramp([1, 2, 1, 2])), [1., 2., 6., 12.]);
        let relu = LayerConfig::Activation { function: Function::Relu };
        assert_eq!(applied(relu, &[], ramp([1, 1, 1, 3]) - 1.0), [0., 0., 1.]);
    }
}
