//! Bootstrap standard errors.

use glauber_chain::ChainRng;
use glauber_chain::statistics::Estimate;

/// Standard errors by the bootstrap: whole rows are resampled with replacement.
///
/// B. Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979. Equal seeds draw equal rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// Number of resamples.
    pub resamples: usize,
    /// Seed of the resamples.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// 1000 resamples.
    fn default() -> Self {
        Self { resamples: 1000, seed: 0 }
    }
}

impl Bootstrap {
    /// The standard deviation of a statistic over resamples. The statistic receives the indices of the drawn rows,
    /// shape `[row]`. Resamples with a non-finite value are omitted. The error of a single row is infinite.
    pub fn standard_error(&self, rows: usize, mut statistic: impl FnMut(&[usize]) -> f64) -> f64 {
        if rows < 2 {
            return f64::INFINITY;
        }
        let mut rng = ChainRng::new(self.seed, 0);
        let mut drawn = vec![0; rows];
        let resample = |_| {
            drawn.iter_mut().for_each(|row| *row = rng.below(rows));
            statistic(&drawn)
        };
        let values: Vec<f64> = (0..self.resamples).map(resample).filter(|value| value.is_finite()).collect();
        // The error of their mean, times the root of their number, is the deviation.
        Estimate::independent(&values).standard_error * (values.len() as f64).sqrt()
    }

    /// The ratio of two sums of values per row.
    pub fn ratio(&self, rows: &[(f64, f64)]) -> Estimate {
        let of = |rows: &mut dyn Iterator<Item = (f64, f64)>| {
            let (counted, all) = rows.fold((0.0, 0.0), |sum, row| (sum.0 + row.0, sum.1 + row.1));
            counted / all
        };
        Estimate {
            mean: of(&mut rows.iter().copied()),
            standard_error: self.standard_error(rows.len(), |drawn| of(&mut drawn.iter().map(|&row| rows[row]))),
        }
    }

    /// The mean of one value per row.
    pub fn mean(&self, values: &[f64]) -> Estimate {
        self.ratio(&values.iter().map(|&value| (value, 1.0)).collect::<Vec<_>>())
    }

    /// The mean of `a − b`, two values per row, for instance of two models on the same windows.
    ///
    /// # Panics
    /// If their numbers of rows differ.
    pub fn paired_difference(&self, a: &[f64], b: &[f64]) -> Estimate {
        assert_eq!(a.len(), b.len(), "a pair of values for each row");
        self.mean(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
    }
}
