//! P-values for the statistical tests. Seeds are fixed, so a test passes or fails for good; the stated level is the probability that a
//! correct program would have failed when the seed was first chosen.

use glauber_chain::statistics::ChiSquare;
use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};

/// The probability of a chi-square statistic at least this large.
#[allow(dead_code)] // not every test binary uses both
pub fn chi_square_p(test: ChiSquare) -> f64 {
    if test.statistic.is_infinite() {
        return 0.0;
    }
    ChiSquared::new(test.degrees as f64).unwrap().sf(test.statistic)
}

/// The probability of a standard normal deviate at least this far from 0.
#[allow(dead_code)] // not every test binary uses both
pub fn normal_p(deviation: f64) -> f64 {
    2.0 * Normal::new(0.0, 1.0).unwrap().sf(deviation.abs())
}
