//! What each parameter is to a network, told by the network itself: initialisation, optimisers and mixed precision go by it.

use burn::module::{Param, ParamId};
use burn::nn::Linear;
use burn::tensor::Tensor;

use crate::Network;

/// What a parameter is to its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A matrix of an attention or feed-forward layer: between states of a stream.
    Hidden,
    /// The matrix that joins a hollow network's streams.
    Join,
    /// The matrix of a read-out with weights of its own.
    ReadOut,
    /// A matrix that makes shifts, scales and gates of a condition.
    Modulation,
    /// A matrix of another linear layer, such as those that make the condition.
    Linear,
    /// Vectors that are looked up: embeddings of tokens and classes, and what stands beyond the ends.
    Table,
    /// The bias of a layer.
    Bias,
}

impl Role {
    /// Whether it is the matrix of a linear layer: neither a table nor a bias.
    pub fn is_matrix(self) -> bool {
        !matches!(self, Self::Table | Self::Bias)
    }
}

impl Network {
    /// Every parameter of the network with its role, each once.
    pub fn roles(&self) -> Vec<(ParamId, Role)> {
        let mut roles = Roles::default();
        self.design().roles(&mut roles);
        roles.0
    }
}

/// Parameters with their roles, as the parts of a network tell them.
#[derive(Default)]
pub(crate) struct Roles(Vec<(ParamId, Role)>);

impl Roles {
    pub fn add<const D: usize>(&mut self, param: &Param<Tensor<D>>, role: Role) {
        self.0.push((param.id, role));
    }

    /// A linear layer whose matrix has a role.
    pub fn linear(&mut self, layer: &Linear, role: Role) {
        self.add(&layer.weight, role);
        layer.bias.iter().for_each(|bias| self.add(bias, Role::Bias));
    }
}
