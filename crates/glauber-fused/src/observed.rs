//! Gradients of weights that are told of while the backward pass is still under way.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::NoCheckpointing;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Flex};
use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

use crate::GradientObserver;
use crate::array::Array;

type Recorded = FloatTensor<Autodiff<Flex>>;

/// None where nothing is recorded, or not on the CPU device.
pub fn observed<M: Module, const N: usize>(
    module: &M,
    parameters: &[ParamId],
    states: &[Tensor<3>; N],
    observer: &GradientObserver,
) -> Option<[Tensor<3>; N]> {
    let recorded: Vec<Recorded> =
        states.iter().map(|state| state.clone().try_into_primitive::<Autodiff<Flex>>().ok()).collect::<Option<_>>()?;
    if !recorded.iter().all(Recorded::is_tracked) {
        return None;
    }
    let mut weights = Weights { parameters, recorded: Vec::new() };
    module.visit(&mut weights);
    let (weights, observer) = (weights.recorded, observer.clone());
    let passage = Arc::new(Passage { ahead: AtomicUsize::new(N), weights, observer });
    let pass = |state: Recorded| {
        let operation = Passing(Arc::clone(&passage)).prepare::<NoCheckpointing>([state.node()]).compute_bound();
        Tensor::from_primitive::<Autodiff<Flex>>(operation.stateless(state.into_primitive()))
    };
    recorded.into_iter().map(pass).collect::<Vec<_>>().try_into().ok()
}

/// Gathers the tensors of some parameters, where burn records what becomes of them.
struct Weights<'a> {
    parameters: &'a [ParamId],
    recorded: Vec<(ParamId, Recorded)>,
}

impl ModuleVisitor for Weights<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if self.parameters.contains(&param.id)
            && let Ok(recorded) = param.val().try_into_primitive::<Autodiff<Flex>>()
        {
            self.recorded.push((param.id, recorded));
        }
    }
}

/// A place of a network that a backward pass comes back to in several states.
///
/// The weights are held until then, and burn keeps what is recorded of them: only for forward passes that a backward pass follows.
struct Passage {
    /// States that it has not come back to yet.
    ahead: AtomicUsize,
    weights: Vec<(ParamId, Recorded)>,
    observer: GradientObserver,
}

/// One state's way through, as a node of burn's graph that changes nothing.
struct Passing(Arc<Passage>);

impl fmt::Debug for Passing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passing").finish_non_exhaustive()
    }
}

impl Backward<Flex, 1> for Passing {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, grads: &mut Gradients, _checkpointer: &mut Checkpointer) {
        let gradient = grads.consume::<Flex>(&ops.node);
        if let [Some(parent)] = ops.parents {
            grads.register::<Flex>(parent.id, gradient);
        }
        let Passage { ahead, weights, observer } = &*self.0;
        if ahead.fetch_sub(1, Ordering::Relaxed) > 1 {
            return;
        }
        for (parameter, weight) in weights {
            if let Some(by) = grads.get::<Flex>(weight).and_then(Array::new) {
                observer.tell(*parameter, &by);
            }
        }
    }
}
