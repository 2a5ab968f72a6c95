//! Operations with their own backward pass, recorded with burn's autodiff.

use std::fmt::Debug;

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, NodeGuard, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, Flex};
use burn::tensor::{Shape, Tensor};

use crate::array::Array;

/// The output of an operation.
pub(crate) struct Output {
    pub values: Vec<f32>,
    /// State for the backward pass besides the inputs.
    pub kept: Vec<f32>,
}

/// An operation on `N` contiguous arrays.
pub(crate) trait Operation<const N: usize>: Debug + Clone + Send + 'static {
    /// The result, and if `keep` is set, the state for the backward pass.
    fn forward(&self, inputs: [&[f32]; N], keep: bool) -> Output;

    /// The gradient by each input.
    fn backward(&self, inputs: [&[f32]; N], kept: &[f32], gradient: &[f32]) -> [Vec<f32>; N];
}

/// An input on the CPU device.
pub(crate) struct Input {
    array: Array,
    /// The tensor itself, if burn records its operations.
    recorded: Option<FloatTensor<Autodiff<Flex>>>,
}

impl Input {
    /// `None` if the tensor is on another device or not f32.
    pub fn new<const D: usize>(tensor: &Tensor<D>) -> Option<Self> {
        if let Ok(plain) = tensor.clone().try_into_primitive::<Flex>() {
            return Some(Self { array: Array::new(plain)?, recorded: None });
        }
        let recorded = tensor.clone().try_into_primitive::<Autodiff<Flex>>().ok()?;
        Some(Self { array: Array::new(recorded.primitive().clone())?, recorded: Some(recorded) })
    }

    /// An empty input, for an absent one.
    pub fn none() -> Self {
        Self { array: Array::from_values(Vec::new(), Shape::from([0])), recorded: None }
    }

    fn node(self) -> NodeGuard {
        self.recorded.unwrap_or_else(|| Autodiff::<Flex>::from_inner(self.array.into_tensor())).node()
    }
}

/// Runs an operation, recorded when any input is.
pub(crate) fn apply<O: Operation<N>, const N: usize, const D: usize>(
    operation: O,
    inputs: [Input; N],
    shape: [usize; D],
) -> Tensor<D> {
    let arrays = inputs.each_ref().map(|input| input.array.clone());
    let recorded = inputs.iter().any(|input| input.recorded.is_some());
    let Output { values, kept } = operation.forward(arrays.each_ref().map(|array| &**array), recorded);
    let output = Array::from_values(values, Shape::from(shape)).into_tensor();
    if !recorded {
        return Tensor::from_primitive::<Flex>(output);
    }
    let nodes = inputs.map(Input::node);
    let output = match Recorded(operation).prepare::<NoCheckpointing>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let len = kept.len();
            prepared.finish((arrays, Array::from_values(kept, Shape::from([len]))), output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(output),
    };
    Tensor::from_primitive::<Autodiff<Flex>>(output)
}

/// An operation as a node of burn's graph.
#[derive(Debug)]
struct Recorded<O>(O);

impl<O: Operation<N>, const N: usize> Backward<Flex, N> for Recorded<O> {
    type State = ([Array; N], Array);

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let (inputs, kept) = ops.state;
        let gradient = Array::new(grads.consume::<Flex>(&ops.node)).expect("gradients are of the type of the values");
        let gradients = self.0.backward(inputs.each_ref().map(|input| &**input), &kept, &gradient);
        for ((parent, input), values) in ops.parents.into_iter().zip(&inputs).zip(gradients) {
            if let Some(parent) = parent {
                grads.register::<Flex>(parent.id, Array::from_values(values, input.shape()).into_tensor());
            }
        }
    }
}
