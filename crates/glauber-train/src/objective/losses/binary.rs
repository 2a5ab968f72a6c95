//! Signal or noise, with free logits.

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;

use glauber_schedule::Schedule;
use glauber_tokens::Token;

use crate::TrainError;
use crate::fit::require_fixed_law;
use crate::objective::{Label, Objective, Output, SignalLogits, TargetList, Targets, Truth};

/// (a) Binary classification with free signal logits: is the token shown signal or noise? The
/// paper's choice.
#[derive(Debug)]
pub struct Binary;

impl Objective for Binary {
    fn name(&self) -> &'static str {
        "binary"
    }

    fn output(&self) -> &'static dyn Output {
        &SignalLogits
    }

    fn aim(&self, label: &Label<'_>, targets: &mut TargetList) {
        targets.push(label.shown, [sign(label)]);
    }

    fn loss(&self, logits: Tensor<3>, targets: &Targets) -> Tensor<2> {
        binary_loss(targets.logit(logits), targets)
    }

    fn excess(&self, truth: &Truth<'_>, logits: &[f64]) -> f64 {
        binary_excess(truth, |token| logits[token])
    }

    fn check(&self, schedule: &Schedule) -> Result<(), TrainError> {
        check_binary(self, schedule)
    }

    fn reads_step(&self) -> bool {
        true
    }
}

/// +1 where the token shown is noise, −1 where it is signal.
pub(super) fn sign(label: &Label<'_>) -> f64 {
    if label.noise { 1.0 } else { -1.0 }
}

/// `−log σ(∓f)` of signal logits `f`, the first number of the targets being the sign.
pub(super) fn binary_loss(signal_logits: Tensor<2>, targets: &Targets) -> Tensor<2> {
    log_sigmoid(signal_logits * targets.numbers[0].clone().neg()).neg()
}

/// Checks that noise draws every token. A token that noise cannot draw is always signal, and its label carries no
/// information about `r`.
pub(super) fn check_binary(objective: &dyn Objective, schedule: &Schedule) -> Result<(), TrainError> {
    require_fixed_law(objective, schedule)?;
    match schedule.law().probabilities().iter().position(|&q| q == 0.0) {
        Some(token) => Err(TrainError::NoiseLaw { objective: objective.name(), token: token as Token }),
        None => Ok(()),
    }
}

/// Expected binary cross-entropy of the given logits minus that of the true ones, over the shown token and its label.
pub(crate) fn binary_excess(truth: &Truth<'_>, logit: impl Fn(usize) -> f64) -> f64 {
    let (schedule, step) = (truth.place.schedule, truth.place.step);
    let term = |a: usize| {
        let noise = schedule.noise_probability(step, a as Token);
        let signal = schedule.keep_probability(step) * truth.conditional[a];
        let best = (signal / noise).ln();
        let f = logit(a);
        let above = |weight: f64, sign: f64| match weight > 0.0 {
            true => weight * (softplus(sign * f) - softplus(sign * best)),
            false => 0.0,
        };
        above(noise, 1.0) + above(signal, -1.0)
    };
    (0..truth.conditional.len()).map(term).sum()
}

/// `−log(1 − p)` of a signal, `−log p` of noise, with `f = log((1 − p)/p)`.
pub(crate) fn binary_cross_entropy(f: f64, noise: bool) -> f64 {
    softplus(if noise { f } else { -f })
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
