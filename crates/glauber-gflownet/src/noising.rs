//! Reverse chains as GFlowNets: states are noisy sequences with their step, and the backward policy is the noise.

use glauber_chain::{ChainRng, ReverseKernel, SiteConditional, TokenRows, Touch};
use glauber_energy::{Base, EnergyError, Target};
use glauber_schedule::Schedule;
use glauber_tokens::{Token, TokenBatch};

use crate::{GflownetError, Result};

/// Log-weights of paths of a reverse chain, and where the paths ended.
#[derive(Debug, Clone, PartialEq)]
pub struct ReversePaths {
    /// The sequences at step 0, shape `[path, site]`.
    pub tokens: TokenBatch,
    /// `log w` of each path, in nats.
    pub log_weights: Vec<f64>,
}

/// Runs paths of a reverse chain from draws of a base to a target, and weighs them against the forward noising chain (E14):
///
/// ```text
/// log w = log γ(x_0) − log p(x_T) + Σ_t [ log W_t(x_t → x_{t+1}) − log K_t(x_t | x_{t+1}) ],   E w = Z
/// ```
///
/// `W_t(a → b) = Π_t(φ) 1{a = b} + Π_t(b)` is a touch of the noise at one site, and `K_t` is the kernel. `E w = Z` for any
/// conditional and kernel whose law allows what the noise allows. With the exact conditionals, one site a step and the [lazy
/// kernel](glauber_chain::Lazy) every path weighs `Z`, up to the start. [Heat bath](glauber_chain::HeatBath) forgets the token that a
/// site shows, and the noise does not: its weights vary however good the conditional is.
///
/// Path `i` has stream `i` of the seed.
///
/// # Errors
/// When sizes disagree, the conditional or the kernel fails, or the target is NaN or `+∞` at an end.
pub fn reverse_paths<K: ReverseKernel>(
    target: &dyn Target,
    base: &dyn Base,
    conditional: &dyn SiteConditional,
    schedule: &Schedule,
    kernel: &K,
    paths: usize,
    seed: u64,
) -> Result<ReversePaths> {
    let (len, vocab) = (schedule.len(), schedule.law().vocab());
    for (what, found, expected) in [
        ("sites of the target", target.len(), len),
        ("sites of the base", base.len(), len),
        ("tokens of the target", target.vocab(), vocab),
        ("tokens of the base", base.vocab(), vocab),
        ("tokens of the conditional", conditional.vocab(), vocab),
    ] {
        if found != expected {
            return Err(GflownetError::Mismatch { what, found, expected });
        }
    }
    let mut rngs = ChainRng::streams(seed, paths);
    let mut tokens = TokenBatch::filled(paths, len, 0);
    let mut log_weights = vec![0.0; paths];
    for (row, (rng, weight)) in rngs.iter_mut().zip(&mut log_weights).enumerate() {
        base.draw(rng, tokens.row_mut(row));
        *weight -= base.log_density(tokens.row(row));
    }
    for step in (0..schedule.horizon()).rev() {
        let sites = schedule.sites(step);
        let mut laws = vec![0.0; paths * sites.len() * vocab];
        let rows = TokenRows::new(tokens.as_slice(), len);
        conditional.log_conditionals(rows, step, sites, &mut laws).map_err(EnergyError::from)?;
        let each = laws.chunks_exact_mut(sites.len() * vocab).zip(&mut rngs).zip(&mut log_weights);
        for (row, ((laws, rng), weight)) in each.enumerate() {
            for (&site, law) in sites.iter().zip(laws.chunks_exact_mut(vocab)) {
                let shown = tokens.row(row)[site];
                let touch = Touch::new(schedule, step, site, shown);
                kernel.log_probabilities(&touch, law).map_err(|_| GflownetError::NoLaw { step, site, path: row })?;
                let drawn = crate::walks::draw(law, rng).ok_or(GflownetError::NoLaw { step, site, path: row })?;
                let token = drawn as Token;
                let stayed = if token == shown { touch.keep } else { 0.0 };
                *weight += (stayed + touch.noise(shown)).ln() - law[drawn];
                tokens.row_mut(row)[site] = token;
            }
        }
    }
    for (weight, tokens) in log_weights.iter_mut().zip(tokens.iter()) {
        let end = target.log_density(tokens);
        if end.is_nan() || end == f64::INFINITY {
            return Err(GflownetError::Reward { state: format!("{tokens:?}"), found: end });
        }
        *weight += end;
    }
    Ok(ReversePaths { tokens, log_weights })
}
