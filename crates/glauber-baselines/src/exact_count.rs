//! RADD and LLaDA.

use burn::tensor::Tensor;
use glauber_schedule::Schedule;
use glauber_train::{DenoisingLaw, Label, Objective, Output, OwnToken, TargetList, Targets, TrainError, require};

/// The any-order bound of RADD (Ou et al. 2024, eq. 3.8) and LLaDA (Nie et al. 2025), under absorbing noise:
///
/// `(L / k) Σ_{i masked} −ln μ(X_{0,i})`, where exactly `k` of the `L` sites are masked, `k` uniform in `1..=L`.
///
/// Its mean is that of `level-bound`, and it is less noisy: the number of masks is no chance.
#[derive(Debug)]
pub struct ExactCount;

impl Objective for ExactCount {
    fn name(&self) -> &'static str {
        "exact-count"
    }

    fn output(&self) -> &'static dyn Output {
        &DenoisingLaw
    }

    fn aim(&self, label: &Label<'_>, targets: &mut TargetList) {
        let masked = Some(label.noisy) == label.schedule.law().mask();
        // The level says how many are masked.
        let weight = if masked { 1.0 / (1.0 - label.level) } else { 0.0 };
        targets.push(label.clean, [weight]);
    }

    fn loss(&self, logits: Tensor<3>, targets: &Targets) -> Tensor<2> {
        targets.log_probability(logits).neg() * targets.numbers[0].clone()
    }

    fn check(&self, schedule: &Schedule) -> Result<(), TrainError> {
        let law = schedule.law();
        let absorbing = law.mask().is_some_and(|mask| law.probability(mask) == 1.0);
        let expected = "`{ kind = \"absorbing\" }`, which the objective `exact-count` needs";
        require(absorbing, "schedule.noise", "a law that draws tokens other than the mask", expected)
    }

    fn own_token(&self) -> OwnToken {
        OwnToken::Seen
    }

    fn counts_masks(&self) -> bool {
        true
    }
}
