//! Cross-entropy of the noisy token.

use burn::tensor::Tensor;

use crate::objective::{Conditional, Label, Objective, Output, TargetList, Targets};

/// (d) Cross-entropy of the noisy token, `−log r(X_{t,i})`; the network outputs `r` itself.
#[derive(Debug)]
pub struct StepCrossEntropy;

impl Objective for StepCrossEntropy {
    fn name(&self) -> &'static str {
        "step-cross-entropy"
    }

    fn output(&self) -> &'static dyn Output {
        &Conditional
    }

    fn aim(&self, label: &Label<'_>, targets: &mut TargetList) {
        targets.push(label.noisy, []);
    }

    fn loss(&self, logits: Tensor<3>, targets: &Targets) -> Tensor<2> {
        targets.log_probability(logits).neg()
    }
}
