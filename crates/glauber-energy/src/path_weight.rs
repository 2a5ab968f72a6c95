//! Path weights of pairs of chains, and what they say of the partition function.

use glauber_chain::ChainRng;

use crate::target::log_sum_exp;

/// `log w` of a path of a pair of chains (E22): forward `x_0 ~ p_0, x_k ~ F_k(·|x_{k−1})`, backward `B_k(x_{k−1}|x_k)`.
///
/// ```text
/// log w = log γ(x_K) − log p_0(x_0) + Σ_k [ log B_k(x_{k−1}|x_k) − log F_k(x_k|x_{k−1}) ],   E w = Z
/// ```
///
/// Annealed importance sampling, particle filters, stochastic flows and samplers that learn are all this one sum. Where
/// the terms of a layer partly cancel, as in (E23) and (E25), [`gain`](Self::gain) adds what is left.
///
/// ```
/// use glauber_energy::PathWeight;
///
/// let mut weight = PathWeight::start(0.5f64.ln()); // x_0 is drawn with probability 1/2
/// weight.step(0.25f64.ln(), 0.75f64.ln());         // one layer: backward and forward probability
/// let log_w = weight.end(3f64.ln());               // γ(x_1) = 3
/// assert!((log_w - 2f64.ln()).abs() < 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PathWeight {
    log: f64,
}

impl PathWeight {
    /// A path that starts at a state of `log p_0`, in nats.
    pub fn start(log_probability: f64) -> Self {
        Self { log: -log_probability }
    }

    /// Adds a layer: `log B_k(x_{k−1}|x_k)` and `log F_k(x_k|x_{k−1})`. A bijection of states has 0 and 0.
    pub fn step(&mut self, log_backward: f64, log_forward: f64) {
        self.log += log_backward - log_forward;
    }

    /// Adds what is left of a layer whose terms partly cancel against those of its neighbours.
    pub fn gain(&mut self, increment: f64) {
        self.log += increment;
    }

    /// `log w` of a path that ends at a state of `log γ`.
    pub fn end(self, log_density: f64) -> f64 {
        self.log + log_density
    }

    /// `log w` of a path whose increments hold both ends already.
    pub fn log(self) -> f64 {
        self.log
    }
}

/// How an interval of `log Z` was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum IntervalMethod {
    /// The delta method: a normal interval of standard deviation `CV / √N`.
    Delta,
    /// A bootstrap of the log-weights, where fewer than 20 particles carry the weight at the end or at a resampling. It is
    /// too narrow if modes are missing. Its lower end is `−∞` where hardly any path is possible.
    Bootstrap,
}

/// An estimate of `log Z`, in nats.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct LogPartition {
    /// `ln (1/N) Σ w`, biased low by about `CV² / 2N`.
    pub estimate: f64,
    /// A 95 % interval, shifted by that bias.
    pub interval: [f64; 2],
    /// How the interval was found.
    pub method: IntervalMethod,
    /// Effective sample size over `N`: `(Σ w)² / (N Σ w²)`. It says nothing of modes that no particle has found.
    pub effective_share: f64,
    /// `E log w ≤ log Z`, the mean of the log-weights.
    pub lower_bound: f64,
}

/// The quantile of the standard normal law for a two-sided 95 % interval.
const Z95: f64 = 1.959_963_984_540_054;

impl LogPartition {
    /// The standard error of `estimate`, in nats: that of a normal law with this interval.
    pub fn standard_error(&self) -> f64 {
        (self.interval[1] - self.interval[0]) / (2.0 * Z95)
    }

    /// From the log-weights of independent paths, shape `[particle]`, in nats. `seed` is the bootstrap's.
    ///
    /// # Panics
    /// When there is no weight or one is NaN.
    pub fn new(log_weights: &[f64], seed: u64) -> Self {
        let alone: Vec<usize> = (0..log_weights.len()).collect();
        Self::of_filter(log_weights, &alone, &[], seed)
    }

    /// From the log-weights since the last resampling of a particle filter, shape `[particle]`; `families[i]` is the first
    /// particle that particle `i` descends from, and `before` has the mean weight and the effective particles at every
    /// resampling.
    ///
    /// The variance is the larger of two estimates. One is that of families as wholes (Chan and Lai 2013), too small once few
    /// families are left. The other is the sum of those of the weights between resamplings.
    pub(crate) fn of_filter(log_weights: &[f64], families: &[usize], before: &[(f64, f64)], seed: u64) -> Self {
        let n = log_weights.len() as f64;
        assert!(!log_weights.is_empty() && !log_weights.iter().any(|w| w.is_nan()), "log-weights that are numbers");
        let sum = log_sum_exp(log_weights);
        let shift: f64 = before.iter().map(|(log_mean, _)| log_mean).sum();
        let estimate = shift + sum - n.ln();
        let effective = effective_particles(log_weights);
        let lower_bound = shift + log_weights.iter().sum::<f64>() / n;
        let least = before.iter().map(|(_, particles)| *particles).fold(effective, f64::min);
        let segments = |lasts: &[f64]| -> f64 {
            before.iter().map(|(_, particles)| particles).chain(lasts).map(|k| 1.0 / k - 1.0 / n).sum()
        };
        // What each family of the first particles has gained over its first share.
        let mut excess = vec![-1.0 / n; log_weights.len()];
        families.iter().zip(log_weights).for_each(|(&family, log)| excess[family] += (log - sum).exp());
        let of_families: f64 = excess.iter().map(|x| x * x).sum();
        let variance = of_families.max(segments(&[effective])).max(0.0);
        let half = Z95 * variance.sqrt();
        let (interval, method) = if log_weights.len() == 1 || sum == f64::NEG_INFINITY {
            // One path says nothing of its error, and dead ones say nothing at all.
            ([f64::NEG_INFINITY, f64::INFINITY], IntervalMethod::Bootstrap)
        } else if least >= 20.0 {
            let middle = estimate + variance / 2.0;
            ([middle - half, middle + half], IntervalMethod::Delta)
        } else {
            // What the segments before add to the spread of the last one.
            let earlier = Z95 * segments(&[]).max(0.0).sqrt();
            let last = sum - n.ln();
            let [low, high] = bootstrap(log_weights, seed);
            let far = |width: f64| if before.is_empty() { width } else { width.hypot(earlier).max(half) };
            let ends = [-far(last - low), far(high - last)];
            (ends.map(|end| estimate + end), IntervalMethod::Bootstrap)
        };
        Self { estimate, interval, method, effective_share: effective / n, lower_bound }
    }
}

/// `(Σ w)² / Σ w²` of log-weights: how many equal weights would be worth as much.
pub fn effective_particles(log_weights: &[f64]) -> f64 {
    let twice: Vec<f64> = log_weights.iter().map(|w| 2.0 * w).collect();
    let log = 2.0 * log_sum_exp(log_weights) - log_sum_exp(&twice);
    if log.is_nan() { 0.0 } else { log.exp() }
}

/// The 2.5 % and 97.5 % quantiles of resampled estimates, which may be `−∞`.
fn bootstrap(log_weights: &[f64], seed: u64) -> [f64; 2] {
    const DRAWS: usize = 1000;
    let mut rng = ChainRng::new(seed, u64::MAX);
    let n = log_weights.len();
    let mut again = vec![0.0; n];
    let mut estimates: Vec<f64> = (0..DRAWS)
        .map(|_| {
            again.iter_mut().for_each(|w| *w = log_weights[rng.below(n)]);
            log_sum_exp(&again) - (n as f64).ln()
        })
        .collect();
    // No interpolation: minus infinity has none.
    estimates.sort_unstable_by(f64::total_cmp);
    [estimates[DRAWS / 40 - 1], estimates[DRAWS - DRAWS / 40]]
}
