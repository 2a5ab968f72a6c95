//! Categorical ratio matching.

use burn::tensor::Tensor;

use crate::objective::{DenoisingLaw, Label, Objective, Output, TargetList, Targets};

/// (e) Categorical ratio matching: the loss of (d) with `r = α μ + (1 − α) q`, in continuous time,
/// all sites equally noisy (Sun et al., "Score-based Continuous-time Discrete Diffusion Models",
/// 2023).
#[derive(Debug)]
pub struct RatioMatching;

impl Objective for RatioMatching {
    fn name(&self) -> &'static str {
        "ratio-matching"
    }

    fn output(&self) -> &'static dyn Output {
        &DenoisingLaw
    }

    fn aim(&self, label: &Label<'_>, targets: &mut TargetList) {
        let floor = (1.0 - label.level) * label.schedule.law_of_levels().probability_at(label.level, label.noisy);
        targets.push(label.noisy, [label.level, floor]);
    }

    fn loss(&self, logits: Tensor<3>, targets: &Targets) -> Tensor<2> {
        let [signal, floor] = [0, 1].map(|at| targets.numbers[at].clone());
        (targets.log_probability(logits).exp() * signal + floor).log().neg()
    }

    fn is_continuous(&self) -> bool {
        true
    }
}
