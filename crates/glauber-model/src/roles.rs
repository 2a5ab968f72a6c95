//! Roles of parameters, listed by the network. Initialisation, optimisers and mixed precision depend on them.

use burn::module::{Param, ParamId};
use burn::nn::Linear;
use burn::tensor::Tensor;

use crate::Network;

/// The role of a parameter in its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A matrix of an attention or feed-forward layer.
    Hidden,
    /// The matrix that joins a hollow network's streams.
    Join,
    /// The matrix of an untied read-out.
    ReadOut,
    /// A matrix that computes shifts, scales and gates from a condition.
    Modulation,
    /// A matrix of another linear layer, such as those that compute the condition.
    Linear,
    /// Embeddings of tokens, classes and the ends of sequences.
    Table,
    /// The bias of a layer.
    Bias,
}

impl Role {
    /// Whether it is the matrix of a linear layer, and not an embedding or a bias.
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

/// Parameters with their roles, collected from the parts of a network.
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
