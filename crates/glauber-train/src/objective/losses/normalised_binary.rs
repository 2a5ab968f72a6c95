//! Signal or noise, with logits of a distribution.

use burn::tensor::Tensor;

use glauber_schedule::Schedule;
use glauber_tokens::{Step, Token};

use super::binary::{binary_excess, binary_loss, check_binary, sign};
use crate::TrainError;
use crate::objective::{Conditional, Label, Objective, Output, TargetList, Targets, Truth};

/// (b) Binary classification with logits from a normalised distribution through equation (R).
#[derive(Debug)]
pub struct NormalisedBinary;

impl Objective for NormalisedBinary {
    fn name(&self) -> &'static str {
        "normalised-binary"
    }

    fn output(&self) -> &'static dyn Output {
        &Conditional
    }

    fn aim(&self, label: &Label<'_>, targets: &mut TargetList) {
        targets.push(label.shown, [sign(label), offset(label.schedule, label.step, label.shown)]);
    }

    fn loss(&self, logits: Tensor<3>, targets: &Targets) -> Tensor<2> {
        binary_loss(targets.log_probability(logits) + targets.numbers[1].clone(), targets)
    }

    fn excess(&self, truth: &Truth<'_>, logits: &[f64]) -> f64 {
        let mut log_r = logits.to_vec();
        self.output().log_conditional(&truth.place, &mut log_r);
        let (schedule, step) = (truth.place.schedule, truth.place.step);
        binary_excess(truth, |token| signal_logit(schedule, step, token as Token, &log_r))
    }

    fn check(&self, schedule: &Schedule) -> Result<(), TrainError> {
        check_binary(self, schedule)
    }
}

/// `log Π_t(φ) − log Π_t(a)` of the token shown.
fn offset(schedule: &Schedule, step: Step, token: Token) -> f64 {
    schedule.log_keep_probability(step) - schedule.log_noise_probability(step, token)
}

/// `f(a) = log Π_t(φ) + log r(a) − log Π_t(a)`: equation (R) solved for the signal logit.
pub(crate) fn signal_logit(schedule: &Schedule, step: Step, token: Token, log_r: &[f64]) -> f64 {
    offset(schedule, step, token) + log_r[token as usize]
}
