//! Mixed precision: large layers in a shorter number type.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{FloatDType, Tensor};

use crate::Network;

/// The parts of a network whose matrices most of its operations go into.
const LARGE: [&str; 4] = ["attention", "feed_forward", "join", "head"];

impl Network {
    /// The same network, its large layers in another number type: the linear layers and products of attention, the feed-forward layers, the join of a hollow
    /// network's streams, and a read-out with weights of its own. What goes into them and comes out of them is rounded to it. Norms, softmax, residual
    /// streams, conditions and a tied read-out stay as they are, and logits are of the type of the states (mixed precision; Micikevicius et al., 2018).
    ///
    /// For forward and backward passes: gradients by the weights of the network that this was made of come in their own number type, rounded as the
    /// products that they are.
    pub fn rounded(self, dtype: FloatDType) -> Self {
        self.map(&mut Rounded { dtype, path: Vec::new() })
    }
}

struct Rounded {
    dtype: FloatDType,
    path: Vec<String>,
}

impl ModuleMapper for Rounded {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let large = D == 2 && self.path.iter().any(|name| LARGE.contains(&name.as_str()));
        if large { param.map(|matrix| matrix.cast(self.dtype)) } else { param }
    }
}
