//! The Markov source of a run, built anew from its configuration.

use glauber_chain::oracles::{MarkovMixture, MarkovSource};
use glauber_chain::{ChainRng, SiteConditional};
use glauber_schedule::Schedule;
use glauber_tokens::Token;
use glauber_train::DataConfig;

use crate::error::{Result, ensure};

/// Sequences of the Markov source that its unigram counts come from.
const COUNTED: usize = 4096;

/// How uneven the source's laws are: weights of independent exponential variables to this power.
const PEAKEDNESS: f64 = 3.0;

/// The source that the data of a run are draws of, each class a part of it; `None` where they are no Markov source's.
///
/// # Errors
/// When its sizes are out of range.
pub fn mixture(data: &DataConfig) -> Result<Option<MarkovMixture>> {
    let DataConfig::Markov { vocab, source_seed, classes, .. } = *data else { return Ok(None) };
    let source = |class: usize| MarkovSource::random(vocab, source_seed.wrapping_add(class as u64), PEAKEDNESS);
    let sources = (0..classes).map(source).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(MarkovMixture::new(vec![1.0 / classes as f64; classes], sources)?))
}

/// How often each token stands in some draws of a source, shape `[token]`.
pub fn unigram_counts(data: &DataConfig, mixture: &MarkovMixture) -> Vec<u64> {
    let mut counts = vec![0; mixture.vocab()];
    let DataConfig::Markov { length, source_seed, .. } = *data else { return counts };
    // Not the seed itself: the transition matrix was drawn from it.
    for stream in 0..COUNTED {
        let mut rng = ChainRng::new(!source_seed, stream as u64);
        let tokens = match mixture.classes() {
            [source] => source.sample(length, &mut rng),
            _ => mixture.sample(length, &mut rng).1,
        };
        for token in tokens {
            counts[token as usize] += 1;
        }
    }
    counts
}

/// All classes of a source, or one.
pub struct Source {
    mixture: MarkovMixture,
    class: Option<usize>,
}

impl Source {
    /// The source of a run, or of one class of it; `None` where the run's data are no Markov source's.
    ///
    /// # Errors
    /// When there is no such class.
    pub fn of(data: &DataConfig, class: Option<usize>) -> Result<Option<Self>> {
        let Some(mixture) = mixture(data)? else { return Ok(None) };
        let classes = mixture.classes().len();
        ensure!(class.is_none_or(|class| class < classes), "`--class`: the data have {classes} classes");
        Ok(Some(Self { class: class.or((classes == 1).then_some(0)), mixture }))
    }

    /// The one class that sequences are drawn from; `None` where all are.
    fn single(&self) -> Option<&MarkovSource> {
        self.class.map(|class| &self.mixture.classes()[class])
    }

    /// Number of symbols.
    pub fn vocab(&self) -> usize {
        self.mixture.vocab()
    }

    /// A sequence, shape `[site]`.
    pub fn sample(&self, len: usize, rng: &mut ChainRng) -> Vec<Token> {
        match self.single() {
            Some(source) => source.sample(len, rng),
            None => self.mixture.sample(len, rng).1,
        }
    }

    /// `ln π(x)` in nats.
    pub fn log_probability(&self, tokens: &[Token]) -> f64 {
        match self.single() {
            Some(source) => source.log_probability(tokens),
            None => self.mixture.log_probability(tokens),
        }
    }

    /// The entropy of a sequence in nats, where it has a closed form.
    pub fn entropy(&self, len: usize) -> Option<f64> {
        self.single().map(|source| source.entropy(len))
    }

    /// The laws of the single sites, shape `[site · token]`.
    pub fn marginals(&self, len: usize) -> Vec<f64> {
        let of_class = |source: &MarkovSource| (0..len).flat_map(|site| source.marginal(site)).collect::<Vec<_>>();
        if let Some(source) = self.single() {
            return of_class(source);
        }
        let mut mean = vec![0.0; len * self.mixture.vocab()];
        for (weight, source) in self.mixture.weights().iter().zip(self.mixture.classes()) {
            mean.iter_mut().zip(of_class(source)).for_each(|(mean, p)| *mean += weight * p);
        }
        mean
    }

    /// The exact conditionals under the forward chain of a schedule.
    ///
    /// # Errors
    /// When the schedule is over other tokens.
    pub fn conditional<'a>(&'a self, schedule: &'a Schedule) -> Result<Box<dyn SiteConditional + Send + Sync + 'a>> {
        Ok(match self.single() {
            Some(source) => Box::new(source.conditional(schedule)?),
            None => Box::new(self.mixture.conditional(schedule)?),
        })
    }
}
