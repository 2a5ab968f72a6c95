//! One kernel or another, by chance.

use crate::{ChainError, Refusal, Result, ReverseKernel, Touch};

/// Draws by the first kernel with probability `share`, else by the second.
///
/// If both take the law of after a step to that of before it, so does this. Heat bath and the lazy kernel blended are the `Ψ` sampler of
/// Duo (Sahoo et al. 2025). Where a step touches all sites at once, a share of heat bath that does not fall with the number of steps
/// never gives the law of the data.
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
    /// When the share is no probability.
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
