//! Cross-entropy of the clean token.

use burn::tensor::Tensor;

use crate::objective::{
    DenoisingLaw, Label, Objective, Output, OwnToken, TargetList, Targets, Truth, divergence, normalise,
};

/// (c) Cross-entropy of the clean token; `r = α μ + (1 − α) q`.
#[derive(Debug)]
pub struct Denoising;

impl Objective for Denoising {
    fn name(&self) -> &'static str {
        "denoising"
    }

    fn output(&self) -> &'static dyn Output {
        &DenoisingLaw
    }

    fn aim(&self, label: &Label<'_>, targets: &mut TargetList) {
        targets.push(label.clean, []);
    }

    fn loss(&self, logits: Tensor<3>, targets: &Targets) -> Tensor<2> {
        targets.log_probability(logits).neg()
    }

    fn own_token(&self) -> OwnToken {
        OwnToken::Weighed
    }

    fn excess(&self, truth: &Truth<'_>, logits: &[f64]) -> f64 {
        let mut log_mu = logits.to_vec();
        normalise(&mut log_mu);
        divergence(truth.denoising, &log_mu)
    }
}
