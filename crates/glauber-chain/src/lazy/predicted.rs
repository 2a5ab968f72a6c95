//! The expected number of changes of a time reversal.

use glauber_schedule::Schedule;

use crate::{ChainError, Result};

/// The expected number of changes at each site of one chain, shape `[site]`: how often the forward chain, and so its
/// time reversal by [`Lazy`](crate::Lazy), replaces a token by a different one.
///
/// `marginals` are the laws of single sites of the data, shape `[site · token]`. Before step `t` site `i` shows `a`
/// with probability `α_i(t) π_i(a) + (1 − α_i(t)) q(a)`. The expected number at site `i` is therefore `Σ_t β_t (1 − Σ_a
/// q̃(a) (α_i(t) π_i(a) + (1 − α_i(t)) q(a)))` over the steps that touch it, where `q̃` is their noise law (`q`, unless
/// it moves). It is exact for single-site orders, exact conditionals and a start from the law of `X_T`.
///
/// With `T` the horizon and `K` the number of touches, it is
/// - `1 − α_i(T)` for absorbing noise on data without masks;
/// - `(1 − 1/V) Σ_t β_t` for uniform noise and any data. The sum is `K (1 − α_T^{1/K})` if all `β_t` are equal. It is
///   always below `ln(1/α_T)`, its limit for many sweeps of a shape that reaches `α_T` smoothly. For the linear shape
///   `β_t` is close to `1 / (K − k)` in sweep `k`, and the sum close to `ln K + 0.58` while `K α_T` is small.
///
/// # Errors
/// When `marginals` has another size, or one of them does not sum to 1 within 1e-6.
pub fn predicted_changes(schedule: &Schedule, marginals: &[f64]) -> Result<Vec<f64>> {
    let vocab = schedule.law().vocab();
    let what = "entries of the marginals, one for each site and token";
    ChainError::unless_equal(what, marginals.len(), schedule.len() * vocab)?;
    for (site, marginal) in marginals.chunks_exact(vocab).enumerate() {
        ChainError::unless_law(&format!("the marginal of site {site}"), marginal, 1e-6)?;
    }
    let mut changes = vec![0.0; schedule.len()];
    for t in 0..schedule.horizon() {
        let (beta, drawn) = (schedule.beta(t), schedule.step_law(t).probabilities());
        // The chance that noise draws what stands there, when that is data and when it is noise.
        let against = |law: &[f64]| law.iter().zip(drawn).map(|(p, q)| p * q).sum::<f64>();
        for &site in schedule.sites(t) {
            let level = schedule.signal_level(site, t);
            let same_as_data = against(&marginals[site * vocab..][..vocab]);
            let same_as_noise = against(schedule.law_at(site, t).probabilities());
            changes[site] += beta * (1.0 - level * same_as_data - (1.0 - level) * same_as_noise);
        }
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use glauber_schedule::{NoiseLaw, SignalShape, SiteOrder};

    const END: f64 = 1e-3;

    fn schedule(shape: SignalShape, law: NoiseLaw, sweeps: usize) -> Schedule {
        Schedule::new(shape, SiteOrder::round_robin(2, sweeps).unwrap(), law, END, false).unwrap()
    }

    #[test]
    fn closed_forms() {
        let marginals = [0.7, 0.3, 0.0, 0.2, 0.8, 0.0];
        for shape in [SignalShape::Linear, SignalShape::Cosine, SignalShape::LogLinear, SignalShape::ConstantBeta] {
            let absorbing = schedule(shape, NoiseLaw::absorbing(3, 2).unwrap(), 16);
            for found in predicted_changes(&absorbing, &marginals).unwrap() {
                assert!((found - (1.0 - END)).abs() < 1e-12, "{found}");
            }
            let uniform = schedule(shape, NoiseLaw::uniform(3).unwrap(), 16);
            let found = predicted_changes(&uniform, &marginals).unwrap()[0];
            assert!(found < 2.0 / 3.0 * (1.0 / END).ln(), "{found}");
        }
        let constant = schedule(SignalShape::ConstantBeta, NoiseLaw::uniform(3).unwrap(), 16);
        let found = predicted_changes(&constant, &marginals).unwrap()[1];
        assert!((found - 2.0 / 3.0 * 16.0 * (1.0 - END.powf(1.0 / 16.0))).abs() < 1e-12);
        let linear = schedule(SignalShape::Linear, NoiseLaw::uniform(3).unwrap(), 32);
        let found = predicted_changes(&linear, &marginals).unwrap()[1];
        assert!((found - 2.0 / 3.0 * (32f64.ln() + 0.58)).abs() < 0.03, "{found}");
    }

    #[test]
    fn bad_marginals_are_refused() {
        let schedule = schedule(SignalShape::Linear, NoiseLaw::uniform(3).unwrap(), 4);
        assert!(predicted_changes(&schedule, &[0.5; 3]).is_err());
        assert!(predicted_changes(&schedule, &[0.5; 6]).is_err());
        assert!(predicted_changes(&schedule, &[1.5, -0.5, 0.0, 1.0, 0.0, 0.0]).is_err());
    }
}
