//! Mixed precision: large layers in a shorter number type.

use std::collections::HashSet;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{FloatDType, Tensor};

use crate::{Network, Role};

impl Network {
    /// The same network, its large layers in another number type: the linear layers and products of attention, the feed-forward layers, the join of a hollow
    /// network's streams, and a read-out with weights of its own. What goes into them and comes out of them is rounded to it. Norms, softmax, residual
    /// streams, conditions and a tied read-out stay as they are, and logits are of the type of the states (mixed precision; Micikevicius et al., 2018).
    ///
    /// For forward and backward passes: gradients by the weights of the network that this was made of come in their own number type, rounded as the
    /// products that they are.
    pub fn rounded(self, dtype: FloatDType) -> Self {
        // The matrices that most of its operations go into.
        let is_large = |role: &Role| matches!(role, Role::Hidden | Role::Join | Role::ReadOut);
        let large = self.roles().into_iter().filter(|(_, role)| is_large(role)).map(|(id, _)| id).collect();
        self.map(&mut Rounded { dtype, large })
    }
}

struct Rounded {
    dtype: FloatDType,
    large: HashSet<ParamId>,
}

impl ModuleMapper for Rounded {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if self.large.contains(&param.id) { param.map(|matrix| matrix.cast(self.dtype)) } else { param }
    }
}
