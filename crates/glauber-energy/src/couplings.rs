//! Recovery of Ising couplings from samples: pseudo-likelihood with sparsity.

use nalgebra::{DMatrix, DMatrixView};
use rayon::prelude::*;

use glauber_tokens::TokenBatch;

use crate::{EnergyError, Result};

/// Settings of a fit of `J` in `log γ(s) = sᵀJs`, spins ±1, `J` symmetric with zero diagonal:
/// **each bond counts twice**, so `J = σA` is the Ising model at `β = 2σ`.
///
/// The loss is the sum of the conditionals' cross-entropies,
/// `−(1/N) Σ_n Σ_i ln P(s_i | s_{−i}) + λ Σ_{i<j} |J_ij|`, `P(s_i | s_{−i}) = σ(2 s_i h_i)`,
/// `h_i = 2 Σ_j J_ij s_j` (Besag 1975; Ravikumar, Wainwright and Lafferty 2010). It is convex. What
/// passes a threshold is fitted again without the penalty.
///
/// ```
/// use glauber_chain::oracles::{Ising, Lattice};
/// use glauber_energy::{SwendsenWang, CouplingFit, coupling_score};
/// use glauber_schedule::Boundary;
///
/// let lattice = Lattice::new(4, 4, Boundary::Torus)?;
/// let samples = SwendsenWang::ising(&Ising::new(lattice, 0.2, 0.0)?)?.sample(2000, 50, 1);
/// let fit = CouplingFit::default().run(&samples)?;
/// assert!((fit.couplings[1] - 0.1).abs() < 0.05); // sites 0 and 1 are neighbours, J = β/2
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CouplingFit {
    /// Weight `λ` of `Σ_{i<j} |J_ij|`, at least 0.
    pub penalty: f64,
    /// Couplings of at least this size stay in the refit. `None` takes 4.5 standard errors of a zero
    /// coupling near independence, `4.5 / (2√N)`. Of 5,000 pairs without a bond, one in thirty fits
    /// then lets one pass; near criticality errors are larger, and more pass.
    pub threshold: Option<f64>,
    /// Whether what passed the threshold is fitted again without the penalty.
    pub refit: bool,
    /// Iterations at most, of each of the two fits.
    pub iterations: usize,
    /// A fit ends when no coupling moves by more than this.
    pub tolerance: f64,
}

impl Default for CouplingFit {
    fn default() -> Self {
        Self { penalty: 0.05, threshold: None, refit: true, iterations: 500, tolerance: 1e-6 }
    }
}

/// Fitted couplings.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedCouplings {
    /// `J`, symmetric, shape `[site · site]`.
    pub couplings: Vec<f64>,
    /// The penalised fit, shape `[site · site]`.
    pub penalised: Vec<f64>,
    /// Pairs of sites whose coupling passed the threshold.
    pub pairs: usize,
    /// Iterations of the penalised fit and of the refit.
    pub iterations: [usize; 2],
    /// The pseudo-log-likelihood `(1/N) Σ_n Σ_i ln P(s_i | s_{−i})` of `couplings`, in nats a row.
    pub pseudo_log_likelihood: f64,
}

impl CouplingFit {
    /// Fits samples of two tokens (spin −1 and +1), shape `[row, site]`, on the rayon pool. Results
    /// do not depend on the number of threads.
    ///
    /// # Errors
    /// When rows or sites are fewer than 2, a token is not 0 or 1, or a setting is negative or not
    /// finite.
    pub fn run(&self, samples: &TokenBatch) -> Result<FittedCouplings> {
        let (rows, sites) = (samples.rows(), samples.len());
        EnergyError::unless_in_range(rows > 1, "samples", rows as f64, "at least 2")?;
        EnergyError::unless_in_range(sites > 1, "sites", sites as f64, "at least 2")?;
        let threshold = self.threshold.unwrap_or(4.5 / (2.0 * (rows as f64).sqrt()));
        for (key, found) in [("penalty", self.penalty), ("threshold", threshold), ("tolerance", self.tolerance)] {
            EnergyError::unless_in_range(found >= 0.0 && found.is_finite(), key, found, "a number of at least 0")?;
        }
        if let Some(&wrong) = samples.as_slice().iter().find(|&&token| token > 1) {
            EnergyError::unless_in_range(false, "token of a spin", f64::from(wrong), "0 or 1")?;
        }
        let data = Spins::new(samples);
        let all = DMatrix::from_fn(sites, sites, |i, j| i != j);
        let start = DMatrix::zeros(sites, sites);
        let (penalised, first) = self.descend(&data, start, &all, self.penalty);
        let kept = penalised.map(|coupling| coupling.abs() >= threshold && coupling != 0.0);
        let pairs = kept.iter().filter(|&&kept| kept).count() / 2;
        let passed = penalised.zip_map(&kept, |coupling, kept| if kept { coupling } else { 0.0 });
        let (found, second) = if self.refit { self.descend(&data, passed, &kept, 0.0) } else { (penalised.clone(), 0) };
        let pseudo_log_likelihood = -data.loss(&found);
        Ok(FittedCouplings {
            couplings: found.as_slice().to_vec(),
            penalised: penalised.as_slice().to_vec(),
            pairs,
            iterations: [first, second],
            pseudo_log_likelihood,
        })
    }

    /// FISTA with backtracking, restarted where it turns against the gradient (Beck and Teboulle
    /// 2009; O'Donoghue and Candès 2015), over the couplings that `free` names.
    fn descend(&self, data: &Spins, start: DMatrix<f64>, free: &DMatrix<bool>, penalty: f64) -> (DMatrix<f64>, usize) {
        let (mut here, mut ahead) = (start.clone(), start);
        let (mut momentum, mut curvature) = (1.0f64, 8.0f64);
        for iteration in 0..self.iterations {
            let (loss, gradient) = data.gradient(&ahead);
            let next = loop {
                let shrink = penalty / curvature;
                let step = |at: f64, slope: f64, free: bool| {
                    let moved = at - slope / curvature;
                    if free { moved.signum() * (moved.abs() - shrink).max(0.0) } else { 0.0 }
                };
                let next = ahead.zip_zip_map(&gradient, free, step);
                let moved = &next - &ahead;
                // Both triangles are stored; the parameters are one of them.
                let bound = loss + 0.5 * (gradient.dot(&moved) + 0.5 * curvature * moved.norm_squared());
                if data.loss(&next) <= bound + 1e-12 * loss.abs() || curvature > 1e9 {
                    break next;
                }
                curvature *= 2.0;
            };
            let turned = (&ahead - &next).dot(&(&next - &here)) > 0.0;
            let moved = (&next - &here).amax();
            let faster = 0.5 * (1.0 + (1.0 + 4.0 * momentum * momentum).sqrt());
            (ahead, momentum) = if turned {
                (next.clone(), 1.0)
            } else {
                (&next + (&next - &here) * ((momentum - 1.0) / faster), faster)
            };
            here = next;
            if moved <= self.tolerance {
                return (here, iteration + 1);
            }
        }
        (here, self.iterations)
    }
}

/// Samples as ±1, shape `[site, row]` (a column for each row).
struct Spins {
    spins: DMatrix<f64>,
}

/// Rows of a part of the data: the parts are summed in order.
const PART: usize = 250;

impl Spins {
    fn new(samples: &TokenBatch) -> Self {
        let spin = |&token: &u32| 2.0 * f64::from(token) - 1.0;
        let spins = samples.as_slice().iter().map(spin);
        Self { spins: DMatrix::from_iterator(samples.len(), samples.rows(), spins) }
    }

    /// Calls for each part of the rows with its spins and fields `h = 2Js`; in the order of the
    /// rows.
    fn parts<R: Send>(
        &self,
        couplings: &DMatrix<f64>,
        act: impl Fn(DMatrixView<'_, f64>, DMatrix<f64>) -> R + Sync,
    ) -> Vec<R> {
        let (sites, rows) = self.spins.shape();
        let starts: Vec<usize> = (0..rows).step_by(PART).collect();
        let part = |&start: &usize| {
            let spins = self.spins.view((0, start), (sites, PART.min(rows - start)));
            let fields = couplings * spins * 2.0;
            act(spins, fields)
        };
        starts.par_iter().map(part).collect()
    }

    /// `−(1/N) Σ ln P(s_i | s_{−i})`.
    fn loss(&self, couplings: &DMatrix<f64>) -> f64 {
        let sums = self.parts(couplings, |spins, fields| cross_entropy(&spins, &fields));
        sums.iter().sum::<f64>() / self.spins.ncols() as f64
    }

    /// The loss and its gradient in the couplings of pairs, written in both triangles:
    /// `−(2/N) Σ [s_j (s_i − tanh h_i) + s_i (s_j − tanh h_j)]`.
    fn gradient(&self, couplings: &DMatrix<f64>) -> (f64, DMatrix<f64>) {
        let parts = self.parts(couplings, |spins, mut fields| {
            let loss = cross_entropy(&spins, &fields);
            fields.zip_apply(&spins, |field, spin| *field = spin - field.tanh());
            (loss, fields * spins.transpose())
        });
        let (sites, rows) = self.spins.shape();
        let (mut loss, mut sum) = (0.0, DMatrix::zeros(sites, sites));
        for (part, outer) in parts {
            loss += part;
            sum += outer;
        }
        (loss / rows as f64, (&sum + sum.transpose()) * (-2.0 / rows as f64))
    }
}

/// `Σ ln(1 + e^{−2 s h})`.
fn cross_entropy(spins: &DMatrixView<'_, f64>, fields: &DMatrix<f64>) -> f64 {
    let term = |(spin, field): (&f64, &f64)| {
        let x = -2.0 * spin * field;
        x.max(0.0) + (-x.abs()).exp().ln_1p()
    };
    spins.iter().zip(fields.iter()).map(term).sum()
}

/// `−ln RMSE` of couplings over all `D²` entries, zeros and diagonal included, as published: higher
/// is better. Both have shape `[site · site]`. With zeros as `found` it is the score of the null
/// model.
///
/// # Errors
/// When the shapes differ or there is no entry.
pub fn coupling_score(found: &[f64], truth: &[f64]) -> Result<f64> {
    EnergyError::unless_equal("entries of the couplings", found.len(), truth.len())?;
    EnergyError::unless_in_range(!truth.is_empty(), "entries of the couplings", 0.0, "at least 1")?;
    let sum: f64 = found.iter().zip(truth).map(|(a, b)| (a - b).powi(2)).sum();
    Ok(-0.5 * (sum / truth.len() as f64).ln())
}

/// The score that the Cramér–Rao bound allows near independence (E17): each of `nonzero` entries
/// has variance `1/4N`, the others none.
///
/// With the support of a square lattice known, `nonzero = 4D`, this is `½ ln(N·D)`; without,
/// `nonzero = D²`, it is `ln(2√N)`. Sparsity, not sampling, is what passes the second.
///
/// # Errors
/// When a number is 0.
pub fn cramer_rao_score(rows: usize, sites: usize, nonzero: usize) -> Result<f64> {
    for (key, found) in [("rows", rows), ("sites", sites), ("nonzero entries", nonzero)] {
        EnergyError::unless_in_range(found > 0, key, found as f64, "at least 1")?;
    }
    let (rows, entries) = (rows as f64, (sites as f64).powi(2));
    Ok(-0.5 * (nonzero as f64 / (4.0 * rows * entries)).ln())
}
