//! What the network learns: five losses with one minimiser (`docs/math.md`, §5).

mod drawing;
pub(crate) mod evaluation;
pub(crate) mod examples;

pub use drawing::{Asked, Drawing};
pub use evaluation::{Excess, excess_over_bayes};
pub use examples::Examples;

use burn::tensor::Tensor;
use burn::tensor::activation::log_sigmoid;
use glauber_fused::log_probability;
use serde::{Deserialize, Serialize};

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step};

use self::examples::{Labels, Terms};
use crate::TrainError;

/// A loss whose minimiser over all functions is the true conditional `r(a) = P(X_{t,i} = a | x_{-i})`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Objective {
    /// (a) Binary classification with free signal logits: is the token shown signal or noise? The paper's choice.
    Binary,
    /// (b) Binary classification with logits made of a normalised distribution through equation (R).
    NormalisedBinary,
    /// (c) Cross-entropy of the clean token; `r = α μ + (1 − α) q`.
    Denoising,
    /// (d) Cross-entropy of the noisy token, `−log r(X_{t,i})`; the network gives `r` itself.
    StepCrossEntropy,
    /// (e) Categorical ratio matching: the loss of (d) with `r = α μ + (1 − α) q`, in continuous time, all sites equally noisy (Sun
    /// et al., "Score-based Continuous-time Discrete Diffusion Models", 2023).
    RatioMatching,
}

/// What a network's normalised output stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Output {
    /// Signal logits of equation (R).
    SignalLogits,
    /// The conditional `r`.
    Conditional,
    /// The denoising law `μ`.
    Denoising,
}

impl Objective {
    /// Every objective.
    pub const ALL: [Self; 5] =
        [Self::Binary, Self::NormalisedBinary, Self::Denoising, Self::StepCrossEntropy, Self::RatioMatching];

    /// The name in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::NormalisedBinary => "normalised-binary",
            Self::Denoising => "denoising",
            Self::StepCrossEntropy => "step-cross-entropy",
            Self::RatioMatching => "ratio-matching",
        }
    }

    /// Whether the loss asks signal or noise, (a) and (b).
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Binary | Self::NormalisedBinary)
    }

    fn output(self) -> Output {
        match self {
            Self::Binary => Output::SignalLogits,
            Self::NormalisedBinary | Self::StepCrossEntropy => Output::Conditional,
            Self::Denoising | Self::RatioMatching => Output::Denoising,
        }
    }

    /// Checks that the objective can learn under the schedule's noise law.
    ///
    /// # Errors
    /// [`TrainError::NoiseLaw`] for a binary objective when some token is never drawn: shown there, it is always signal, and
    /// the label teaches nothing about `r`.
    pub fn check(self, schedule: &Schedule) -> Result<(), TrainError> {
        let law = schedule.law().probabilities();
        match law.iter().position(|&q| q == 0.0) {
            Some(token) if self.is_binary() => {
                Err(TrainError::NoiseLaw { objective: self.name(), token: token as u32 })
            }
            _ => Ok(()),
        }
    }

    /// The mean loss in nats a site asked for, a scalar `[1]`.
    ///
    /// # Shapes
    /// - logits: `[batch, asked site, token]`
    /// - each of the labels: `[batch, asked site]`
    pub(crate) fn loss(self, logits: Tensor<3>, labels: &Labels) -> Tensor<1> {
        let token = labels.token.clone();
        let at: Tensor<2> = match self {
            Self::Binary => logits.gather(2, token.unsqueeze_dim(2)).squeeze_dim(2),
            _ => log_probability(logits, token),
        };
        let loss = match &labels.terms {
            Terms::CrossEntropy => at.neg(),
            Terms::Binary { sign, offset } => log_sigmoid((at + offset.clone()) * sign.clone().neg()).neg(),
            Terms::Mixture { signal, floor } => (at.exp() * signal.clone() + floor.clone()).log().neg(),
        };
        match &labels.counted {
            None => loss.mean(),
            Some(counted) => (loss * counted.clone()).sum() / counted.clone().sum().clamp_min(1.0),
        }
    }

    /// Turns one site's logits into `log r(a)` in place, shape `[token]`, in nats: equation (H) or the mixture of (c).
    ///
    /// In f64, whatever the device computed in: the draw that follows must not inherit its rounding.
    ///
    /// # Panics
    /// When the row is not of the schedule's vocabulary, or there is no such site.
    pub fn log_conditional(self, schedule: &Schedule, step: Step, site: Site, row: &mut [f64]) {
        let law = schedule.law();
        assert_eq!(row.len(), law.vocab(), "one logit for each token of the noise law");
        match self.output() {
            Output::SignalLogits => row.iter_mut().zip(law.probabilities()).for_each(|(value, q)| *value += q.ln()),
            Output::Conditional => {}
            // The mask stands for noise alone: no clean token is one.
            Output::Denoising => law.mask().into_iter().for_each(|mask| row[mask as usize] = f64::NEG_INFINITY),
        }
        normalise(row);
        if self.output() == Output::Denoising {
            let alpha = schedule.signal_level(site, step);
            let (signal, noise) = (alpha.ln(), (1.0 - alpha).ln());
            for (value, q) in row.iter_mut().zip(law.probabilities()) {
                *value = log_add_exp(signal + *value, noise + q.ln());
            }
        }
    }
}

/// `ln(eᵃ + eᵇ)` without underflow.
fn log_add_exp(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    match low == f64::NEG_INFINITY {
        true => high,
        false => high + (low - high).exp().ln_1p(),
    }
}

/// Log-softmax in place.
pub(crate) fn normalise(row: &mut [f64]) {
    let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let total: f64 = row.iter().map(|value| (value - top).exp()).sum();
    let shift = top + total.ln();
    row.iter_mut().for_each(|value| *value -= shift);
}
