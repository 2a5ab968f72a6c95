//! Errors by resampling.

use glauber_chain::ChainRng;
use glauber_chain::statistics::Estimate;

/// Standard errors by the bootstrap: whole rows are drawn anew with replacement, never parts of one.
///
/// B. Efron, "Bootstrap Methods: Another Look at the Jackknife", 1979. Equal seeds draw equal rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// How often all rows are drawn anew.
    pub resamples: usize,
    /// Seed of what is drawn.
    pub seed: u64,
}

impl Default for Bootstrap {
    /// 1000 resamples.
    fn default() -> Self {
        Self { resamples: 1000, seed: 0 }
    }
}

impl Bootstrap {
    /// The deviation of a statistic over resamples; it is given the numbers of the rows drawn, shape
    /// `[row]`. Resamples where it is not finite are left out; the error of one row is infinite.
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

    /// The sum of what is counted over the sum of what it is counted in, both per row.
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

    /// The mean of one value a row.
    pub fn mean(&self, values: &[f64]) -> Estimate {
        self.ratio(&values.iter().map(|&value| (value, 1.0)).collect::<Vec<_>>())
    }

    /// The mean of `a − b`, two values of each row: of two models on the same windows, say.
    ///
    /// # Panics
    /// When they have not as many rows.
    pub fn paired_difference(&self, a: &[f64], b: &[f64]) -> Estimate {
        assert_eq!(a.len(), b.len(), "a pair of values for each row");
        self.mean(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
    }
}
