//! A data distribution with classes: each class a Markov chain.

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token};

use super::markov_posterior::Smoother;
use super::{MarkovConditional, MarkovSource};
use crate::controls::draw;
use crate::{ChainError, ChainRng, Result, SequenceLaw, SiteConditional, TokenRows};

/// π as a mixture: a class `c` with probability `w_c`, then a sequence of the class's [`MarkovSource`].
///
/// It has exact class-conditional and unconditional noisy conditionals, which is what guidance needs.
#[derive(Debug, Clone, PartialEq)]
pub struct MarkovMixture {
    weights: Vec<f64>,
    classes: Vec<MarkovSource>,
}

impl MarkovMixture {
    /// A mixture of sources over one vocabulary with class probabilities, shape `[class]`.
    ///
    /// # Errors
    /// When there is no class, or not one probability for each, or these do not sum to 1 within 1e-9, or vocabularies differ.
    pub fn new(weights: Vec<f64>, classes: Vec<MarkovSource>) -> Result<Self> {
        if classes.is_empty() || weights.len() != classes.len() {
            return Err(ChainError::Mismatch {
                what: "class probabilities, one for each of at least one class",
                found: weights.len(),
                expected: classes.len().max(1),
            });
        }
        ChainError::unless_law("the class probabilities", &weights, 1e-9)?;
        let expected = classes[0].vocab();
        let check = |class: &MarkovSource| ChainError::unless_equal("tokens of a class", class.vocab(), expected);
        classes.iter().try_for_each(check)?;
        Ok(Self { weights, classes })
    }

    /// Number of tokens `V`.
    pub fn vocab(&self) -> usize {
        self.classes[0].vocab()
    }

    /// The class probabilities, shape `[class]`.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The source of each class.
    pub fn classes(&self) -> &[MarkovSource] {
        &self.classes
    }

    /// A class and a sequence of it. Uses one uniform number more than there are tokens.
    pub fn sample(&self, len: usize, rng: &mut ChainRng) -> (usize, Vec<Token>) {
        // The weights are validated, so the draw cannot fail.
        let class = draw(&self.weights, rng.uniform()).unwrap_or_default() as usize;
        (class, self.classes[class].sample(len, rng))
    }

    /// `ln π(x)` in nats, `−∞` where impossible.
    ///
    /// # Panics
    /// When a token is outside the vocabulary.
    pub fn log_probability(&self, tokens: &[Token]) -> f64 {
        log_sum_exp(&self.joint_logs(tokens))
    }

    /// `P(class | x)`, shape `[class]`; all NaN for an impossible sequence.
    ///
    /// # Panics
    /// When a token is outside the vocabulary.
    pub fn class_posterior(&self, tokens: &[Token]) -> Vec<f64> {
        let logs = self.joint_logs(tokens);
        let total = log_sum_exp(&logs);
        logs.iter().map(|log| (log - total).exp()).collect()
    }

    fn joint_logs(&self, tokens: &[Token]) -> Vec<f64> {
        let classes = self.weights.iter().zip(&self.classes);
        classes.map(|(weight, class)| weight.ln() + class.log_probability(tokens)).collect()
    }

    /// The exact conditionals of one class under the forward chain of a schedule.
    ///
    /// # Errors
    /// When there is no such class, or the schedule has another vocabulary.
    pub fn class_conditional<'a>(&'a self, schedule: &'a Schedule, class: usize) -> Result<MarkovConditional<'a>> {
        let source = self.classes.get(class).ok_or(ChainError::Mismatch {
            what: "class, below the number of classes",
            found: class,
            expected: self.classes.len(),
        })?;
        source.conditional(schedule)
    }

    /// The exact conditionals of the mixture under the forward chain of a schedule, the class unknown.
    ///
    /// # Errors
    /// When the schedule has another vocabulary.
    pub fn conditional<'a>(&'a self, schedule: &'a Schedule) -> Result<MarkovMixtureConditional<'a>> {
        self.classes[0].check_schedule(schedule)?;
        Ok(MarkovMixtureConditional { mixture: self, schedule })
    }
}

impl SequenceLaw for MarkovMixture {
    fn name(&self) -> String {
        "mixture of Markov sources".into()
    }

    fn vocab(&self) -> usize {
        self.vocab()
    }

    fn sample(&self, len: usize, rng: &mut ChainRng) -> Vec<Token> {
        self.sample(len, rng).1
    }

    fn log_probability(&self, tokens: &[Token]) -> f64 {
        self.log_probability(tokens)
    }
}

/// The exact `r_i = Σ_c P(c | x_{t,-i}) r_{i,c}` of a [`MarkovMixture`] under a schedule. Clamped sites count as clean.
///
/// The probability of the context under each class comes from the forward–backward recursions that give `r_{i,c}`.
#[derive(Debug, Clone, Copy)]
pub struct MarkovMixtureConditional<'a> {
    mixture: &'a MarkovMixture,
    schedule: &'a Schedule,
}

impl SiteConditional for MarkovMixtureConditional<'_> {
    fn vocab(&self) -> usize {
        self.mixture.vocab()
    }

    fn len(&self) -> usize {
        self.schedule.len()
    }

    fn log_conditionals(&self, tokens: TokenRows<'_>, step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        self.conditionals(tokens, step, sites, out)?;
        out.iter_mut().for_each(|value| *value = value.ln());
        Ok(())
    }

    fn conditionals(&self, tokens: TokenRows<'_>, step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        if sites.is_empty() {
            return Ok(());
        }
        let (vocab, classes) = (self.vocab(), self.mixture.classes());
        let mut smoothers: Vec<Smoother<'_>> =
            classes.iter().map(|class| Smoother::new(class, self.schedule)).collect();
        let mut posteriors = vec![0.0; classes.len() * vocab];
        for (row, rates) in out.chunks_exact_mut(sites.len() * vocab).enumerate() {
            let noisy = tokens.row(row);
            for smoother in &mut smoothers {
                smoother.run(step, noisy, tokens.clamped(row), sites);
            }
            for (&site, rate) in sites.iter().zip(rates.chunks_exact_mut(vocab)) {
                let parts = smoothers.iter().zip(posteriors.chunks_exact_mut(vocab)).zip(&self.mixture.weights);
                let logs: Vec<f64> =
                    parts.map(|((smoother, mu), weight)| weight.ln() + smoother.posterior(site, mu)).collect();
                let total = log_sum_exp(&logs);
                if total == f64::NEG_INFINITY {
                    return Err(ChainError::Impossible { site, token: noisy[site], step });
                }
                let (level, noise) = (smoothers[0].level(site), self.schedule.law_at(site, step));
                for ((r, q), a) in rate.iter_mut().zip(noise.probabilities()).zip(0..) {
                    let mean: f64 =
                        logs.iter().enumerate().map(|(c, log)| (log - total).exp() * posteriors[c * vocab + a]).sum();
                    *r = level * mean + (1.0 - level) * q;
                }
            }
        }
        Ok(())
    }
}

/// `ln Σ e^x`, `−∞` for a sum of zeros.
fn log_sum_exp(logs: &[f64]) -> f64 {
    let peak = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if peak == f64::NEG_INFINITY {
        return peak;
    }
    peak + logs.iter().map(|log| (log - peak).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_mixtures_are_refused() {
        let class = |vocab| MarkovSource::random(vocab, 1, 1.0).unwrap();
        assert!(MarkovMixture::new(vec![], vec![]).is_err());
        assert!(MarkovMixture::new(vec![1.0], vec![class(2), class(2)]).is_err());
        assert!(MarkovMixture::new(vec![0.5, 0.6], vec![class(2), class(2)]).is_err());
        assert!(MarkovMixture::new(vec![1.5, -0.5], vec![class(2), class(2)]).is_err());
        assert!(MarkovMixture::new(vec![0.5, 0.5], vec![class(2), class(3)]).is_err());
    }

    #[test]
    fn class_posteriors_are_bayes() {
        let classes: Vec<_> = (0..3).map(|seed| MarkovSource::random(3, seed, 2.0).unwrap()).collect();
        let mixture = MarkovMixture::new(vec![0.2, 0.5, 0.3], classes).unwrap();
        let tokens = [0, 2, 1, 1];
        let joint: Vec<f64> =
            (0..3).map(|c| mixture.weights()[c] * mixture.classes()[c].log_probability(&tokens).exp()).collect();
        let sum: f64 = joint.iter().sum();
        assert!((mixture.log_probability(&tokens) - sum.ln()).abs() < 1e-12);
        for (found, expected) in mixture.class_posterior(&tokens).iter().zip(&joint) {
            assert!((found - expected / sum).abs() < 1e-12);
        }
        let (class, drawn) = mixture.sample(5, &mut ChainRng::new(1, 0));
        assert!(class < 3 && drawn.len() == 5);
    }
}
