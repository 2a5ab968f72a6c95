//! Means with standard errors, autocorrelation times, and the chi-square statistic.

/// A mean and the standard error of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Its standard error.
    pub standard_error: f64,
}

impl Estimate {
    /// From independent values. The error of fewer than two values is infinite.
    pub fn independent(values: &[f64]) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        let standard_error = if values.len() < 2 { f64::INFINITY } else { (squares / (n - 1.0) / n).sqrt() };
        Self { mean, standard_error }
    }

    /// How many standard errors the mean lies from a value, signed.
    pub fn deviation_from(&self, value: f64) -> f64 {
        (self.mean - value) / self.standard_error
    }
}

/// The mean of a stationary, correlated series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SeriesEstimate {
    /// The mean, with a standard error that accounts for the correlation.
    pub estimate: Estimate,
    /// The integrated autocorrelation time `τ = 1 + 2 Σ_{t≥1} ρ(t)` in entries of the series: that many entries are worth one
    /// independent value.
    pub autocorrelation_time: f64,
}

/// The mean over independent chains of equal length, shape `[chain][time]`, with an error from the autocorrelation.
///
/// Autocovariances are taken about the common mean and averaged over the chains. Their sum is cut at the smallest window `W ≥ 5 τ(W)`
/// (Sokal's self-consistent window). The error is meaningful where a chain is many times longer than `τ`.
///
/// # Panics
/// When there is no chain, chains differ in length, or they are empty.
pub fn series_estimate(chains: &[Vec<f64>]) -> SeriesEstimate {
    let length = chains[0].len();
    assert!(length > 0 && chains.iter().all(|chain| chain.len() == length), "chains of one positive length");
    let count = (chains.len() * length) as f64;
    let mean = chains.iter().flatten().sum::<f64>() / count;
    let covariance = |lag: usize| -> f64 {
        let products = chains.iter().map(|chain| {
            let pairs = chain.iter().zip(&chain[lag..]);
            pairs.map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>()
        });
        products.sum::<f64>() / (chains.len() * (length - lag)) as f64
    };
    let variance = covariance(0);
    let mut time = 1.0;
    if variance > 0.0 {
        for lag in 1..length {
            time += 2.0 * covariance(lag) / variance;
            if lag as f64 >= 5.0 * time {
                break;
            }
        }
    }
    // A short series can sum to less than nothing; one independent value for each of its entries is the least that is known.
    let time = time.max(1.0 / length as f64);
    SeriesEstimate {
        // One number says nothing of its error.
        estimate: Estimate {
            mean,
            standard_error: if count > 1.0 { (variance * time / count).sqrt() } else { f64::INFINITY },
        },
        autocorrelation_time: time,
    }
}

/// Pearson's chi-square statistic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquare {
    /// `Σ (observed − expected)² / expected`.
    pub statistic: f64,
    /// Degrees of freedom: cells after pooling, less one.
    pub degrees: usize,
}

impl ChiSquare {
    /// Compares counts with probabilities, both of shape `[cell]`. Cells that expect fewer than 5 counts are pooled into one.
    /// `None` when fewer than two cells remain. A count in a cell of probability 0 makes the statistic infinite.
    ///
    /// # Panics
    /// When the shapes differ.
    pub fn goodness_of_fit(observed: &[u64], probabilities: &[f64]) -> Option<Self> {
        assert_eq!(observed.len(), probabilities.len(), "one probability for each cell");
        let total = observed.iter().sum::<u64>() as f64;
        let mut cells: Vec<(f64, f64)> = Vec::new();
        let mut pool = (0.0, 0.0);
        for (&count, &probability) in observed.iter().zip(probabilities) {
            let expected = probability * total;
            if expected >= 5.0 {
                cells.push((count as f64, expected));
            } else if expected == 0.0 && count > 0 {
                pool.0 = f64::INFINITY;
            } else {
                pool = (pool.0 + count as f64, pool.1 + expected);
            }
        }
        // A pool that expects little would break the chi-square approximation itself: it joins the last cell.
        match cells.last_mut() {
            Some(last) if pool.1 < 5.0 => *last = (last.0 + pool.0, last.1 + pool.1),
            _ => cells.push(pool),
        }
        let terms = cells.iter().map(|(count, expected)| (count - expected).powi(2) / expected);
        (cells.len() > 1).then(|| Self { statistic: terms.sum(), degrees: cells.len() - 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChainRng;

    /// A first-order autoregression with coefficient `a` has `τ = (1 + a) / (1 − a)`.
    #[test]
    fn the_autocorrelation_time_of_an_autoregression_is_found() {
        let a: f64 = 0.8;
        let chains: Vec<Vec<f64>> = (0..8)
            .map(|stream| {
                let mut rng = ChainRng::new(5, stream);
                let mut x = 0.0;
                let mut step = || {
                    let noise = (0..12).map(|_| rng.uniform()).sum::<f64>() - 6.0;
                    x = a * x + noise;
                    x
                };
                for _ in 0..100 {
                    step();
                }
                (0..20_000).map(|_| step()).collect()
            })
            .collect();
        let found = series_estimate(&chains);
        let (time, expected) = (found.autocorrelation_time, (1.0 + a) / (1.0 - a));
        assert!((time / expected - 1.0).abs() < 0.05, "{time} for {expected}");
        // The chains are independent, so the spread of their means is another measure of the error.
        let means: Vec<f64> = chains.iter().map(|chain| chain.iter().sum::<f64>() / chain.len() as f64).collect();
        let ratio = found.estimate.standard_error / Estimate::independent(&means).standard_error;
        assert!((0.4..2.5).contains(&ratio), "{ratio}");
        assert!(found.estimate.deviation_from(0.0).abs() < 4.0);
    }

    #[test]
    fn chi_square_of_a_known_table() {
        let found = ChiSquare::goodness_of_fit(&[30, 50, 20], &[0.25, 0.5, 0.25]).unwrap();
        assert_eq!(found.degrees, 2);
        assert!((found.statistic - 2.0).abs() < 1e-12);
        let pooled = ChiSquare::goodness_of_fit(&[96, 2, 2], &[0.94, 0.03, 0.03]).unwrap();
        assert_eq!(pooled.degrees, 1);
        let impossible = ChiSquare::goodness_of_fit(&[50, 49, 1], &[0.5, 0.5, 0.0]).unwrap();
        assert_eq!(impossible.statistic, f64::INFINITY);
    }
}
