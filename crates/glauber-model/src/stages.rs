//! In which order a backward pass completes the gradients by the weights.

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use glauber_fused::{GradientObserver, observed};

use crate::Network;

impl Network {
    /// The same network, whose backward passes tell an observer of gradients as they become complete: those of the parameters in
    /// [`stages`](Self::stages), on the CPU device in single precision; elsewhere, of none. For one forward pass after another, each followed by its
    /// backward pass.
    pub fn observed(self, observer: GradientObserver) -> Self {
        match self {
            Self::Hollow(network) => Self::Hollow(network.observed(observer)),
            Self::MaskedQuery(network) => Self::MaskedQuery(network.observed(observer)),
            Self::Bidirectional(network) => Self::Bidirectional(network.observed(observer)),
        }
    }

    /// Parameters whose gradients are complete before a backward pass is over, in the order in which they are, those together that are complete at the
    /// same time: the read-out's, then each layer's, from the last to the first. What is not among them (embeddings, conditions, what these make of the
    /// layers) is complete at the end.
    pub fn stages(&self) -> Vec<Vec<ParamId>> {
        let mut stages = match self {
            Self::Hollow(network) => network.stages(),
            Self::MaskedQuery(network) => network.stages(),
            Self::Bidirectional(network) => network.stages(),
        };
        stages.retain(|stage| !stage.is_empty());
        stages
    }
}

/// The parameters of a module.
pub(crate) fn parameters<M: Module>(module: &M) -> Vec<ParamId> {
    struct Ids(Vec<ParamId>);
    impl ModuleVisitor for Ids {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.id);
        }
    }
    let mut ids = Ids(Vec::new());
    module.visit(&mut ids);
    ids.0
}

/// States as they are, of which all is made that is made of some parameters of a module: where an observer hears of these.
pub(crate) fn observe<M: Module, const N: usize>(
    states: [Tensor<3>; N],
    module: &M,
    parameters: impl FnOnce() -> Vec<ParamId>,
    observer: &Option<GradientObserver>,
) -> [Tensor<3>; N] {
    let Some(observer) = observer else { return states };
    match parameters() {
        none if none.is_empty() => states,
        parameters => observed(module, &parameters, states, observer),
    }
}
