//! The likelihood bound (N) of a trained run.

mod data;
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
pub use truth::{Truth, per};

/// Sequences that progress is told of at a time.
const BATCH: usize = 4;
/// Numbers that one evaluation may ask a conditional for, where it is asked for all sites.
const MOST_NUMBERS: usize = 1 << 24;

/// A bound of the kernel that is asked for.
type Bound<'a> = LikelihoodBound<'a, Arc<dyn ReverseKernel>>;

/// What is evaluated, and how.
#[derive(Debug, Clone)]
pub struct EvaluationSettings {
    /// Text files, tables or folders; none for what the run held out, or draws of its source.
    pub data: Vec<PathBuf>,
    /// The column or field of these that holds the text; by default the run's.
    pub column: Option<String>,
    /// Sequences.
    pub sequences: usize,
    /// Steps drawn for each.
    pub draws: usize,
    /// Seed of steps and noise, and of draws of a source.
    pub seed: u64,
    /// Kernel of the reverse chain.
    pub kernel: Arc<dyn ReverseKernel>,
    /// Sweeps of the chain; by default those of the training.
    pub sweeps: Option<usize>,
    /// Sites that are redrawn together; by default as in training.
    pub blocks: Option<Blocks>,
    /// Sequences of this class, and the network told so.
    pub class: Option<usize>,
    /// Where prepared tokens are kept.
    pub cache: PathBuf,
}

impl EvaluationSettings {
    /// What a run held out, under the lazy kernel of its own chain, seed 0.
    pub fn held_out(sequences: usize, draws: usize, cache: PathBuf) -> Self {
        let kernel: Arc<dyn ReverseKernel> = Arc::new(Lazy::default());
        let (data, column, sweeps, blocks, class) = (Vec::new(), None, None, None, None);
        Self { data, column, sequences, draws, seed: 0, kernel, sweeps, blocks, class, cache }
    }
}

/// A likelihood bound (N) and what it is of.
pub struct Evaluation {
    /// The chain.
    pub schedule: Schedule,
    /// The sequences.
    pub evaluated: Evaluated,
    /// The bound.
    pub terms: BoundTerms,
    /// What the source says of the sequences, where it is known.
    pub truth: Option<Truth>,
}

/// Estimates the bound of a run. What was read is said; `progress` is told how many sequences are done, and of how many.
///
/// # Errors
/// When the settings do not fit to the run, data cannot be read, or they are no longer those that it began with.
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
        estimate(&bound, conditional, &evaluated.clean, rngs, settings.draws, progress)
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
    drop(conditional);
    Ok(Evaluation { schedule, evaluated, terms, truth })
}

/// The bound of the schedule. A chain under noise that some token is never drawn from starts with what signal is left drawn from the
/// frequencies of the training data.
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
