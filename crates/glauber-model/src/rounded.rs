//! Mixed precision: large layers in a smaller number type.

use std::collections::HashSet;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{FloatDType, Tensor};

use crate::{Network, Role};

impl Network {
    /// The network with its large layers in another number type (mixed precision; Micikevicius et al., 2018). These are
    /// attention's linear layers and products, feed-forward layers, the join of a hollow network's streams, and an
    /// untied read-out. Their inputs and outputs are rounded. Norms, softmax, residual streams, conditions and a tied
    /// read-out keep their type, and logits have the type of the states.
    ///
    /// For forward and backward passes. Gradients by the original network's weights have the weights' own type, with
    /// the rounding of the smaller one.
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
