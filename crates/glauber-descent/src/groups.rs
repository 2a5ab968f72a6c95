//! Which parameters follow their gradients in which way.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

/// How a parameter follows its gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateRule {
    /// AdamW without decay (Loshchilov and Hutter, 2019).
    AdamW,
    /// AdamW with decoupled decay.
    DecayedAdamW,
    /// Muon with decoupled decay, for matrices alone.
    Muon,
}

/// The rule of every parameter of a module, by its identifier.
#[derive(Debug, Clone)]
pub struct ParamGroups(HashMap<ParamId, UpdateRule>);

impl ParamGroups {
    /// One rule for all parameters of a module.
    pub fn all<M: Module>(module: &M, rule: UpdateRule) -> Self {
        struct All(ParamGroups, UpdateRule);
        impl ModuleVisitor for All {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.0.0.insert(param.id, self.1);
            }
        }
        let mut all = All(Self(HashMap::new()), rule);
        module.visit(&mut all);
        all.0
    }

    /// The same, but for some parameters.
    #[must_use]
    pub fn with(mut self, parameters: impl IntoIterator<Item = ParamId>, rule: UpdateRule) -> Self {
        self.0.extend(parameters.into_iter().map(|parameter| (parameter, rule)));
        self
    }

    /// The rule of a parameter; none where it is of another module.
    pub fn rule(&self, parameter: ParamId) -> Option<UpdateRule> {
        self.0.get(&parameter).copied()
    }
}

impl FromIterator<(ParamId, UpdateRule)> for ParamGroups {
    fn from_iter<I: IntoIterator<Item = (ParamId, UpdateRule)>>(rules: I) -> Self {
        Self(rules.into_iter().collect())
    }
}
