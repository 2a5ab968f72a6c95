//! The contribution of one touch of one site to the bound.

use glauber_schedule::NoiseLaw;
use glauber_tokens::Token;

use crate::Touch;

/// The noise law and its logarithms, shape `[token]`.
#[derive(Debug, Clone)]
pub(super) struct Noise<'a> {
    probabilities: &'a [f64],
    logs: Vec<f64>,
}

impl<'a> Noise<'a> {
    pub fn new(law: &'a NoiseLaw) -> Self {
        let probabilities = law.probabilities();
        Self { probabilities, logs: probabilities.iter().map(|q| q.ln()).collect() }
    }

    pub fn vocab(&self) -> usize {
        self.probabilities.len()
    }

    pub fn probabilities(&self) -> &[f64] {
        self.probabilities
    }
}

/// A touched site with its token at time 0.
#[derive(Debug, Clone, Copy)]
pub(super) struct Posterior<'a> {
    touch: Touch<'a>,
    clean: usize,
    /// `α_i(t)`, before the step.
    level: f64,
}

impl<'a> Posterior<'a> {
    pub fn new(touch: Touch<'a>, clean: Token) -> Self {
        Self { touch, clean: clean as usize, level: touch.signal_level() }
    }

    /// `KL(P(X_{t,i} | X_{t+1}, X_0) ‖ p_θ(X_{t,i} | X_{t+1}))` in nats for the law `ln p_θ` of a kernel, shape `[token]`.
    ///
    /// # Errors
    /// A token that the model forbids and the posterior allows.
    pub fn divergence(&self, noise: &Noise<'_>, log_model: &[f64]) -> Result<f64, Token> {
        let shown = self.touch.shown as usize;
        let (keep, drawn) = (self.touch.keep, self.touch.noise(self.touch.shown));
        let mass = keep * self.before(noise, shown) + drawn;
        let [to_itself, to_another] =
            [keep + drawn, drawn].map(|transition| (transition / mass, (transition / mass).ln()));
        let mut sum = 0.0;
        for (b, log_model) in log_model.iter().enumerate() {
            let (share, log_share) = if b == shown { to_itself } else { to_another };
            let posterior = self.before(noise, b) * share;
            if posterior == 0.0 {
                continue;
            }
            if *log_model == f64::NEG_INFINITY {
                return Err(b as Token);
            }
            sum += posterior * (self.log_before(noise, b) + log_share - log_model);
        }
        Ok(sum)
    }

    /// `P(X_{t,i} = b | X_0)`, equation (M).
    fn before(&self, noise: &Noise<'_>, b: usize) -> f64 {
        let signal = if b == self.clean { self.level } else { 0.0 };
        signal + (1.0 - self.level) * noise.probabilities[b]
    }

    fn log_before(&self, noise: &Noise<'_>, b: usize) -> f64 {
        if b == self.clean { self.before(noise, b).ln() } else { (1.0 - self.level).ln() + noise.logs[b] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HeatBath, Lazy, ReverseKernel};
    use glauber_schedule::{Schedule, SignalShape, SiteOrder};
    use glauber_tokens::Step;

    fn schedule(law: NoiseLaw) -> Schedule {
        Schedule::new(SignalShape::Linear, SiteOrder::round_robin(2, 4).unwrap(), law, 1e-3, false).unwrap()
    }

    /// The term of a touch of site 0.
    fn divergence(
        schedule: &Schedule,
        kernel: &dyn ReverseKernel,
        (t, clean, shown): (Step, Token, Token),
        log_rates: &[f64],
    ) -> Result<f64, Token> {
        let touch = Touch::new(schedule, t, 0, shown);
        let mut logs = log_rates.to_vec();
        kernel.log_probabilities(&touch, &mut logs).unwrap();
        Posterior::new(touch, clean).divergence(&Noise::new(schedule.law()), &logs)
    }

    /// The posterior by Bayes, token by token, and the divergence by definition.
    fn by_definition(schedule: &Schedule, t: Step, clean: u32, shown: u32, rates: &[f64], lazy: bool) -> f64 {
        let transition = |b: u32| {
            let stay = if b == shown { schedule.keep_probability(t) } else { 0.0 };
            stay + schedule.noise_probability(t, shown)
        };
        let before = |b: u32| {
            let level = schedule.signal_level(0, t);
            let stay = if b == clean { level } else { 0.0 };
            stay + (1.0 - level) * schedule.law().probability(b)
        };
        let normalise = |weights: Vec<f64>| -> Vec<f64> {
            let sum: f64 = weights.iter().sum();
            weights.iter().map(|w| w / sum).collect()
        };
        let tokens = 0..rates.len() as u32;
        let posterior = normalise(tokens.clone().map(|b| before(b) * transition(b)).collect());
        let model = normalise(tokens.map(|b| rates[b as usize] * if lazy { transition(b) } else { 1.0 }).collect());
        let terms = posterior.iter().zip(&model).filter(|(p, _)| **p > 0.0);
        terms.map(|(p, m)| p * (p / m).ln()).sum()
    }

    #[test]
    fn divergences_equal_their_definition() {
        let mixture = NoiseLaw::mixture(&[
            (0.6, NoiseLaw::absorbing(3, 2).unwrap()),
            (0.4, NoiseLaw::unigram(&[1, 4, 0], 0.0).unwrap()),
        ]);
        for law in [NoiseLaw::uniform(3), NoiseLaw::absorbing(3, 2), mixture] {
            let schedule = schedule(law.unwrap());
            let rates: [f64; 3] = [0.2, 0.7, 0.1];
            let logs = rates.map(f64::ln);
            for t in (0..schedule.horizon()).step_by(2) {
                for (clean, shown) in [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2)] {
                    if clean != shown && schedule.law().probability(shown) == 0.0 {
                        continue;
                    }
                    let kernels: [&dyn ReverseKernel; 2] = [&Lazy::default(), &HeatBath::default()];
                    for (kernel, lazy) in kernels.into_iter().zip([true, false]) {
                        let found = divergence(&schedule, kernel, (t, clean, shown), &logs).unwrap();
                        let expected = by_definition(&schedule, t, clean, shown, &rates, lazy);
                        assert!((found - expected).abs() < 1e-12, "{kernel:?} {t} {clean} {shown}: {found} {expected}");
                    }
                }
            }
        }
    }

    #[test]
    fn tiny_rates_do_not_underflow() {
        let schedule = schedule(NoiseLaw::uniform(3).unwrap());
        let divergence = |log_rates: &[f64]| divergence(&schedule, &Lazy::default(), (0, 0, 1), log_rates);
        // r(0) = e^{-2000}: the posterior is certain of token 0, so the divergence is 2000 + ln Z − ln Π(1).
        let found = divergence(&[-2000.0, 0.0, f64::NEG_INFINITY]).unwrap();
        let (keep, shown) = (schedule.keep_probability(0), schedule.noise_probability(0, 1));
        assert!((found - (2000.0 + ((keep + shown) / shown).ln())).abs() < 1e-9);
        let forbidden = divergence(&[f64::NEG_INFINITY, 0.0, -1.0]);
        assert_eq!(forbidden, Err(0));
    }
}
