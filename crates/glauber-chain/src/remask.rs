//! Masks that come back: ReMDM.

use glauber_schedule::NoiseLaw;
use glauber_tokens::Token;

use crate::{ChainError, DrawControls, Refusal, Result, ReverseKernel, Touch};

/// How often a token that is shown is masked again, at most as often as the law of the chain allows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Remasking {
    /// With this probability, where it is allowed.
    Cap(f64),
    /// With this share of the largest probability that is allowed.
    Rescale(f64),
}

/// The kernel of ReMDM (Wang et al. 2025), under absorbing noise: what has been written can be masked and written again.
///
/// Over a step from level `α` to `α'` a token shown is masked with probability `σ ≤ min(1, (1 − α') / α)`, and a mask becomes `b` with
/// probability `(α' − (1 − σ) α) / (1 − α) μ(b)`. It takes the law of after the step to that of before it exactly, whatever `σ`. With
/// `σ = 0` it is [`Lazy`](crate::Lazy): nothing is masked again.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Remask {
    mask: Token,
    remasking: Remasking,
    controls: DrawControls,
}

impl Remask {
    /// A kernel that masks again as `remasking` says.
    ///
    /// # Errors
    /// When noise draws other tokens than the mask, the number is no probability or a control is out of range.
    pub fn new(law: &NoiseLaw, remasking: Remasking, controls: DrawControls) -> Result<Self> {
        controls.validate()?;
        let (Remasking::Cap(share) | Remasking::Rescale(share)) = remasking;
        ChainError::unless_in_range((0.0..=1.0).contains(&share), "remasking", share, "a probability")?;
        Ok(Self { mask: only_mask(law)?, remasking, controls })
    }
}

/// The mask of a law that draws nothing else.
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
