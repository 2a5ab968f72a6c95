//! ReMDM: tokens can be masked again.

use glauber_schedule::NoiseLaw;
use glauber_tokens::Token;

use crate::{ChainError, DrawControls, Refusal, Result, ReverseKernel, Touch};

/// The probability of masking a token again, limited by the law of the chain.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Remasking {
    /// This probability, or the largest allowed one.
    Cap(f64),
    /// This share of the largest allowed probability.
    Rescale(f64),
}

/// The kernel of ReMDM (Wang et al. 2025), under absorbing noise: written tokens can be masked and written again.
///
/// Over a step from level `α` to `α'` a token shown is masked with probability `σ ≤ min(1, (1 − α') / α)`, and a mask
/// becomes `b` with probability `(α' − (1 − σ) α) / (1 − α) μ(b)`. For any `σ` it takes the law after the step exactly
/// to the law before it. With `σ = 0` it is [`Lazy`](crate::Lazy).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Remask {
    mask: Token,
    remasking: Remasking,
    controls: DrawControls,
}

impl Remask {
    /// A kernel with the given remasking.
    ///
    /// # Errors
    /// If noise draws tokens other than the mask, the number is not a probability, or a control is out of range.
    pub fn new(law: &NoiseLaw, remasking: Remasking, controls: DrawControls) -> Result<Self> {
        controls.validate()?;
        let (Remasking::Cap(share) | Remasking::Rescale(share)) = remasking;
        ChainError::unless_in_range((0.0..=1.0).contains(&share), "remasking", share, "a probability")?;
        Ok(Self { mask: only_mask(law)?, remasking, controls })
    }
}

/// The mask token, if the law draws only masks.
pub(crate) fn only_mask(law: &NoiseLaw) -> Result<Token> {
    let drawn = law.mask().map_or(0.0, |mask| law.probability(mask));
    ChainError::unless_in_range(drawn == 1.0, "the mask's probability", drawn, "1: noise that draws only masks")?;
    Ok(law.mask().unwrap_or_default())
}

impl ReverseKernel for Remask {
    fn log_probabilities(&self, touch: &Touch<'_>, rates: &mut [f64]) -> Result<(), Refusal> {
        self.controls.log_law(rates)?;
        let (shown, mask) = (touch.shown as usize, self.mask as usize);
        let level = touch.signal_level();
        let after = touch.keep * level;
        let most = if after > 1.0 - level { (1.0 - level) / after } else { 1.0 };
        let masked = match self.remasking {
            Remasking::Cap(cap) => most.min(cap),
            Remasking::Rescale(share) => share * most,
        };
        if shown != mask {
            rates.fill(f64::NEG_INFINITY);
            (rates[mask], rates[shown]) = (masked.ln(), (1.0 - masked).ln());
            return Ok(());
        }
        let written = (level - (1.0 - masked) * after) / (1.0 - after);
        // What is not the mask is α' μ.
        rates[mask] = f64::NEG_INFINITY;
        let mass: f64 = rates.iter().map(|rate| rate.exp()).sum();
        if mass == 0.0 {
            rates[mask] = 0.0;
            return Ok(());
        }
        let share = (written / mass).ln();
        rates.iter_mut().for_each(|rate| *rate += share);
        rates[mask] = (1.0 - written).max(0.0).ln();
        Ok(())
    }

    fn asks(&self, touch: &Touch<'_>) -> bool {
        touch.shown == self.mask
    }

    fn name(&self) -> &'static str {
        "remask"
    }
}
