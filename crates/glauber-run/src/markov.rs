//! Samples of a Markov source as data of a run.

use std::sync::Arc;

use glauber_chain::oracles::{MarkovMixture, MarkovSource, bayes_losses};
use glauber_chain::{ChainRng, SiteConditional};
use glauber_model::{Network, NetworkKind};
use glauber_schedule::Schedule;
use glauber_tokens::Token;
use glauber_train::{Examples, TrainError, excess_over_bayes, within};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::Say;
use crate::data::{DataKind, DataShape, ExcessFn, Opened, Opening};
use crate::error::{Result, ensure};
use crate::evaluation::{Evaluated, EvaluationSettings};
use crate::run::folder::schedule;
use crate::run::{Numbers, Vocabulary};
use crate::trained::Trained;

/// Number of sequences for unigram counts.
const COUNTED: usize = 4096;

/// Peakedness of the source's laws: the power of independent exponential weights.
const PEAKEDNESS: f64 = 3.0;

/// Number of sequences for the Bayes losses.
const BAYES_SEQUENCES: usize = 2048;

/// Samples of a random first-order Markov chain with known Bayes loss, or of a mixture of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarkovData {
    /// Sites per sequence, `L`.
    pub length: usize,
    /// Symbols, `V`.
    pub vocab: usize,
    /// Seed of the chain's transition matrix; class `c` has the seed `source_seed + c`.
    pub source_seed: u64,
    /// Number of equally probable classes, each with its own chain. Default: 1, sequences without classes.
    #[serde(default = "one")]
    pub classes: usize,
}

fn one() -> usize {
    1
}

impl MarkovData {
    /// The source, a mixture of its classes.
    ///
    /// # Errors
    /// When its sizes are out of range.
    pub fn mixture(&self) -> Result<MarkovMixture> {
        let &Self { vocab, source_seed, classes, .. } = self;
        let source = |class: usize| MarkovSource::random(vocab, source_seed.wrapping_add(class as u64), PEAKEDNESS);
        let sources = (0..classes).map(source).collect::<Result<Vec<_>, _>>()?;
        Ok(MarkovMixture::new(vec![1.0 / classes as f64; classes], sources)?)
    }

    /// Properties of a run that depend on the source: token counts of some samples.
    pub fn vocabulary(&self, mixture: &MarkovMixture) -> Vocabulary {
        let mut counts = vec![0; mixture.vocab()];
        // Not the seed itself: the transition matrix was drawn from it.
        for stream in 0..COUNTED {
            let mut rng = ChainRng::new(!self.source_seed, stream as u64);
            let tokens = match mixture.classes() {
                [source] => source.sample(self.length, &mut rng),
                _ => mixture.sample(self.length, &mut rng).1,
            };
            tokens.into_iter().for_each(|token| counts[token as usize] += 1);
        }
        Vocabulary::of_counts(counts, env!("CARGO_PKG_VERSION"))
    }
}

impl DataKind for MarkovData {
    fn name(&self) -> &'static str {
        "markov"
    }

    fn keys(&self) -> Result<Table, toml::ser::Error> {
        Table::try_from(self)
    }

    fn shape(&self) -> DataShape {
        let classes = if self.classes > 1 { self.classes } else { 0 };
        DataShape { classes, ..DataShape::line(self.length) }
    }

    fn describe(&self) -> String {
        let Self { vocab, source_seed, classes, .. } = self;
        let classes = if *classes > 1 { format!(", {classes} classes") } else { String::new() };
        format!("Markov source of {vocab} symbols, seed {source_seed}{classes}")
    }

    fn validate(&self) -> Result<(), TrainError> {
        within("data.vocab", self.vocab, 2..=4096)?;
        within("data.classes", self.classes, 1..=1 << 10)
    }

    fn open(&self, opening: &mut Opening<'_>) -> Result<Opened> {
        let mixture = self.mixture()?;
        let vocabulary = self.vocabulary(&mixture);
        let mut opened = Opened {
            train: Box::new(mixture.clone()),
            held_out: Box::new(mixture.clone()),
            vocabulary,
            codec: Box::new(Numbers),
            excess: None,
            notes: Vec::new(),
        };
        let [source] = mixture.classes() else { return Ok(opened) };
        let (config, source) = (opening.config, Arc::new(source.clone()));
        let schedule = schedule(config, &opened.vocabulary)?;
        if opening.first {
            let bayes = bayes_losses(&source, &schedule, BAYES_SEQUENCES, config.seed)?;
            opened.notes.push(format!(
                "Bayes losses, nats per site: binary {:.5} ± {:.5}, denoising {:.5} ± {:.5}",
                bayes.binary.mean, bayes.binary.standard_error, bayes.denoising.mean, bayes.denoising.standard_error
            ));
        }
        (opened.train, opened.held_out) = (Box::new(source.as_ref().clone()), Box::new(source.as_ref().clone()));
        if config.model.network == NetworkKind::Autoregressive {
            // The Bayes loss is that of both sides.
            return Ok(opened);
        }
        let (objective, device) = (config.train.objective, opening.device.clone());
        let excess = move |network: &Network, held_out: &[Examples]| {
            excess_over_bayes(network, objective, &schedule, &source, held_out, &device)
        };
        opened.excess = Some(Box::new(excess) as Box<ExcessFn<'static>>);
        Ok(opened)
    }

    fn evaluated(&self, trained: &Trained, settings: &EvaluationSettings, _: Say<'_>) -> Result<Evaluated> {
        let (source, len) = (Source::new(self.mixture()?, settings.class)?, trained.schedule.len());
        Evaluated::drawn("the run's Markov source", settings, |rng| Ok(source.sample(len, rng)))
    }

    fn source(&self, class: Option<usize>) -> Result<Option<Source>> {
        Source::new(self.mixture()?, class).map(Some)
    }
}

/// All classes of a source, or one.
pub struct Source {
    mixture: MarkovMixture,
    class: Option<usize>,
}

impl Source {
    /// All classes, or one of them.
    ///
    /// # Errors
    /// When there is no such class.
    pub fn new(mixture: MarkovMixture, class: Option<usize>) -> Result<Self> {
        let classes = mixture.classes().len();
        ensure!(class.is_none_or(|class| class < classes), "`--class`: the data have {classes} classes");
        Ok(Self { class: class.or((classes == 1).then_some(0)), mixture })
    }

    /// The class to draw from; `None` for all.
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

    /// The entropy of a sequence in nats, if it has a closed form.
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
    /// If the schedule has another vocabulary.
    pub fn conditional<'a>(&'a self, schedule: &'a Schedule) -> Result<Box<dyn SiteConditional + Send + Sync + 'a>> {
        Ok(match self.single() {
            Some(source) => Box::new(source.conditional(schedule)?),
            None => Box::new(self.mixture.conditional(schedule)?),
        })
    }
}
