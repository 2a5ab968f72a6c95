//! What a perfect sampler would score.

use statrs::function::gamma::ln_gamma;

/// The expected L1 distance `Σ |p̂ − π|` of `n` independent exact draws from their own law (E16):
/// the mean deviation of a binomial count (De Moivre), `(2/n) Σ_x m C(n, m) p^m (1 − p)^{n−m+1}` with `p = π(x)` and
/// `m = ⌊n p⌋ + 1`. For rare states it is Poisson's `2 e^{−λ} λ^{⌊λ⌋+1} / ⌊λ⌋! / n`, `λ = n p`. An empirical distance at this
/// floor says nothing about a sampler.
///
/// `probabilities` has shape `[state]`.
pub fn empirical_floor(probabilities: &[f64], n: usize) -> f64 {
    let draws = n as f64;
    let term = |&p: &f64| {
        if p <= 0.0 || p >= 1.0 {
            return 0.0;
        }
        let m = ((draws * p).floor() + 1.0).min(draws);
        let choose = ln_gamma(draws + 1.0) - ln_gamma(m + 1.0) - ln_gamma(draws - m + 1.0);
        (m.ln() + choose + m * p.ln() + (draws - m + 1.0) * (-p).ln_1p()).exp()
    };
    2.0 * probabilities.iter().map(term).sum::<f64>() / draws
}
