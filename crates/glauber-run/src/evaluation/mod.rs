//! The likelihood bound (N) of a trained run.

mod data;
mod evidence;
mod truth;

use std::path::PathBuf;
use std::sync::Arc;

use glauber_chain::{
    AfterStep, BoundSampling, BoundTerms, ChainRng, Lazy, LikelihoodBound, ReverseKernel, SiteConditional,
};
use glauber_schedule::Schedule;
use glauber_tokens::TokenBatch;

use crate::Say;
use crate::Vocabulary;
use crate::error::{Context, Result, ensure};
use crate::trained::{Blocks, Trained};

pub use data::{Evaluated, spread};
pub use evidence::{TargetEvidence, WeightedMean};
pub use truth::{Truth, per};

/// Sequences per progress report.
const BATCH: usize = 4;
/// Maximal numbers per evaluation of a conditional, if all sites are requested.
const MOST_NUMBERS: usize = 1 << 24;

/// A bound of the requested kernel.
type Bound<'a> = LikelihoodBound<'a, Arc<dyn ReverseKernel>>;

/// Settings of an evaluation.
#[derive(Debug, Clone)]
pub struct EvaluationSettings {
    /// Text files, tables or folders. If empty: the held-out data, or samples of the source.
    pub data: Vec<PathBuf>,
    /// The column or field with the text; default: the run's.
    pub column: Option<String>,
    /// Sequences.
    pub sequences: usize,
    /// Steps drawn for each.
    pub draws: usize,
    /// Seed of steps, noise and samples of a source.
    pub seed: u64,
    /// Kernel of the reverse chain.
    pub kernel: Arc<dyn ReverseKernel>,
    /// Sweeps of the chain; default: as in training.
    pub sweeps: Option<usize>,
    /// Sites redrawn together; default: as in training.
    pub blocks: Option<Blocks>,
    /// Class of the sequences and of the network's conditioning.
    pub class: Option<usize>,
    /// Cache folder of prepared tokens.
    pub cache: PathBuf,
}

impl EvaluationSettings {
    /// The held-out data, under the lazy kernel of the run's own chain, seed 0.
    pub fn held_out(sequences: usize, draws: usize, cache: PathBuf) -> Self {
        let kernel: Arc<dyn ReverseKernel> = Arc::new(Lazy::default());
        let (data, column, sweeps, blocks, class) = (Vec::new(), None, None, None, None);
        Self { data, column, sequences, draws, seed: 0, kernel, sweeps, blocks, class, cache }
    }
}

/// A likelihood bound (N), with its chain and sequences.
pub struct Evaluation {
    /// The chain.
    pub schedule: Schedule,
    /// The sequences.
    pub evaluated: Evaluated,
    /// The bound.
    pub terms: BoundTerms,
    /// Comparison with the true source, if it is known.
    pub truth: Option<Truth>,
    /// `log Z` of the target, for data given by an energy.
    pub evidence: Option<TargetEvidence>,
}

/// Estimates the bound of a run. Reports what it reads; `progress` receives the number of finished sequences and their
/// total.
///
/// # Errors
/// If the settings do not fit the run, or data cannot be read or have changed.
pub fn evaluate(
    trained: &Trained,
    settings: &EvaluationSettings,
    say: Say<'_>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Evaluation> {
    for (flag, count) in [("--sequences", settings.sequences), ("--draws", settings.draws)] {
        ensure!((1..=1 << 20).contains(&count), "`{flag}` is {count}, expected a number in 1..={}", 1 << 20);
    }
    let schedule = trained.schedule_with(settings.sweeps, settings.blocks)?;
    let conditional = trained.conditional_of_class(&schedule, settings.class, None)?;
    let source = trained.config.data.source(settings.class)?;
    let mut evaluated = trained.config.data.evaluated(trained, settings, say)?;
    let bound = bound(&schedule, Arc::clone(&settings.kernel), &trained.vocabulary)?;
    let mut terms = |conditional: &dyn SiteConditional, rngs: &mut [ChainRng]| {
        estimate(&bound, conditional, &evaluated.clean, rngs, settings.draws, &mut *progress)
    };
    // The source is given the same steps and noise as the network.
    let mut same = evaluated.rngs.clone();
    let exact = source
        .as_ref()
        .map(|source| terms(&*AfterStep::where_several(source.conditional(&schedule)?, &schedule), &mut same))
        .transpose()?;
    let terms = terms(conditional.as_ref(), &mut evaluated.rngs)?;
    let truth = source.zip(exact).map(|(source, exact)| {
        let surprises: Vec<f64> = evaluated.clean.iter().map(|row| -source.log_probability(row)).collect();
        Truth::of(&terms, &exact, &surprises, source.entropy(schedule.len()), schedule.len())
    });
    let evidence = trained.config.data.target(trained.folder())?.map(|model| {
        let (chain, seed) = ((&schedule, &settings.kernel, conditional.as_ref()), settings.seed);
        evidence::evidence(&model, chain, (&evaluated.clean, &terms), seed, progress)
    });
    let evidence = evidence.transpose()?;
    drop(conditional);
    Ok(Evaluation { schedule, evaluated, terms, truth, evidence })
}

/// The bound of the schedule. If noise cannot draw some token, the start draws residual signal from the frequencies of
/// the training data.
pub(crate) fn bound<'a, K: ReverseKernel>(
    schedule: &'a Schedule,
    kernel: K,
    vocabulary: &Vocabulary,
) -> Result<LikelihoodBound<'a, K>> {
    let bound = LikelihoodBound::new(schedule, kernel);
    if schedule.law().probabilities().iter().all(|&q| q > 0.0) {
        return Ok(bound);
    }
    // One more of each, because a token of the data may be new; the mask is no data.
    let count = |(token, &count): (usize, &u64)| match vocabulary.mask {
        Some(mask) if mask as usize == token => 0.0,
        _ => count as f64 + 1.0,
    };
    let counts: Vec<f64> = vocabulary.counts.iter().enumerate().map(count).collect();
    let total: f64 = counts.iter().sum();
    Ok(bound.with_signal_law(&counts.iter().map(|count| count / total).collect::<Vec<_>>())?)
}

/// The bound of each row.
fn estimate(
    bound: &Bound<'_>,
    conditional: &dyn SiteConditional,
    clean: &TokenBatch,
    rngs: &mut [ChainRng],
    draws: usize,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<BoundTerms> {
    let (len, sites) = (clean.len(), conditional.len());
    let rows = (MOST_NUMBERS / (sites * conditional.vocab())).clamp(1, 64);
    let sampling = BoundSampling { draws, rows };
    let (mut done, rows_in_all) = (0, clean.rows());
    let mut all: Option<BoundTerms> = None;
    for (rngs, tokens) in rngs.chunks_mut(BATCH).zip(clean.as_slice().chunks(BATCH * len)) {
        let batch = TokenBatch::new(tokens.to_vec(), len)?;
        let terms = bound.estimate(conditional, &batch, rngs, sampling)?;
        match &mut all {
            None => all = Some(terms),
            Some(all) => all.append(&terms)?,
        }
        done += rngs.len();
        progress(done, rows_in_all);
    }
    all.context("no sequences to evaluate")
}
