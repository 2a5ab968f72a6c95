//! Conditionals held over many steps.

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token};

/// The held evaluation of one row.
///
/// `r = α μ + (1 − α) q`, with `μ` the law of the site's clean token given its context and `α` the site's own signal
/// level. `α` is known at every step, so only `μ` is held, and mixed with the noise of the current step. The dependence
/// of `μ` on the other sites' levels stays that of the evaluation.
pub(super) struct Held<'a> {
    schedule: &'a Schedule,
    /// The step of the evaluation.
    pub step: Step,
    /// Shape `[site, token]`: `log r` of the evaluation, or `μ` at sites marked in `unmixed`.
    pub laws: &'a mut [f64],
    /// Shape `[site]`.
    pub unmixed: &'a mut [bool],
}

impl<'a> Held<'a> {
    pub fn new(schedule: &'a Schedule, step: Step, laws: &'a mut [f64], unmixed: &'a mut [bool]) -> Self {
        Self { schedule, step, laws, unmixed }
    }

    /// `r` of a site at a step with signal level `level`, shape `[token]`: probabilities, or their logarithms.
    pub fn rates(&mut self, site: Site, level: f64, logs: bool, out: &mut [f64]) {
        let noise = self.schedule.law_of_levels();
        let vocab = noise.vocab();
        let law = &mut self.laws[site * vocab..][..vocab];
        if !self.unmixed[site] {
            let evaluated = self.schedule.signal_level(site, self.step);
            if evaluated == level {
                // What was evaluated, to the last bit.
                out.copy_from_slice(law);
                if !logs {
                    out.iter_mut().for_each(|r| *r = r.exp());
                }
                return;
            }
            unmix(law, evaluated, noise.at(evaluated).probabilities());
            self.unmixed[site] = true;
        }
        for ((r, mu), q) in out.iter_mut().zip(&*law).zip(noise.at(level).probabilities()) {
            *r = level * mu + (1.0 - level) * q;
        }
        if logs {
            out.iter_mut().for_each(|r| *r = r.ln());
        }
    }

    /// The probability that a token drawn at a site with signal level `level` is signal: `1 − (1 − α) q / r`.
    pub fn signal(&self, site: Site, level: f64, token: Token) -> f64 {
        let noise = self.schedule.law_of_levels();
        let law = self.laws[site * noise.vocab() + token as usize];
        let noise = (1.0 - level) * noise.probability_at(level, token);
        let signal = if self.unmixed[site] { level * law } else { (law.exp() - noise).max(0.0) };
        // A draw has a positive rate; if it were 0, count the token in full.
        if signal + noise > 0.0 { signal / (signal + noise) } else { 1.0 }
    }
}

/// Converts `log r` to `μ = (r − (1 − α) q) / α`, in place, shape `[token]`. Negative entries, from rounding or a
/// conditional that is not such a mixture, are set to 0, and the rest is normalised. If nothing remains, the result is
/// `r`. A NaN stays a NaN.
pub(crate) fn unmix(law: &mut [f64], level: f64, q: &[f64]) {
    // Not `max`, which would drop a NaN.
    let clean = |r: f64, q: f64| if r < (1.0 - level) * q { 0.0 } else { r - (1.0 - level) * q };
    law.iter_mut().for_each(|r| *r = r.exp());
    let mass: f64 = law.iter().zip(q).map(|(&r, &q)| clean(r, q)).sum();
    if mass != 0.0 {
        law.iter_mut().zip(q).for_each(|(r, &q)| *r = clean(*r, q) / mass);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glauber_schedule::{NoiseLaw, SignalShape, SiteOrder};
    use proptest::prelude::*;

    #[test]
    fn broken_rows_stay_broken_and_empty_ones_stay_as_they_are() {
        let mut row = [f64::NAN, -1.0];
        unmix(&mut row, 0.5, &[0.5, 0.5]);
        assert!(row.iter().sum::<f64>().is_nan());
        let mut row = [0.5f64.ln(), f64::NEG_INFINITY];
        unmix(&mut row, 1e-3, &[0.9, 0.1]);
        assert_eq!(row, [0.5, 0.0]);
    }

    #[test]
    fn the_evaluated_step_gives_back_what_was_evaluated() {
        let order = SiteOrder::round_robin(2, 3).unwrap();
        let schedule = Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(3).unwrap(), 1e-3, false).unwrap();
        let evaluated: Vec<f64> = [0.5f64, 0.3, 0.2, 0.9, 0.05, 0.05].map(f64::ln).to_vec();
        let (mut laws, mut unmixed) = (evaluated.clone(), [false; 2]);
        let mut held = Held::new(&schedule, 3, &mut laws, &mut unmixed);
        let mut out = [0.0; 3];
        held.rates(1, schedule.signal_level(1, 3), true, &mut out);
        let noise = (1.0 - schedule.signal_level(1, 3)) / 3.0;
        assert!((held.signal(1, schedule.signal_level(1, 3), 0) - (1.0 - noise / 0.9)).abs() < 1e-12);
        assert_eq!(held.signal(1, schedule.signal_level(1, 3), 2), 0.0);
        assert_eq!(out, evaluated[3..]);
        held.rates(0, schedule.signal_level(0, 2), false, &mut out);
        assert_eq!((held.unmixed[0], held.unmixed[1]), (true, false));
        // Site 0 has been touched twice before step 3: α is close to 1/3, and the clip takes token 2.
        let noise = (1.0 - schedule.signal_level(0, 3)) / 3.0;
        held.rates(0, 1.0, false, &mut out);
        let mass = 0.8 - 2.0 * noise;
        assert_eq!((held.signal(0, 1.0, 0), held.signal(0, 0.5, 2)), (1.0, 0.0));
        for (found, expected) in out.iter().zip([(0.5 - noise) / mass, (0.3 - noise) / mass, 0.0]) {
            assert!((found - expected).abs() < 1e-12, "{out:?}");
        }
    }

    proptest! {
        /// Any `μ` comes back from its mixture at a level as low as 1e-3, and mixed again at any other.
        #[test]
        fn mixtures_are_undone(w in prop::collection::vec(0u8..5, 2..9), counts in prop::collection::vec(1u8..9, 9), level in 1e-3..1.0f64) {
            let sum: f64 = w.iter().map(|&w| f64::from(w)).sum();
            prop_assume!(sum > 0.0);
            let mu: Vec<f64> = w.iter().map(|&w| f64::from(w) / sum).collect();
            let counts = &counts[..w.len()];
            let noise: f64 = counts.iter().map(|&c| f64::from(c)).sum();
            let q: Vec<f64> = counts.iter().map(|&c| f64::from(c) / noise).collect();
            let mut row: Vec<f64> = mu.iter().zip(&q).map(|(m, q)| (level * m + (1.0 - level) * q).ln()).collect();
            unmix(&mut row, level, &q);
            for (found, mu) in row.iter().zip(&mu) {
                prop_assert!((found - mu).abs() < 1e-12, "{} {}", found, mu);
            }
        }
    }
}
