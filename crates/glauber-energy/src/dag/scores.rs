//! Scores of a node given its parents.

use nalgebra::{Cholesky, DMatrix, DVector, Dyn};
use statrs::function::gamma::ln_gamma;

use super::graph::members;
use super::{DataTable, WeightLaw};
use crate::{EnergyError, Result};

/// `log p(x_j | x_P)` of a node `j` and a parent set `P`, in nats; a graph scores the sum over
/// nodes.
pub trait LocalScores: Sync {
    /// Number of nodes `d`.
    fn nodes(&self) -> usize;

    /// The score of a node; bit `s` of `parents` is the edge `s → node`. The node is not its own
    /// parent. `−∞` forbids a parent set.
    fn score(&self, node: usize, parents: u64) -> f64;
}

impl<S: LocalScores + ?Sized> LocalScores for &S {
    fn nodes(&self) -> usize {
        (**self).nodes()
    }

    fn score(&self, node: usize, parents: u64) -> f64 {
        (**self).score(node, parents)
    }
}

/// The score BGe of Gaussian networks (E36): the evidence under a normal–Wishart prior, with
/// `α_μ = 1`, `α_w = d + 2` (Geiger and Heckerman 1994; Kuipers, Moffa and Heckerman 2014).
/// Graphs of one equivalence class score the same.
///
/// The prior expects columns of mean 0 and variance about 1. Columns far from 0 look as if they depended on each other:
/// score [`DataTable::standardised`] unless the units mean something.
#[derive(Debug, Clone, PartialEq)]
pub struct Bge {
    rows: f64,
    /// `R`, shape `[node, node]`.
    scatter: DMatrix<f64>,
}

/// `α_μ`.
const MEAN_WEIGHT: f64 = 1.0;

impl Bge {
    /// From data.
    ///
    /// # Errors
    /// When `R` is singular within rounding: columns depend on each other, or their units differ by
    /// many orders of magnitude.
    pub fn new(data: &DataTable) -> Result<Self> {
        let (n, d) = (data.rows() as f64, data.columns());
        let x = DMatrix::from_row_slice(data.rows(), d, data.values());
        let mean: DVector<f64> = x.row_mean().transpose();
        let centred = DMatrix::from_fn(data.rows(), d, |row, column| x[(row, column)] - mean[column]);
        // t = α_μ(α_w − d − 1)/(α_μ + 1), where α_w − d − 1 = 1.
        let t = MEAN_WEIGHT / (MEAN_WEIGHT + 1.0);
        let shrunk = &mean * mean.transpose() * (n * MEAN_WEIGHT / (n + MEAN_WEIGHT));
        let scatter = DMatrix::identity(d, d) * t + centred.transpose() * centred + shrunk;
        check(&scatter)?;
        Ok(Self { rows: n, scatter })
    }

    fn log_determinant(&self, nodes: &[usize]) -> f64 {
        factor(&self.scatter, nodes, 1.0, 0.0).map_or(f64::NAN, |factor| factor.ln_determinant())
    }
}

impl LocalScores for Bge {
    fn nodes(&self) -> usize {
        self.scatter.nrows()
    }

    /// (E36). NaN if a determinant is lost in rounding.
    fn score(&self, node: usize, parents: u64) -> f64 {
        let (n, d, mean_weight) = (self.rows, self.nodes() as f64, MEAN_WEIGHT);
        let (weight, t) = (d + 2.0, mean_weight / (mean_weight + 1.0));
        let mut nodes: Vec<usize> = members(parents).collect();
        let p = nodes.len() as f64;
        let of_parents = self.log_determinant(&nodes);
        nodes.push(node);
        let of_all = self.log_determinant(&nodes);
        0.5 * (mean_weight / (n + mean_weight)).ln() + ln_gamma(0.5 * (n + weight - d + p + 1.0))
            - ln_gamma(0.5 * (weight - d + p + 1.0))
            - 0.5 * n * std::f64::consts::PI.ln()
            + 0.5 * (weight - d + 2.0 * p + 1.0) * t.ln()
            + 0.5 * (n + weight - d + p) * of_parents
            - 0.5 * (n + weight - d + p + 1.0) * of_all
    }
}

/// The evidence of linear equations with Gaussian noise (E37): `x_j = Σ_{s∈P} θ_{s→j} x_s + noise`,
/// weights from N(0, τ²), noise from N(0, σ²), no constant term.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearGaussian {
    rows: f64,
    /// `XᵀX`, shape `[node, node]`.
    pub(super) gram: DMatrix<f64>,
    pub(super) noise_variance: f64,
    pub(super) weight_variance: f64,
}

/// A normal law of the weights of the edges into a node: their posterior (E37), or an approximation of it.
#[derive(Debug, Clone, PartialEq)]
pub struct WeightPosterior {
    /// The parents, ascending.
    pub parents: Vec<usize>,
    /// The means, shape `[parent]`.
    pub mean: Vec<f64>,
    /// The covariance matrix, shape `[parent · parent]`.
    pub covariance: Vec<f64>,
}

impl LinearGaussian {
    /// From data. `noise_variance` is σ², a variance and not a standard deviation;
    /// `weight_variance` is τ². Both are in the squared units of the data.
    ///
    /// # Errors
    /// When a variance is not positive and finite, or columns depend on each other within rounding.
    pub fn new(data: &DataTable, noise_variance: f64, weight_variance: f64) -> Result<Self> {
        for (key, found) in [("noise variance", noise_variance), ("weight variance", weight_variance)] {
            let good = found > 0.0 && found.is_finite();
            EnergyError::unless_in_range(good, key, found, "a positive number")?;
        }
        let x = DMatrix::from_row_slice(data.rows(), data.columns(), data.values());
        let gram = x.transpose() * x;
        let d = data.columns();
        check(&(&gram / noise_variance + DMatrix::identity(d, d) / weight_variance))?;
        Ok(Self { rows: data.rows() as f64, gram, noise_variance, weight_variance })
    }

    /// `Λ = I/τ² + X_PᵀX_P/σ²`, factored, and `X_Pᵀx_j/σ²`.
    fn precision(&self, node: usize, parents: &[usize]) -> Option<(Cholesky<f64, Dyn>, DVector<f64>)> {
        let factor = factor(&self.gram, parents, 1.0 / self.noise_variance, 1.0 / self.weight_variance)?;
        let pull = parents.iter().map(|&parent| self.gram[(parent, node)] / self.noise_variance);
        Some((factor, DVector::from_iterator(parents.len(), pull)))
    }

    /// The lower bound of a node's [score](LocalScores::score) that a normal law `φ` of its weights gives, in nats:
    /// `E_φ log p(x_j | x_P, θ) − KL(φ ‖ N(0, τ²I))`. It is the score itself where `φ` is the
    /// [posterior](WeightLaw::weights), and less by `KL(φ ‖ posterior)` elsewhere.
    ///
    /// # Errors
    /// When the node or a parent does not exist, the node is its own parent, shapes differ, or the covariance matrix is not
    /// positive definite.
    pub fn bound(&self, node: usize, law: &WeightPosterior) -> Result<f64> {
        check_family(self.nodes(), node, &law.parents)?;
        let p = law.parents.len();
        EnergyError::unless_equal("means of the weights", law.mean.len(), p)?;
        EnergyError::unless_equal("covariances of the weights", law.covariance.len(), p * p)?;
        Ok(self.likelihood(node, law) - self.divergence(law)?)
    }

    /// `E_φ log p(x_j | x_P, θ)`.
    pub(super) fn likelihood(&self, node: usize, law: &WeightPosterior) -> f64 {
        let p = law.parents.len();
        let mut squares = self.gram[(node, node)];
        for (i, &s) in law.parents.iter().enumerate() {
            squares -= 2.0 * law.mean[i] * self.gram[(s, node)];
            for (j, &t) in law.parents.iter().enumerate() {
                squares += (law.covariance[i * p + j] + law.mean[i] * law.mean[j]) * self.gram[(s, t)];
            }
        }
        -0.5 * self.rows * (2.0 * std::f64::consts::PI * self.noise_variance).ln() - 0.5 * squares / self.noise_variance
    }

    /// `KL(φ ‖ N(0, τ²I))`.
    pub(super) fn divergence(&self, law: &WeightPosterior) -> Result<f64> {
        let p = law.parents.len();
        let covariance = DMatrix::from_row_slice(p, p, &law.covariance);
        let squares = covariance.trace() + law.mean.iter().map(|mean| mean * mean).sum::<f64>();
        let indefinite = || EnergyError::Data("the covariance of the weights is not positive definite".into());
        let log_determinant = Cholesky::new(covariance).ok_or_else(indefinite)?.ln_determinant();
        let prior = p as f64 * (self.weight_variance.ln() - 1.0);
        Ok(0.5 * (squares / self.weight_variance - log_determinant + prior))
    }
}

impl WeightLaw for LinearGaussian {
    /// The posterior given parents and data (E37).
    ///
    /// # Errors
    /// When the node or a parent does not exist, the node is its own parent, or the precision
    /// matrix is lost in rounding.
    fn weights(&self, node: usize, parents: u64) -> Result<WeightPosterior> {
        let parents: Vec<usize> = members(parents).collect();
        check_family(self.nodes(), node, &parents)?;
        let lost = || EnergyError::Data("the precision of the weights is singular within rounding".into());
        let (factor, pull) = self.precision(node, &parents).ok_or_else(lost)?;
        let mean = factor.solve(&pull).as_slice().to_vec();
        Ok(WeightPosterior { parents, mean, covariance: factor.inverse().as_slice().to_vec() })
    }
}

impl LocalScores for LinearGaussian {
    fn nodes(&self) -> usize {
        self.gram.nrows()
    }

    /// `ln N(x_j; 0, σ²I + τ²X_PX_Pᵀ)` (E37), by `|σ²I + τ²XXᵀ| = σ^{2N} τ^{2p} |Λ|`. NaN if the
    /// precision is lost in rounding.
    fn score(&self, node: usize, parents: u64) -> f64 {
        let parents: Vec<usize> = members(parents).collect();
        let Some((factor, pull)) = self.precision(node, &parents) else { return f64::NAN };
        let explained = pull.dot(&factor.solve(&pull));
        let p = parents.len() as f64;
        -0.5 * self.rows * (2.0 * std::f64::consts::PI * self.noise_variance).ln()
            - 0.5 * (factor.ln_determinant() + p * self.weight_variance.ln())
            - 0.5 * (self.gram[(node, node)] / self.noise_variance - explained)
    }
}

/// Refuses nodes that do not exist, and a node that is its own parent.
pub(super) fn check_family(nodes: usize, node: usize, parents: &[usize]) -> Result<()> {
    let fits = node < nodes && parents.iter().all(|&parent| parent < nodes && parent != node);
    EnergyError::unless_in_range(fits, "node", node as f64, "a node, with other nodes as parents")
}

/// The Cholesky factor of `scale · M_PP + ridge · I`.
fn factor(matrix: &DMatrix<f64>, nodes: &[usize], scale: f64, ridge: f64) -> Option<Cholesky<f64, Dyn>> {
    let entry = |i: usize, j: usize| scale * matrix[(nodes[i], nodes[j])] + if i == j { ridge } else { 0.0 };
    Cholesky::new(DMatrix::from_fn(nodes.len(), nodes.len(), entry))
}

/// Refuses a matrix whose pivots are rounding: all scores would be noise.
fn check(matrix: &DMatrix<f64>) -> Result<()> {
    let kept = |factor: Cholesky<f64, Dyn>| {
        let lower = factor.l();
        (0..lower.nrows()).all(|i| lower[(i, i)].powi(2) > 1e-13 * matrix[(i, i)])
    };
    if Cholesky::new(matrix.clone()).is_some_and(kept) {
        return Ok(());
    }
    let text = "columns depend on each other within rounding; leave one out, or standardise the table";
    Err(EnergyError::Data(text.into()))
}
