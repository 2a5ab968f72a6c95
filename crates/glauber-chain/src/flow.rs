//! The flow kernel: keeps a token, or replaces it by a draw of the clean token.

use crate::{DrawControls, Refusal, Result, ReverseKernel, Touch};

/// Replaces a token by a draw of the clean one, at the rate at which the signal level rises.
///
/// Over a step from level `α` to `α'` the current token `a` stays with probability `1 − (α' − α) / (1 − α)`. Otherwise
/// the site receives a draw of `F(b) = P(X_0 = b | a, the others) ∝ μ(b) (α 1{a = b} + (1 − α) q(a))`. This is the
/// Euler step of discrete flow matching (Gat et al. 2024) on a path of mixtures. It takes the law after the step
/// exactly to the law before it. Each site is replaced at most once on average. The noise law must be constant.
///
/// Draw controls act on `log r` first. A token that the noise law cannot have drawn stays.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Flow {
    controls: DrawControls,
}

impl Flow {
    /// A kernel that draws under the given controls.
    ///
    /// # Errors
    /// When a control is out of range.
    pub fn new(controls: DrawControls) -> Result<Self> {
        controls.validate()?;
        Ok(Self { controls })
    }
}

impl ReverseKernel for Flow {
    fn log_probabilities(&self, touch: &Touch<'_>, rates: &mut [f64]) -> Result<(), Refusal> {
        self.controls.log_law(rates)?;
        let shown = touch.shown as usize;
        let (level, noise) = (touch.signal_level(), touch.noise[shown]);
        if noise == 0.0 {
            rates.fill(f64::NEG_INFINITY);
            rates[shown] = 0.0;
            return Ok(());
        }
        let after = touch.keep * level;
        let replaced = (level - after) / (1.0 - after);
        // What is left of `r` without its noise is α' μ.
        let mut mass = 0.0;
        for (b, (rate, q)) in rates.iter_mut().zip(touch.noise).enumerate() {
            let evidence = (1.0 - after) * noise + if b == shown { after } else { 0.0 };
            *rate = (rate.exp() - (1.0 - level) * q).max(0.0) * evidence;
            mass += *rate;
        }
        let share = if mass > 0.0 { replaced / mass } else { 0.0 };
        rates.iter_mut().for_each(|rate| *rate *= share);
        rates[shown] += if mass > 0.0 { 1.0 - replaced } else { 1.0 };
        rates.iter_mut().for_each(|rate| *rate = rate.ln());
        Ok(())
    }

    fn asks(&self, touch: &Touch<'_>) -> bool {
        touch.noise[touch.shown as usize] > 0.0
    }

    fn name(&self) -> &'static str {
        "flow"
    }
}
