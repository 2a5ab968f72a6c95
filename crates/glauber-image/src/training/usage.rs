//! Usage of indices.

/// The indices used by some images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CodebookUsage {
    /// Number of different indices.
    pub distinct: usize,
    /// The perplexity: the exponential of the entropy of indices.
    pub perplexity: f64,
    /// Dead entries of a codebook that were moved to latents of the batch.
    pub revived: usize,
}

impl CodebookUsage {
    /// The usage of indices, each below `entries`, none of them revived.
    ///
    /// # Panics
    /// When an index is not below `entries`.
    pub fn of(indices: impl IntoIterator<Item = usize>, entries: usize) -> Self {
        let mut counts = vec![0usize; entries];
        indices.into_iter().for_each(|index| counts[index] += 1);
        let total: usize = counts.iter().sum();
        let used = counts.iter().filter(|&&count| count > 0);
        let entropy: f64 = used.clone().map(|&count| count as f64 / total as f64).map(|p| -p * p.ln()).sum();
        Self { distinct: used.count(), perplexity: entropy.exp(), revived: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_of_equally_frequent_indices_is_their_number() {
        let usage = CodebookUsage::of([3, 1, 3, 1, 7, 7], 8);
        assert_eq!((usage.distinct, usage.revived), (3, 0));
        assert!((usage.perplexity - 3.0).abs() < 1e-12);
        let usage = CodebookUsage::of([0, 0, 0, 1], 2);
        let entropy = -(0.75f64 * 0.75f64.ln() + 0.25 * 0.25f64.ln());
        assert!((usage.perplexity - entropy.exp()).abs() < 1e-12);
    }
}
