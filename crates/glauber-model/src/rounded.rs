//! Mixed precision: large matrix products in a shorter number type.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{FloatDType, Tensor};

use crate::Network;

/// The parts of a network whose matrices most of its operations go into.
const LARGE: [&str; 4] = ["attention", "feed_forward", "join", "head"];

impl Network {
    /// The same network, its large matrix products made in another number type: those of attention, of the feed-forward layers, of the join of
    /// a hollow network's streams, and of a read-out with weights of its own. Their factors are rounded to it. Norms, softmax, residual streams,
    /// conditions and a tied read-out stay as they are, and so do logits (mixed precision; Micikevicius et al., 2018).
    ///
    /// For forward and backward passes: gradients by the weights of the network that this was made of come in their own number type.
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
