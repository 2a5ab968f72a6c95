//! The probabilities of a spin up as binary fractions, spread over words.

/// Digits of a fraction.
const DIGITS: usize = 64;

/// `P(up | spins up among the neighbours)` in binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Thresholds {
    /// Shape `[digit, neighbours up]`, the most significant digit first; a digit of 1 is a word of ones.
    pub digits: [[u64; 5]; DIGITS],
}

impl Thresholds {
    pub fn new(coupling: f64, field: f64) -> Self {
        let fractions: [u64; 5] = std::array::from_fn(|up| {
            let local = coupling * (2.0 * up as f64 - 4.0) + field;
            fraction(2.0 * local)
        });
        let word = |digit: usize, fraction: u64| 0u64.wrapping_sub(fraction >> (DIGITS - 1 - digit) & 1);
        Self { digits: std::array::from_fn(|digit| fractions.map(|fraction| word(digit, fraction))) }
    }
}

/// `1 / (1 + e^{−x})` in units of `2⁻⁶⁴`, rounded, at most the largest number that fits.
fn fraction(x: f64) -> u64 {
    const ONE: f64 = 18_446_744_073_709_551_616.0;
    // The smaller of both probabilities keeps all its digits in f64; the larger is what it leaves.
    let smaller = (ONE / (1.0 + x.abs().exp())).round() as u64;
    if x <= 0.0 { smaller } else { (u128::from(u64::MAX) + 1 - u128::from(smaller)).min(u128::from(u64::MAX)) as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_the_logistic_function() {
        assert_eq!(fraction(0.0), 1 << 63);
        assert_eq!((fraction(-800.0), fraction(800.0)), (0, u64::MAX));
        for x in [-40.0, -3.5, -0.2, 0.1, 1.7, 30.0f64] {
            let (found, expected) = (fraction(x) as f64 / 2f64.powi(64), 1.0 / (1.0 + (-x).exp()));
            assert!((found - expected).abs() <= 2f64.powi(-52) * expected + 2f64.powi(-65), "{x}: {found}, {expected}");
            assert_eq!(fraction(x).wrapping_add(fraction(-x)), 0, "{x}");
        }
    }
}
