//! What an estimate of the bound says, in the units people use.

use std::f64::consts::LN_2;

use crate::statistics::Estimate;
use crate::{ChainError, Result};

/// Unbiased estimates of the bound (N) for a set of sequences, or of what a law says of them exactly, in nats of a sequence.
///
/// Standard errors are over the sequences: they hold what differs from one to the next and what the drawn steps add.
#[derive(Debug, Clone, PartialEq)]
pub struct BoundTerms {
    len: usize,
    prior: Vec<f64>,
    steps: Vec<f64>,
}

impl BoundTerms {
    pub(super) fn new(len: usize, prior: Vec<f64>, steps: Vec<f64>) -> Self {
        Self { len, prior, steps }
    }

    /// `−ln p(x)` of sequences of `len` tokens that is known, shape `[row]`, in nats: a bound without slack.
    pub fn exact(len: usize, nats: Vec<f64>) -> Self {
        Self::new(len, vec![0.0; nats.len()], nats)
    }

    /// `KL(P(X_T | X_0) ‖ p(X_T))` of each row, exactly, shape `[row]`; 0 where there is no chain.
    pub fn prior(&self) -> &[f64] {
        &self.prior
    }

    /// An unbiased estimate of the sum over steps for each row, shape `[row]`, or all of `−ln p(x)` where there is no chain.
    pub fn steps(&self) -> &[f64] {
        &self.steps
    }

    /// Both together, shape `[row]`.
    pub fn totals(&self) -> Vec<f64> {
        self.prior.iter().zip(&self.steps).map(|(prior, steps)| prior + steps).collect()
    }

    /// Adds the rows of another estimate.
    ///
    /// # Errors
    /// When its sequences have another length.
    pub fn append(&mut self, other: &Self) -> Result<()> {
        ChainError::unless_equal("sites per row", other.len, self.len)?;
        self.prior.extend_from_slice(&other.prior);
        self.steps.extend_from_slice(&other.steps);
        Ok(())
    }

    /// Nats of a sequence.
    pub fn nats_per_sequence(&self) -> Estimate {
        Estimate::independent(&self.totals())
    }

    /// Nats of a token: those of a sequence over its sites.
    pub fn nats_per_token(&self) -> Estimate {
        scaled(self.nats_per_sequence(), 1.0 / self.len as f64)
    }

    /// Bits of a token.
    pub fn bits_per_token(&self) -> Estimate {
        scaled(self.nats_per_token(), 1.0 / LN_2)
    }

    /// All bits over all units, where the sequence of row `n` stands for `units[n]` of something: characters or bytes of text, pixels.
    ///
    /// # Errors
    /// When there is not one count for each row, or all are 0.
    pub fn bits_per_unit(&self, units: &[usize]) -> Result<Estimate> {
        let totals = self.totals();
        ChainError::unless_equal("counts of units", units.len(), totals.len())?;
        let count: usize = units.iter().sum();
        ChainError::unless_in_range(count > 0, "units", 0.0, "at least one unit in all")?;
        let ratio = totals.iter().sum::<f64>() / count as f64;
        // The error of a ratio of sums is that of the residuals' mean, to first order.
        let residuals: Vec<f64> = totals.iter().zip(units).map(|(nats, &n)| nats - ratio * n as f64).collect();
        let mean_units = count as f64 / units.len() as f64;
        let standard_error = Estimate::independent(&residuals).standard_error / mean_units;
        Ok(scaled(Estimate { mean: ratio, standard_error }, 1.0 / LN_2))
    }
}

fn scaled(estimate: Estimate, factor: f64) -> Estimate {
    Estimate { mean: estimate.mean * factor, standard_error: estimate.standard_error * factor }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_converted() {
        let mut terms = BoundTerms::new(4, vec![0.0, 1.0], vec![8.0, 9.0]);
        terms.append(&BoundTerms::new(4, vec![2.0], vec![13.0])).unwrap();
        assert!(terms.append(&BoundTerms::new(5, vec![2.0], vec![13.0])).is_err());
        assert_eq!(terms.totals(), [8.0, 10.0, 15.0]);
        let sequence = terms.nats_per_sequence();
        assert_eq!(sequence.mean, 11.0);
        assert_eq!(terms.nats_per_token().mean, 11.0 / 4.0);
        let bits = terms.bits_per_token();
        assert!((bits.mean - 11.0 / 4.0 / LN_2).abs() < 1e-12);
        assert!((bits.standard_error / bits.mean - sequence.standard_error / sequence.mean).abs() < 1e-12);
        // As many units in each row: a plain mean.
        let each = terms.bits_per_unit(&[4, 4, 4]).unwrap();
        assert!((each.mean - bits.mean).abs() < 1e-12 && (each.standard_error - bits.standard_error).abs() < 1e-12);
        // Nats in proportion to the units: no error at all.
        let exact = terms.bits_per_unit(&[8, 10, 15]).unwrap();
        assert!((exact.mean - 1.0 / LN_2).abs() < 1e-12 && exact.standard_error < 1e-12);
        assert!(terms.bits_per_unit(&[1, 2]).is_err() && terms.bits_per_unit(&[0, 0, 0]).is_err());
    }
}
