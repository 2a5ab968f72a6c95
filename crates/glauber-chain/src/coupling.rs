//! The maximal coupling: the kernel that changes the fewest tokens.

use crate::{DrawControls, Refusal, Result, ReverseKernel, Touch};

/// The maximal coupling: redraws a site with the lowest probability that an exact kernel can have.
///
/// Let `r` be the conditional before the step and `s = Π_t(φ) r + Π_t` the one after it. The current token `a` stays
/// with probability `min(1, r(a) / s(a))`. Otherwise a token is drawn from the excess of `r` over `s`, which is
/// proportional to `(r − q)₊`. This takes `s` to `r` exactly, as [`HeatBath`](crate::HeatBath) and
/// [`Lazy`](crate::Lazy) do. The probability of a change, `TV(r, s)`, is the lowest possible. Over a whole chain that
/// is less than one change per site.
///
/// Few changes have a cost: other kernels would redraw an error made among noise, this one keeps it.
///
/// Draw controls act on `log r` first. A token that the noise law cannot have drawn stays.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MaximalCoupling {
    controls: DrawControls,
}

impl MaximalCoupling {
    /// A kernel that draws under the given controls.
    ///
    /// # Errors
    /// When a control is out of range.
    pub fn new(controls: DrawControls) -> Result<Self> {
        controls.validate()?;
        Ok(Self { controls })
    }
}

impl ReverseKernel for MaximalCoupling {
    fn log_probabilities(&self, touch: &Touch<'_>, rates: &mut [f64]) -> Result<(), Refusal> {
        self.controls.log_law(rates)?;
        let shown = touch.shown as usize;
        let kept = rates[shown].exp();
        let after = touch.keep * kept + touch.noise(touch.shown);
        let stay = if after > kept { kept / after } else { 1.0 };
        let mut excess = 0.0;
        for (rate, q) in rates.iter_mut().zip(touch.noise) {
            *rate = (rate.exp() - q).max(0.0);
            excess += *rate;
        }
        if stay == 1.0 || excess == 0.0 {
            rates.fill(f64::NEG_INFINITY);
            rates[shown] = 0.0;
            return Ok(());
        }
        // The token shown has no excess where it may leave.
        let share = (1.0 - stay) / excess;
        rates.iter_mut().for_each(|rate| *rate = (*rate * share).ln());
        rates[shown] = stay.ln();
        Ok(())
    }

    fn asks(&self, touch: &Touch<'_>) -> bool {
        touch.noise[touch.shown as usize] > 0.0
    }

    fn name(&self) -> &'static str {
        "maximal coupling"
    }
}
