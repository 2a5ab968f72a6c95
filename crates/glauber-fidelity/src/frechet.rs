//! The Fréchet distance between two normal laws fitted to features.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

use crate::{Features, FidelityError};

/// Vectors whose products are summed at a time.
const BLOCK: usize = 1024;
/// The part of the largest eigenvalue that rounding may make another one negative by.
const ROUNDING: f64 = 1e-8;

/// A normal law: mean, shape `[feature]`, and covariance, shape `[feature, feature]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Gaussian {
    mean: DVector<f64>,
    covariance: DMatrix<f64>,
    /// `F` with `F Fᵀ` the covariance.
    factor: DMatrix<f64>,
}

impl Gaussian {
    /// The law of a mean, shape `[feature]`, and a covariance, shape `[feature, feature]`.
    ///
    /// # Errors
    /// [`FidelityError::Shape`] when the lengths do not fit, [`FidelityError::Covariance`] when the matrix is not finite, not symmetric, or has
    /// an eigenvalue below 0 by more than rounding.
    pub fn new(mean: &[f64], covariance: &[f64]) -> Result<Self, FidelityError> {
        let dim = mean.len();
        if dim == 0 || covariance.len() != dim * dim {
            let found = format!("a mean of {dim} numbers with a covariance of {}", covariance.len());
            return Err(FidelityError::Shape { found, expected: "n and n², n at least 1".into() });
        }
        if mean.iter().chain(covariance).any(|value| !value.is_finite()) {
            return Err(FidelityError::Covariance { found: "or mean that is not finite".into() });
        }
        Self::of(DVector::from_column_slice(mean), DMatrix::from_row_slice(dim, dim, covariance))
    }

    /// The law with the mean and the covariance of features, the covariance divided by one less than their number.
    ///
    /// Fewer vectors than dimensions are allowed: the distance supports a singular covariance. The estimate of the
    /// distance is biased upward, more for fewer vectors, so compare only sets of equal size.
    ///
    /// # Errors
    /// [`FidelityError::TooFew`] below two vectors.
    pub fn fit(features: &Features) -> Result<Self, FidelityError> {
        features.check_count("to fit a normal distribution to", 2)?;
        let (count, dim) = (features.len() as f64, features.dim());
        let mut mean = DVector::zeros(dim);
        for row in features.values().chunks_exact(dim) {
            mean += DVector::from_column_slice(row);
        }
        mean /= count;
        let mut covariance = DMatrix::zeros(dim, dim);
        for block in features.values().chunks(BLOCK * dim) {
            // One column for each vector.
            let mut centred = DMatrix::from_column_slice(dim, block.len() / dim, block);
            centred.column_iter_mut().for_each(|mut column| column -= &mean);
            covariance.gemm(1.0 / (count - 1.0), &centred, &centred.transpose(), 1.0);
        }
        Self::of(mean, covariance)
    }

    fn of(mean: DVector<f64>, covariance: DMatrix<f64>) -> Result<Self, FidelityError> {
        let largest = covariance.amax();
        let skew = (&covariance - covariance.transpose()).amax();
        if skew > ROUNDING * largest {
            return Err(FidelityError::Covariance { found: format!("whose halves differ by {skew:e}") });
        }
        let eigen = SymmetricEigen::new((&covariance + covariance.transpose()) * 0.5);
        let (least, most) = (eigen.eigenvalues.min(), eigen.eigenvalues.max());
        if least < -ROUNDING * most.abs() {
            return Err(FidelityError::Covariance { found: format!("with the eigenvalue {least:e}") });
        }
        let mut factor = eigen.eigenvectors;
        for (mut column, value) in factor.column_iter_mut().zip(&eigen.eigenvalues) {
            column *= value.max(0.0).sqrt();
        }
        Ok(Self { mean, covariance, factor })
    }

    /// Number of features.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// The mean, shape `[feature]`.
    #[must_use]
    pub fn mean(&self) -> &[f64] {
        self.mean.as_slice()
    }

    /// An entry of the covariance.
    ///
    /// # Panics
    /// When a feature is not below [`dim`](Self::dim).
    #[must_use]
    pub fn covariance(&self, one: usize, other: usize) -> f64 {
        self.covariance[(one, other)]
    }

    /// The squared Fréchet (2-Wasserstein) distance `|μ₁ − μ₂|² + tr S₁ + tr S₂ − 2 tr (S₁^½ S₂ S₁^½)^½`, in squared units of the
    /// features; never negative.
    ///
    /// D. C. Dowson and B. V. Landau, *The Fréchet distance between multivariate normal distributions*, Journal of Multivariate Analysis
    /// 12(3), 1982; as a measure of image samples M. Heusel et al., *GANs trained by a two time-scale update rule converge to a local Nash
    /// equilibrium*, 2017. The last trace is the sum of the singular values of `F₁ᵀ F₂`, whose squares are the eigenvalues of
    /// `S₁^½ S₂ S₁^½`: roots of small eigenvalues would lose half of the digits.
    ///
    /// # Errors
    /// [`FidelityError::Dimension`] when the laws are of different dimensions.
    pub fn frechet_distance(&self, other: &Self) -> Result<f64, FidelityError> {
        if self.dim() != other.dim() {
            return Err(FidelityError::Dimension { found: other.dim(), expected: self.dim() });
        }
        let product = self.factor.tr_mul(&other.factor);
        let shared = product.singular_values().sum();
        let apart = (&self.mean - &other.mean).norm_squared();
        Ok((apart + self.covariance.trace() + other.covariance.trace() - 2.0 * shared).max(0.0))
    }
}

/// The squared Fréchet distance between the normal laws fitted to two sets of features.
///
/// # Errors
/// Those of [`Gaussian::fit`] and [`Gaussian::frechet_distance`].
pub fn frechet_distance(one: &Features, other: &Features) -> Result<f64, FidelityError> {
    Gaussian::fit(one)?.frechet_distance(&Gaussian::fit(other)?)
}
