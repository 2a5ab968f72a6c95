//! The Bayes losses of a Markov source: the lowest that any network can reach.

use glauber_schedule::Schedule;
use rayon::prelude::*;

use super::MarkovSource;
use crate::statistics::Estimate;
use crate::{ChainError, ChainRng, Result, corrupt};

/// Bayes losses in nats per site, estimated over noisy sequences.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BayesLosses {
    /// Of binary classification, objectives (a) and (b): signal or noise, with `Z_j ~ Π_t` drawn afresh for each site.
    pub binary: Estimate,
    /// Of denoising cross-entropy, objective (c): `−log μ(X_{0,j})`.
    pub denoising: Estimate,
    /// Of step cross-entropy, objectives (d) and (e): `−log r(X_{t,j})`, the entropy of a noisy token given its
    /// context. With little signal left it is the entropy of the noise law, for any data.
    pub step: Estimate,
}

/// The contribution of one sequence, in nats per site.
struct SequenceLosses {
    binary: f64,
    denoising: f64,
    step: f64,
}

/// Bayes losses with `t` uniform in `0..T`, `X_t` drawn by equation (M), averaged over all sites.
///
/// Given the context `X_{t,-j}` the expected loss is a sum over tokens in closed form, so only `X_t` and `t` are sampled: sequence
/// `n` uses stream `n` of `seed`. The standard errors are over sequences.
///
/// # Errors
/// When the schedule has another vocabulary than the source, or there are fewer than two sequences.
pub fn bayes_losses(source: &MarkovSource, schedule: &Schedule, sequences: usize, seed: u64) -> Result<BayesLosses> {
    source.check_schedule(schedule)?;
    let expected = "at least 2, for a standard error";
    ChainError::unless_in_range(sequences >= 2, "sequences", sequences as f64, expected)?;
    let losses = (0..sequences as u64)
        .into_par_iter()
        .map(|stream| sequence_losses(source, schedule, ChainRng::new(seed, stream)))
        .collect::<Result<Vec<_>, _>>()?;
    let estimate = |of: fn(&SequenceLosses) -> f64| Estimate::independent(&losses.iter().map(of).collect::<Vec<_>>());
    Ok(BayesLosses {
        binary: estimate(|losses| losses.binary),
        denoising: estimate(|losses| losses.denoising),
        step: estimate(|losses| losses.step),
    })
}

fn sequence_losses(source: &MarkovSource, schedule: &Schedule, mut rng: ChainRng) -> Result<SequenceLosses> {
    let len = schedule.len();
    let clean = source.sample(len, &mut rng);
    let t = rng.below(schedule.horizon());
    let mut noisy = vec![0; len];
    corrupt(schedule, &clean, t, &mut rng, &mut noisy);
    let sites: Vec<usize> = (0..len).collect();
    let posteriors = source.denoising_posteriors(schedule, t, &noisy, &sites)?;
    let (mut binary, mut denoising, mut step) = (0.0, 0.0, 0.0);
    for (site, mu) in posteriors.chunks_exact(source.vocab()).enumerate() {
        denoising += mu.iter().map(|&m| weighted_log(m, m)).sum::<f64>();
        let level = schedule.signal_level(site, t);
        for (a, &m) in mu.iter().enumerate() {
            let r = level * m + (1.0 - level) * schedule.law_at(site, t).probability(a as u32);
            step += weighted_log(r, r);
            let noise = schedule.noise_probability(t, a as u32);
            let signal = schedule.keep_probability(t) * r;
            let shown = noise + signal;
            binary += weighted_log(noise, noise / shown) + weighted_log(signal, signal / shown);
        }
    }
    let sites = len as f64;
    Ok(SequenceLosses { binary: binary / sites, denoising: denoising / sites, step: step / sites })
}

/// `−mass · ln p`, zero where the mass is.
fn weighted_log(mass: f64, p: f64) -> f64 {
    if mass > 0.0 { -mass * p.ln() } else { 0.0 }
}
