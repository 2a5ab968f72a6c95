//! What one touch of one site contributes to the bound.

use glauber_schedule::{NoiseLaw, Schedule};
use glauber_tokens::{Site, Step, Token};

use super::BoundKernel;

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

/// Step `step` touched `site`, which held `clean` at time 0 and shows `shown` afterwards.
#[derive(Debug, Clone, Copy)]
pub(super) struct Touch {
    pub step: Step,
    pub site: Site,
    clean: usize,
    shown: usize,
    /// `α_i(t)`, before the step.
    level: f64,
    /// `Π_t(φ)`.
    keep: f64,
    /// `Π_t(shown)`.
    noise: f64,
}

impl Touch {
    pub fn new(schedule: &Schedule, step: Step, site: Site, clean: Token, shown: Token) -> Self {
        Self {
            step,
            site,
            clean: clean as usize,
            shown: shown as usize,
            level: schedule.signal_level(site, step),
            keep: schedule.keep_probability(step),
            noise: schedule.noise_probability(step, shown),
        }
    }

    /// `KL(P(X_{t,i} | X_{t+1}, X_0) ‖ p_θ(X_{t,i} | X_{t+1}))` in nats for normalised `ln r_θ`, shape `[token]`.
    ///
    /// Both kernels of equation (L) are `r(b) K(b → shown) / Z` with `Z = Π_t(φ) r(shown) + Π_t(shown)`, so `K` cancels in the
    /// logarithm of their ratio.
    ///
    /// # Errors
    /// The token that the model forbids though the posterior allows it.
    pub fn divergence(&self, kernel: BoundKernel, noise: &Noise<'_>, log_rates: &[f64]) -> Result<f64, Token> {
        if kernel == BoundKernel::Lazy && self.noise == 0.0 {
            // Only signal can show this token: posterior and model both keep it.
            return Ok(0.0);
        }
        let log_mass = (self.keep * self.before(noise, self.shown) + self.noise).ln();
        let mut sum = 0.0;
        for (b, log_rate) in log_rates.iter().enumerate() {
            let transition = if b == self.shown { self.keep + self.noise } else { self.noise };
            let posterior = self.before(noise, b) * transition * (-log_mass).exp();
            if posterior == 0.0 {
                continue;
            }
            if *log_rate == f64::NEG_INFINITY {
                return Err(b as Token);
            }
            let log_ratio = match kernel {
                BoundKernel::Lazy => self.log_before(noise, b) - log_rate,
                BoundKernel::HeatBath => self.log_before(noise, b) + transition.ln() - log_mass - log_rate,
            };
            sum += posterior * log_ratio;
        }
        Ok(match kernel {
            BoundKernel::Lazy => {
                let model = log_add(self.keep.ln() + log_rates[self.shown], self.noise.ln());
                sum + model - log_mass
            }
            BoundKernel::HeatBath => sum,
        })
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

/// `ln(e^a + e^b)`, `a` possibly `−∞`, `b` finite.
fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = (a.min(b), a.max(b));
    high + (low - high).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use super::*;
    use glauber_schedule::{SignalShape, SiteOrder};

    fn schedule(law: NoiseLaw) -> Schedule {
        Schedule::new(SignalShape::Linear, SiteOrder::round_robin(2, 4).unwrap(), law, 1e-3, false).unwrap()
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
            let noise = Noise::new(schedule.law());
            let rates: [f64; 3] = [0.2, 0.7, 0.1];
            let logs = rates.map(f64::ln);
            for t in (0..schedule.horizon()).step_by(2) {
                for (clean, shown) in [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2)] {
                    if clean != shown && schedule.law().probability(shown) == 0.0 {
                        continue;
                    }
                    let touch = Touch::new(&schedule, t, 0, clean, shown);
                    for kernel in [BoundKernel::Lazy, BoundKernel::HeatBath] {
                        let found = touch.divergence(kernel, &noise, &logs).unwrap();
                        let lazy = kernel == BoundKernel::Lazy;
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
        let noise = Noise::new(schedule.law());
        let touch = Touch::new(&schedule, 0, 0, 0, 1);
        // r(0) = e^{-2000}: the posterior is certain of token 0, so the divergence is 2000 + ln Z − ln Π(1).
        let found = touch.divergence(BoundKernel::Lazy, &noise, &[-2000.0, 0.0, f64::NEG_INFINITY]).unwrap();
        let (keep, shown) = (schedule.keep_probability(0), schedule.noise_probability(0, 1));
        assert!((found - (2000.0 + ((keep + shown) / shown).ln())).abs() < 1e-9);
        let forbidden = touch.divergence(BoundKernel::Lazy, &noise, &[f64::NEG_INFINITY, 0.0, -1.0]);
        assert_eq!(forbidden, Err(0));
    }
}
