//! `glauber eval`: the likelihood bound (N) of a trained run.

mod data;
mod report;

use anyhow::{Context, ensure};
use glauber_chain::statistics::Estimate;
use glauber_chain::{
    BoundSampling, BoundTerms, ChainRng, HeatBath, Lazy, LikelihoodBound, ReverseKernel, SiteConditional,
};
use glauber_schedule::Schedule;
use glauber_sudoku::SolutionSource;
use glauber_tokens::TokenBatch;
use glauber_train::{DataConfig, SequenceSource, Vocabulary};
use indicatif::ProgressBar;

use crate::arguments::{EvalFlags, KernelName};
use crate::device::device;
use crate::images::{Pictures, divided};
use crate::markov::Source;
use crate::train;
use crate::trained::{Blocks, Trained};
use data::Evaluated;
use report::{Exact, Report};

/// Sequences between two movements of the progress bar.
const BATCH: usize = 4;
/// Numbers that one evaluation may ask a conditional for, where it is asked for all sites.
const MOST_NUMBERS: usize = 1 << 24;

/// Estimates the bound and prints it.
pub fn eval(flags: &EvalFlags) -> anyhow::Result<()> {
    for (flag, count) in [("--sequences", flags.sequences), ("--draws", flags.draws)] {
        ensure!((1..=1 << 20).contains(&count), "`{flag}` is {count}, expected a number in 1..={}", 1 << 20);
    }
    let trained = Trained::load(&flags.run, &device(&flags.device)?)?;
    let schedule = trained.schedule_with(flags.sweeps, Blocks::from_flags(flags.block, flags.apart))?;
    let class = trained.class(flags.class.as_deref())?;
    let conditional = trained.conditional_of_class(&schedule, class, None)?;
    let source = Source::of(&trained.config.data, class)?;
    let mut evaluated = match (&source, &trained.config.data) {
        (Some(source), _) => {
            Evaluated::drawn("the run's Markov source", flags, |rng| source.sample(schedule.len(), rng))?
        }
        (None, DataConfig::Sudoku { .. }) => {
            let grids = SolutionSource::new(train::sudoku::size(&trained.config)?);
            Evaluated::drawn("complete Sudoku grids", flags, |rng| grids.sample(rng))?
        }
        (None, DataConfig::Image(image)) => {
            ensure!(flags.class.is_none(), "`--class`: held-out images are of all classes");
            let codec = trained.pictures()?.context("a run on images has a codec")?;
            let parts = divided(image, &codec, trained.config.seed)?;
            let pictures = Pictures::of(image, &codec, parts, &flags.cache)?;
            pictures.check(&trained.vocabulary, trained.path())?;
            let held_out = pictures.held_out;
            Evaluated::drawn("held-out images", flags, |rng| {
                let mut grid = vec![0; schedule.len()];
                held_out.draw(rng, &mut grid);
                grid
            })?
        }
        (None, DataConfig::Text { .. } | DataConfig::Markov { .. }) => Evaluated::of_text(&trained, flags)?,
    };
    let kernel: Box<dyn ReverseKernel> = match flags.kernel {
        KernelName::Lazy => Box::new(Lazy::default()),
        KernelName::HeatBath => Box::new(HeatBath::default()),
    };
    let bound = bound(&schedule, kernel, &trained.vocabulary)?;
    let exact = source.map(|source| exact(&source, &bound, &schedule, &evaluated, flags.draws)).transpose()?;
    let terms = estimate(&bound, conditional.as_ref(), &evaluated.clean, &mut evaluated.rngs, flags.draws)?;
    let exact = exact.map(|exact| exact.against(&terms, schedule.len()));
    let report = Report::new(flags, &schedule, &evaluated, &terms, exact)?;
    if flags.json { report.print_json() } else { report.print() }
}

/// The bound of the schedule. A chain under noise that some token is never drawn from starts with what signal is left drawn from the
/// frequencies of the training data.
fn bound<'a>(
    schedule: &'a Schedule,
    kernel: Box<dyn ReverseKernel>,
    vocabulary: &Vocabulary,
) -> anyhow::Result<LikelihoodBound<'a>> {
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

/// What the source itself says of the sequences, with the same steps and noise as the network is given.
fn exact(
    source: &Source,
    bound: &LikelihoodBound<'_>,
    schedule: &Schedule,
    evaluated: &Evaluated,
    draws: usize,
) -> anyhow::Result<Exact> {
    let conditional = source.conditional(schedule)?;
    let terms = estimate(bound, conditional.as_ref(), &evaluated.clean, &mut evaluated.rngs.clone(), draws)?;
    let surprises = evaluated.clean.iter().map(|row| -source.log_probability(row)).collect();
    Ok(Exact::new(terms, surprises, source.entropy(schedule.len())))
}

/// The bound of each row, with a progress bar.
fn estimate(
    bound: &LikelihoodBound<'_>,
    conditional: &dyn SiteConditional,
    clean: &TokenBatch,
    rngs: &mut [ChainRng],
    draws: usize,
) -> anyhow::Result<BoundTerms> {
    let (len, sites) = (clean.len(), conditional.len());
    let rows = (MOST_NUMBERS / (sites * conditional.vocab())).clamp(1, 64);
    let sampling = BoundSampling { draws, rows };
    let bar = ProgressBar::new(clean.rows() as u64);
    let mut all: Option<BoundTerms> = None;
    for (rngs, tokens) in rngs.chunks_mut(BATCH).zip(clean.as_slice().chunks(BATCH * len)) {
        let batch = TokenBatch::new(tokens.to_vec(), len)?;
        let terms = bound.estimate(conditional, &batch, rngs, sampling)?;
        match &mut all {
            None => all = Some(terms),
            Some(all) => all.append(&terms)?,
        }
        bar.inc(rngs.len() as u64);
    }
    bar.finish_and_clear();
    all.context("no sequences to evaluate")
}

/// A mean of numbers over sequences, divided by what one sequence has of something.
fn per(values: &[f64], units: usize) -> Estimate {
    Estimate::independent(&values.iter().map(|value| value / units as f64).collect::<Vec<_>>())
}
