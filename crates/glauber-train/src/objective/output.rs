//! The meaning of logits: their conversion to `log r`, on the host and on the device.

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

/// Inputs of the conversion on a device, besides logits.
#[derive(Debug, Clone)]
pub struct DeviceLaw {
    /// The signal levels of the requested sites, `[1 or batch, requested site, 1]`.
    pub level: Tensor<3>,
    /// The noise law `q`, `[1, 1, token]`.
    pub noise: Tensor<3>,
    /// The mask token, if the noise law has one.
    pub mask: Option<Token>,
}

/// The meaning of a network's logits.
pub trait Output: Debug + Send + Sync {
    /// Converts one site's logits to `log r(a)` in place, shape `[token]`, in nats.
    ///
    /// In f64, so that the draw does not inherit the device's rounding.
    ///
    /// # Panics
    /// If the row's length is not the vocabulary, or there is no such site.
    fn log_conditional(&self, place: &Place<'_>, row: &mut [f64]);

    /// Converts logits of all requested sites on the device: logits and output `[batch, requested site, token]`.
    fn on_device(&self, logits: Tensor<3>, law: &DeviceLaw) -> Tensor<3>;

    /// Whether logits describe the clean token independently of the level, so that `r` follows at any level.
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

/// A finite logarithm of a probability that is 0 in single precision.
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
