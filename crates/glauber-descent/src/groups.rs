//! The update rule of each parameter.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

/// The update rule of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateRule {
    /// AdamW without weight decay (Loshchilov and Hutter, 2019).
    AdamW,
    /// AdamW with decoupled weight decay.
    DecayedAdamW,
    /// Muon with decoupled weight decay, for matrices only.
    Muon,
}

/// The update rule of every parameter of a module, by parameter id.
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

    /// Sets the rule of some parameters.
    #[must_use]
    pub fn with(mut self, parameters: impl IntoIterator<Item = ParamId>, rule: UpdateRule) -> Self {
        self.0.extend(parameters.into_iter().map(|parameter| (parameter, rule)));
        self
    }

    /// The rule of a parameter; `None` if it belongs to another module.
    pub fn rule(&self, parameter: ParamId) -> Option<UpdateRule> {
        self.0.get(&parameter).copied()
    }
}

impl FromIterator<(ParamId, UpdateRule)> for ParamGroups {
    fn from_iter<I: IntoIterator<Item = (ParamId, UpdateRule)>>(rules: I) -> Self {
        Self(rules.into_iter().collect())
    }
}
