//! What a perfect sampler would score.

use statrs::function::gamma::ln_gamma;

/// The expected L1 distance `Σ |p̂ − π|` of `n` independent exact draws from their own law (E16):
/// `2 Σ_x e^{−λ} λ^{⌊λ⌋+1} / ⌊λ⌋! / n` with `λ = n π(x)`. An empirical distance at this floor says nothing about a sampler.
///
/// `probabilities` has shape `[state]`.
pub fn empirical_floor(probabilities: &[f64], n: usize) -> f64 {
    let draws = n as f64;
    let term = |&p: &f64| {
        let rate = draws * p;
        if rate == 0.0 {
            return 0.0;
        }
        let whole = rate.floor();
        (-rate + (whole + 1.0) * rate.ln() - ln_gamma(whole + 1.0)).exp()
    };
    2.0 * probabilities.iter().map(term).sum::<f64>() / draws
}
