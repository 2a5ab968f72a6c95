//! Maximum mean discrepancy of two sets of words.

use rayon::prelude::*;

/// Decrease of the log-kernel per differing bit, in nats.
const BANDWIDTH: f64 = 0.1;

/// The unbiased squared maximum mean discrepancy of two sets of 32-bit words, with the kernel `exp(−0.1 · Hamming)` of the published rows. 0
/// on average where both are draws of one law, and then negative half of the time.
///
/// # Panics
/// When a set has fewer than two words.
pub fn squared_mmd(a: &[u32], b: &[u32]) -> f64 {
    assert!(a.len() > 1 && b.len() > 1, "two words at least of each");
    let table: Vec<f64> = (0..=32).map(|distance| (-BANDWIDTH * f64::from(distance)).exp()).collect();
    let kernel = |x: u32, y: u32| table[(x ^ y).count_ones() as usize];
    let sum = |a: &[u32], b: &[u32]| -> f64 {
        // In order, so that the sum does not depend on threads.
        let rows: Vec<f64> = a.par_iter().map(|&x| b.iter().map(|&y| kernel(x, y)).sum()).collect();
        rows.iter().sum()
    };
    let within = |a: &[u32]| {
        let count = a.len() as f64;
        (sum(a, a) - count) / (count * (count - 1.0))
    };
    within(a) + within(b) - 2.0 * sum(a, b) / (a.len() as f64 * b.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_sets_by_hand() {
        let k = |bits: f64| (-0.1 * bits).exp();
        // Within: pairs at 1 and at 2 bits; between: 0, 2, 1 and 1 bits.
        let found = squared_mmd(&[0b00, 0b01], &[0b00, 0b11]);
        let expected = k(1.0) + k(2.0) - 2.0 * (k(0.0) + k(2.0) + k(1.0) + k(1.0)) / 4.0;
        assert!((found - expected).abs() < 1e-12, "{found}");
    }
}
