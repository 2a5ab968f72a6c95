//! A random mixture of two kernels.

use crate::{ChainError, Refusal, Result, ReverseKernel, Touch};

/// Draws from the first kernel with probability `share`, otherwise from the second.
///
/// If both kernels take the law after a step to the law before it, so does the mixture. A mixture of heat bath and the
/// lazy kernel is the `Ψ` sampler of Duo (Sahoo et al. 2025). If steps touch all sites at once, the share of heat bath
/// must decrease with the number of steps to reach the law of the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Blend<A, B> {
    share: f64,
    first: A,
    second: B,
}

impl<A: ReverseKernel, B: ReverseKernel> Blend<A, B> {
    /// Joins two kernels.
    ///
    /// # Errors
    /// If `share` is not a probability.
    pub fn new(share: f64, first: A, second: B) -> Result<Self> {
        ChainError::unless_in_range((0.0..=1.0).contains(&share), "share", share, "a probability")?;
        Ok(Self { share, first, second })
    }
}

impl<A: ReverseKernel, B: ReverseKernel> ReverseKernel for Blend<A, B> {
    fn log_probabilities(&self, touch: &Touch<'_>, rates: &mut [f64]) -> Result<(), Refusal> {
        let mut second = rates.to_vec();
        self.first.log_probabilities(touch, rates)?;
        self.second.log_probabilities(touch, &mut second)?;
        for (rate, second) in rates.iter_mut().zip(second) {
            *rate = (self.share * rate.exp() + (1.0 - self.share) * second.exp()).ln();
        }
        Ok(())
    }

    fn asks(&self, touch: &Touch<'_>) -> bool {
        self.first.asks(touch) || self.second.asks(touch)
    }

    fn name(&self) -> &'static str {
        "blend"
    }
}
