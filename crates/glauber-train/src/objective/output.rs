//! What logits stand for: the way from them to `log r`, on the host and on the device.

use std::fmt::Debug;

use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token};

use super::normalise;

/// A site at a step of a schedule.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The forward chain.
    pub schedule: &'a Schedule,
    /// The step.
    pub step: Step,
    /// The site.
    pub site: Site,
}

/// What a device needs besides logits.
#[derive(Debug, Clone)]
pub struct DeviceLaw {
    /// The signal levels of the sites asked for, `[1 or batch, asked site, 1]`.
    pub level: Tensor<3>,
    /// The noise law `q`, `[1, 1, token]`.
    pub noise: Tensor<3>,
    /// The mask token, where the noise law has one.
    pub mask: Option<Token>,
}

/// What a network's logits stand for.
pub trait Output: Debug + Send + Sync {
    /// Turns one site's logits into `log r(a)` in place, shape `[token]`, in nats.
    ///
    /// In f64, whatever the device computed in: the draw that follows must not inherit its rounding.
    ///
    /// # Panics
    /// When the row is not of the schedule's vocabulary, or there is no such site.
    fn log_conditional(&self, place: &Place<'_>, row: &mut [f64]);

    /// The same for all sites asked for at once: logits and output `[batch, asked site, token]`.
    fn on_device(&self, logits: Tensor<3>, law: &DeviceLaw) -> Tensor<3>;

    /// Whether logits are of the clean token, whatever the level: then `r` can be had at any.
    fn is_of_clean_token(&self) -> bool {
        false
    }
}

/// Signal logits of equation (R): `r ∝ q exp(f)`, equation (H).
#[derive(Debug)]
pub struct SignalLogits;

impl Output for SignalLogits {
    fn log_conditional(&self, place: &Place<'_>, row: &mut [f64]) {
        let law = place.schedule.step_law(place.step).probabilities();
        check(law, row);
        row.iter_mut().zip(law).for_each(|(value, q)| *value += q.ln());
        normalise(row);
    }

    fn on_device(&self, logits: Tensor<3>, law: &DeviceLaw) -> Tensor<3> {
        log_softmax(logits + law.noise.clone().log(), 2)
    }
}

/// The conditional `r` itself.
#[derive(Debug)]
pub struct Conditional;

impl Output for Conditional {
    fn log_conditional(&self, place: &Place<'_>, row: &mut [f64]) {
        check(place.schedule.law().probabilities(), row);
        normalise(row);
    }

    fn on_device(&self, logits: Tensor<3>, _: &DeviceLaw) -> Tensor<3> {
        log_softmax(logits, 2)
    }
}

/// The logarithm of a probability that is 0 as far as single precision is concerned, and finite.
const LEAST_LOG: f64 = -1e9;

/// The denoising law `μ`: `r = α μ + (1 − α) q`.
#[derive(Debug)]
pub struct DenoisingLaw;

impl Output for DenoisingLaw {
    fn log_conditional(&self, place: &Place<'_>, row: &mut [f64]) {
        let law = place.schedule.law_at(place.site, place.step);
        check(law.probabilities(), row);
        // The mask stands for noise alone: no clean token is one.
        law.mask().into_iter().for_each(|mask| row[mask as usize] = f64::NEG_INFINITY);
        normalise(row);
        let alpha = place.schedule.signal_level(place.site, place.step);
        let (signal, noise) = (alpha.ln(), (1.0 - alpha).ln());
        for (value, q) in row.iter_mut().zip(law.probabilities()) {
            *value = log_add_exp(signal + *value, noise + q.ln());
        }
    }

    fn on_device(&self, logits: Tensor<3>, law: &DeviceLaw) -> Tensor<3> {
        let [rows, sites, _] = logits.dims();
        let logits = match law.mask {
            Some(mask) => {
                let column = [0..rows, 0..sites, mask as usize..mask as usize + 1];
                let never = Tensor::full([rows, sites, 1], f32::NEG_INFINITY, &logits.device());
                logits.slice_assign(column, never)
            }
            None => logits,
        };
        let signal = log_softmax(logits, 2) + law.level.clone().log();
        // A token without noise has that much less than any signal.
        let noise = (law.noise.clone() * law.level.clone().neg().add_scalar(1.0)).log().clamp_min(LEAST_LOG);
        let apart = (signal.clone() - noise.clone()).abs().neg().exp().log1p();
        signal.max_pair(noise) + apart
    }

    fn is_of_clean_token(&self) -> bool {
        true
    }
}

fn check(law: &[f64], row: &[f64]) {
    assert_eq!(row.len(), law.len(), "one logit for each token of the noise law");
}

/// `ln(eᵃ + eᵇ)` without underflow.
fn log_add_exp(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    match low == f64::NEG_INFINITY {
        true => high,
        false => high + (low - high).exp().ln_1p(),
    }
}
