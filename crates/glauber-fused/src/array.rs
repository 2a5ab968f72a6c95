//! Contiguous f32 arrays behind tensors of the CPU device.

use std::ops::Deref;

use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::{DType, Shape, Tensor, TensorData};

/// burn's storage of a float tensor on the CPU device.
pub(crate) type FlexTensor = FloatTensor<Flex>;

/// A contiguous tensor on the CPU device; clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Array(FlexTensor);

impl Array {
    /// `None` if the tensor is not f32.
    pub fn new(tensor: FlexTensor) -> Option<Self> {
        if tensor.dtype() != DType::F32 {
            return None;
        }
        Some(Self(if tensor.is_contiguous() { tensor } else { tensor.to_contiguous() }))
    }

    /// The values of a tensor without gradient, on any device.
    pub fn constant<const D: usize>(tensor: Tensor<D>) -> Option<Self> {
        let tensor = match tensor.clone().try_into_primitive::<Flex>() {
            Ok(plain) => plain,
            Err(_) => tensor.inner().try_into_primitive::<Flex>().ok()?,
        };
        Self::new(tensor)
    }

    pub fn shape(&self) -> Shape {
        self.0.layout().shape().clone()
    }

    /// An array of a shape that has as many numbers.
    pub fn from_values(values: Vec<f32>, shape: Shape) -> Self {
        Self(FlexTensor::from_data(TensorData::new(values, shape)))
    }

    pub fn into_tensor(self) -> FlexTensor {
        self.0
    }
}

impl Deref for Array {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.0.as_slice().expect("contiguous f32, as checked when it was made")
    }
}
