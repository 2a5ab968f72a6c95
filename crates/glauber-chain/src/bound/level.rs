//! The bound in continuous time: the contribution of one site at one signal level.

use glauber_schedule::NoiseLaw;
use glauber_tokens::Token;

/// The contribution of a site to the bound on `−ln p_θ(X_0)`, in nats per unit of `−ln α`, if all sites are equally
/// noisy:
///
/// `(ρ(a) / r_0(a)) [ KL(r_0 ‖ r_θ) + g(r_0(a) / r_θ(a)) ]`, `g(y) = y − ln y − 1`
///
/// (GIDD, von Rütte et al. 2025; `docs/math.md`, §8). The site shows `a`, and its clean token is `clean`; `r_0 = α
/// 1{clean} + (1 − α) q` and `r_θ = α μ + (1 − α) q`. `ρ` is the law of noise at the level, `q` unless the law moves.
/// `log_mu` is `ln μ`, shape `[token]`. The integral over `−ln α`, in expectation over (M) and summed over sites, is
/// the bound (N) of infinitely many sweeps. On every draw it equals the loss of MDLM and MD4 under absorbing noise, of
/// UDLM and Duo under uniform noise, and of SEDD with the ratios of `r_θ`.
///
/// # Panics
/// When a token is outside the vocabulary, `log_mu` is of another one, or the level is not in `(0, 1)`.
pub fn level_term(law: &NoiseLaw, level: f64, shown: Token, clean: Token, log_mu: &[f64]) -> f64 {
    assert_eq!(log_mu.len(), law.vocab(), "one probability for each token of the noise law");
    assert!(level > 0.0 && level < 1.0, "a signal level is {level}, expected one in (0, 1)");
    let (at, rate) = (law.at(level), law.rate(level));
    let (q, rate) = (at.probabilities(), rate.probabilities());
    let noise = |b: usize| (1.0 - level) * q[b];
    let truth = |b: usize| noise(b) + if b == clean as usize { level } else { 0.0 };
    let model = |b: usize| noise(b) + level * log_mu[b].exp();
    let shown = shown as usize;
    if rate[shown] == 0.0 {
        // Noise cannot have drawn it: nothing is lost here.
        return 0.0;
    }
    let term = |b: usize| match truth(b) {
        0.0 => 0.0,
        r => r * (r.ln() - ln_model(noise(b), level.ln() + log_mu[b])),
    };
    let divergence: f64 = (0..q.len()).map(term).sum();
    let ratio = truth(shown) / model(shown);
    rate[shown] / truth(shown) * (divergence + ratio - ratio.ln() - 1.0)
}

/// `ln(noise + e^signal)`, stable if either is tiny.
fn ln_model(noise: f64, signal: f64) -> f64 {
    if noise == 0.0 { signal } else { noise.ln() + (signal - noise.ln()).exp().ln_1p() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChainRng;

    const LEVELS: [f64; 4] = [0.02, 0.3, 0.7, 0.98];

    fn log_mu(vocab: usize, rng: &mut ChainRng) -> Vec<f64> {
        let weights: Vec<f64> = (0..vocab).map(|_| (2.0 * rng.uniform()).exp()).collect();
        let mass: f64 = weights.iter().sum();
        weights.iter().map(|weight| (weight / mass).ln()).collect()
    }

    /// UDLM (Schiff et al. 2024) and Duo, a unit of `−ln α`: with `y_b = V α 1{b = X_0} + 1 − α` and `ŷ_b` the same of `μ`,
    /// `(1/V) [V / ŷ_a − V / y_a + Σ_b (y_b / y_a) ln(ŷ_a y_b / (ŷ_b y_a))]`.
    fn udlm(vocab: usize, level: f64, shown: usize, clean: usize, log_mu: &[f64]) -> f64 {
        let v = vocab as f64;
        let y = |b: usize| 1.0 - level + if b == clean { v * level } else { 0.0 };
        let of_mu = |b: usize| 1.0 - level + v * level * log_mu[b].exp();
        let sum: f64 = (0..vocab).map(|b| y(b) / y(shown) * (of_mu(shown) * y(b) / (of_mu(b) * y(shown))).ln()).sum();
        (v / of_mu(shown) - v / y(shown) + sum) / v
    }

    /// SEDD's score entropy (Lou et al. 2024) with `s(b) = r_θ(b) / r_θ(a)`, a unit of `−ln α`:
    /// `Σ_{b ≠ a} ρ(a) [s(b) − y ln s(b) + y ln y − y]`, `y = r_0(b) / r_0(a)`.
    fn score_entropy(law: &NoiseLaw, level: f64, shown: usize, clean: usize, log_mu: &[f64]) -> f64 {
        let (at, rate) = (law.at(level), law.rate(level));
        let q = at.probabilities();
        let truth = |b: usize| (1.0 - level) * q[b] + if b == clean { level } else { 0.0 };
        let model = |b: usize| (1.0 - level) * q[b] + level * log_mu[b].exp();
        let term = |b: usize| {
            let (s, y) = (model(b) / model(shown), truth(b) / truth(shown));
            s - y * s.ln() + if y > 0.0 { y * y.ln() } else { 0.0 } - y
        };
        rate.probabilities()[shown] * (0..q.len()).filter(|&b| b != shown).map(term).sum::<f64>()
    }

    #[test]
    fn it_is_the_loss_of_udlm_and_duo_draw_by_draw() {
        let (law, mut rng) = (NoiseLaw::uniform(5).unwrap(), ChainRng::new(1, 0));
        for level in LEVELS {
            let log_mu = log_mu(5, &mut rng);
            for (shown, clean) in (0..5).flat_map(|a| (0..5).map(move |b| (a, b))) {
                let found = level_term(&law, level, shown, clean, &log_mu);
                let expected = udlm(5, level, shown as usize, clean as usize, &log_mu);
                assert!((found - expected).abs() < 1e-12 * expected.max(1.0), "{found} {expected}");
            }
        }
    }

    #[test]
    fn it_is_the_score_entropy_of_its_own_ratios_whatever_the_noise() {
        let uniform = NoiseLaw::uniform(4).unwrap();
        let masks = NoiseLaw::absorbing(4, 3).unwrap();
        let mixture = NoiseLaw::mixture(&[(0.6, masks), (0.4, uniform.clone())]).unwrap();
        let mut rng = ChainRng::new(2, 0);
        let moving = NoiseLaw::moving(4, 3, 0.3).unwrap();
        for law in [uniform, mixture, NoiseLaw::unigram(&[5, 1, 2, 4], 0.0).unwrap(), moving] {
            for level in LEVELS {
                let log_mu = log_mu(4, &mut rng);
                for (shown, clean) in (0..4).flat_map(|a| (0..4).map(move |b| (a, b))) {
                    let found = level_term(&law, level, shown, clean, &log_mu);
                    let expected = score_entropy(&law, level, shown as usize, clean as usize, &log_mu);
                    assert!((found - expected).abs() < 1e-12 * expected.max(1.0), "{found} {expected}");
                }
            }
        }
    }

    /// MDLM (Sahoo et al. 2024) and MD4 (Shi et al. 2024): `−ln μ(X_0)` at masks, `α / (1 − α)` a unit of `−ln α`, and nothing elsewhere.
    #[test]
    fn under_absorbing_noise_it_is_the_loss_of_mdlm() {
        let (law, mut rng) = (NoiseLaw::absorbing(4, 3).unwrap(), ChainRng::new(3, 0));
        for level in LEVELS {
            let mut log_mu = log_mu(3, &mut rng);
            log_mu.push(f64::NEG_INFINITY);
            for clean in 0..3 {
                let found = level_term(&law, level, 3, clean, &log_mu);
                let expected = level / (1.0 - level) * -log_mu[clean as usize];
                assert!((found - expected).abs() < 1e-12 * expected.max(1.0), "{found} {expected}");
                assert_eq!(level_term(&law, level, clean, clean, &log_mu), 0.0);
            }
        }
    }
}
