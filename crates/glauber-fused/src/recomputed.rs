//! Activation checkpointing: intermediate results are recomputed in the backward pass.

use std::fmt;

use burn::backend::autodiff::NodeId;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;

use crate::array::{Array, FlexTensor};

/// `None` without gradients, or not on the CPU device in f32.
pub fn recomputed<M, F, const N: usize>(module: &M, inputs: &[Tensor<3>; N], part: &F) -> Option<Tensor<3>>
where
    M: Module + 'static,
    F: Fn(&M, [Tensor<3>; N]) -> Tensor<3> + Clone + Send + 'static,
{
    let recorded: Vec<FloatTensor<Autodiff<Flex>>> =
        inputs.iter().map(|input| input.clone().try_into_primitive::<Autodiff<Flex>>().ok()).collect::<Option<_>>()?;
    let arrays: Option<Vec<Array>> = recorded.iter().map(|input| Array::new(input.primitive().clone())).collect();
    // Where no input leads to a gradient, nothing would ask this operation for those of the weights.
    if !recorded.iter().any(|input| input.is_tracked()) {
        return None;
    }
    let arrays: [Array; N] = arrays?.try_into().ok()?;
    let mut weights = Weights(Vec::new());
    module.visit(&mut weights);
    let module = module.valid();
    let plain = arrays.each_ref().map(|input| Tensor::from_primitive::<Flex>(input.clone().into_tensor()));
    let output = part(&module, plain).try_into_primitive::<Flex>().ok()?;
    let nodes: Vec<_> = recorded.iter().map(|input| input.node()).collect();
    let operation = Recomputed { module, part: part.clone(), inputs: arrays, weights: weights.0 };
    let prepared = operation.prepare::<NoCheckpointing>(nodes.try_into().ok()?).compute_bound();
    Some(Tensor::from_primitive::<Autodiff<Flex>>(prepared.stateless(output)))
}

/// A part of a network as one node of burn's graph.
///
/// The weights are not parents of the node: they are leaves, whose gradients burn finds by id.
struct Recomputed<M, F, const N: usize> {
    module: M,
    part: F,
    inputs: [Array; N],
    /// The nodes of the module's weights in the order of a visit; `None` for one that takes no gradient.
    weights: Vec<Option<NodeId>>,
}

impl<M, F, const N: usize> fmt::Debug for Recomputed<M, F, N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recomputed").field("inputs", &self.inputs).finish_non_exhaustive()
    }
}

impl<M, F, const N: usize> Backward<Flex, N> for Recomputed<M, F, N>
where
    M: Module + 'static,
    F: Fn(&M, [Tensor<3>; N]) -> Tensor<3> + Clone + Send + 'static,
{
    type State = ();

    fn backward(self, ops: Ops<(), N>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = Tensor::<3>::from_primitive::<Flex>(grads.consume::<Flex>(&ops.node));
        let module = self.module.train();
        let inputs = self.inputs.map(|input| Tensor::from_primitive::<Flex>(input.into_tensor()).autodiff());
        let inputs = inputs.map(Tensor::require_grad);
        let output = (self.part)(&module, inputs.clone());
        // The gradient by this sum is the gradient asked for, times one.
        let local = (output * gradient.autodiff()).sum().backward();
        for (parent, input) in ops.parents.into_iter().zip(&inputs) {
            if let (Some(parent), Some(by)) = (parent, input.grad(&local).and_then(plain)) {
                grads.register::<Flex>(parent.id, by);
            }
        }
        module.visit(&mut HandOver { local: &local, grads, weights: self.weights.into_iter() });
    }
}

fn plain<const D: usize>(tensor: Tensor<D>) -> Option<FlexTensor> {
    tensor.try_into_primitive::<Flex>().ok()
}

/// Gathers the nodes of all weights.
struct Weights(Vec<Option<NodeId>>);

impl ModuleVisitor for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let recorded = param.val().try_into_primitive::<Autodiff<Flex>>().ok();
        self.0.push(recorded.filter(|weight| weight.is_tracked()).map(|weight| weight.id()));
    }
}

/// Registers the gradients of the weights' copies as those of the weights.
struct HandOver<'a, I> {
    local: &'a burn::tensor::Gradients,
    grads: &'a mut Gradients,
    weights: I,
}

impl<I: Iterator<Item = Option<NodeId>>> ModuleVisitor for HandOver<'_, I> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let by = param.val().grad(self.local).and_then(plain);
        if let (Some(Some(weight)), Some(by)) = (self.weights.next(), by) {
            self.grads.register::<Flex>(weight, by);
        }
    }
}
