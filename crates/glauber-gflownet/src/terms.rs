//! What an objective reads of a batch of paths, and the gradient by it.

use glauber_energy::{effective_particles, log_sum_exp};

/// The terms of groups of states and actions, in nats; also the gradient of a loss by them.
///
/// A group of `n` actions has `n` forward and backward terms and `n + 1` flows. In a path, the first flow is that of the
/// source, `log Z_θ`, and the last is `log R`. In a group of [`parents`](crate::Paths::parents), action `k` leads from state
/// `k` to the last one.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// Where the states of groups begin, shape `[group + 1]`.
    offsets: Vec<usize>,
    /// `log P_F` of each action, group by group.
    pub forward: Vec<f64>,
    /// `log P_B` of each action, group by group.
    pub backward: Vec<f64>,
    /// `log F` of each state, group by group.
    pub flow: Vec<f64>,
}

/// The terms of one group.
#[derive(Debug, PartialEq)]
pub struct Group<T> {
    /// Shape `[action]`.
    pub forward: T,
    /// Shape `[action]`.
    pub backward: T,
    /// Shape `[action + 1]`.
    pub flow: T,
}

impl Terms {
    /// Terms of 0 for groups whose states begin at the offsets, shape `[group + 1]`.
    pub fn zeros(offsets: &[usize]) -> Self {
        let states = offsets[offsets.len() - 1];
        let actions = states + 1 - offsets.len();
        Self {
            offsets: offsets.to_vec(),
            forward: vec![0.0; actions],
            backward: vec![0.0; actions],
            flow: vec![0.0; states],
        }
    }

    /// Number of groups.
    pub fn count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Where the states of groups begin, shape `[group + 1]`.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// The terms of a group.
    pub fn group(&self, group: usize) -> Group<&[f64]> {
        let [states, actions] = self.ranges(group);
        Group { forward: &self.forward[actions.clone()], backward: &self.backward[actions], flow: &self.flow[states] }
    }

    /// The terms of a group, to write.
    pub fn group_mut(&mut self, group: usize) -> Group<&mut [f64]> {
        let [states, actions] = self.ranges(group);
        Group {
            forward: &mut self.forward[actions.clone()],
            backward: &mut self.backward[actions],
            flow: &mut self.flow[states],
        }
    }

    fn ranges(&self, group: usize) -> [std::ops::Range<usize>; 2] {
        let (first, end) = (self.offsets[group], self.offsets[group + 1]);
        [first..end, first - group..end - group - 1]
    }

    /// `log w = log R(x) + Σ_k [ log P_B − log P_F ]` of every path: with paths drawn by `P_F`, `E w = Z` (E22).
    pub fn log_weights(&self) -> Vec<f64> {
        (0..self.count()).map(|group| self.group(group).log_weight()).collect()
    }

    /// `Σ_k [ log P_F − log P_B ]` of every path. Over paths that `P_B` leads back from `x`, the mean of its exponential is the
    /// probability that the sampler ends in `x`.
    pub fn log_path_ratios(&self) -> Vec<f64> {
        let last = |group: usize| self.flow[self.offsets[group + 1] - 1];
        self.log_weights().into_iter().enumerate().map(|(group, weight)| last(group) - weight).collect()
    }

    /// These terms with those of a prior policy in place of the backward ones. Where the rewards are likelihoods `c`, trajectory
    /// balance of them is relative trajectory balance (E11): it is 0 where the policy draws from the posterior,
    /// `prior(x) c(x) / Z` (Venkatraman et al. 2024).
    ///
    /// # Panics
    /// When the prior has other paths.
    #[must_use]
    pub fn relative_to(self, prior: &Self) -> Self {
        assert_eq!(self.offsets, prior.offsets, "the paths of the prior");
        Self { backward: prior.forward.clone(), ..self }
    }
}

impl Group<&[f64]> {
    /// `log R(x) + Σ_k [ log P_B − log P_F ]`.
    pub fn log_weight(&self) -> f64 {
        let steps: f64 = self.backward.iter().zip(self.forward).map(|(backward, forward)| backward - forward).sum();
        self.flow[self.flow.len() - 1] + steps
    }
}

impl Group<&mut [f64]> {
    /// Adds a number to the gradient by `log w`.
    pub fn add_log_weight(&mut self, by: f64) {
        self.forward.iter_mut().for_each(|g| *g -= by);
        self.backward.iter_mut().for_each(|g| *g += by);
        let last = self.flow.len() - 1;
        self.flow[last] += by;
    }
}

/// What log-weights of paths say of a sampler.
///
/// Effective paths of own samples say nothing of modes that the sampler misses. The upper bound does: it takes paths back
/// from exact samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evidence {
    /// The mean of `log w` over own paths: `ELBO ≤ log Z` (E15).
    pub lower: f64,
    /// The mean of `log w` over paths that lead back from samples of the target: `EUBO ≥ log Z`.
    pub upper: Option<f64>,
    /// Effective paths as a share of own ones, `(Σw)² / (n Σw²)`.
    pub effective_share: f64,
    /// How often [independence Metropolis](crate::IndependenceMetropolis) accepts own paths, once it has the target's law.
    pub acceptance: f64,
}

impl Evidence {
    /// From log-weights of own paths, and of paths back from exact samples.
    pub fn new(own: &[f64], back: Option<&[f64]>) -> Self {
        let mean = |logs: &[f64]| logs.iter().sum::<f64>() / logs.len() as f64;
        Self {
            lower: mean(own),
            upper: back.map(mean),
            effective_share: effective_particles(own) / own.len() as f64,
            acceptance: acceptance(own),
        }
    }
}

/// `Σ_i Σ_j min(p_i, p_j) / n`, with the shares `p ∝ w`: a chain that is at `i` with probability `p_i` gets `j`, one of `n`,
/// and accepts with `min(1, w_j / w_i)`.
fn acceptance(log_weights: &[f64]) -> f64 {
    let total = log_sum_exp(log_weights);
    if total == f64::NEG_INFINITY {
        return 0.0;
    }
    let mut shares: Vec<f64> = log_weights.iter().map(|log| (log - total).exp()).collect();
    shares.sort_by(f64::total_cmp);
    let n = shares.len();
    // The share of rank `k` is the least of 2 (n − k) − 1 pairs.
    let sums = shares.iter().enumerate().map(|(k, share)| share * (2 * (n - k) - 1) as f64);
    sums.sum::<f64>() / n as f64
}
