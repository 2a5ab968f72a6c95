//! `glauber-lab experiment skip-ahead`: how few evaluations can a reverse chain do with?
//!
//! On a Markov source with exact conditionals, all errors of samples are the sampler's. A trained run shows their size
//! in practice.

mod judge;
mod report;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, anyhow, ensure};
use clap::Args;
use glauber_chain::{
    ChainRng, ChangesPerEvaluation, DrawControls, HeatBath, Lazy, MaximalCoupling, ReverseSampler, Sampler, SkipAhead,
    SkipAheadSampler, StepDiagnostics, predicted_changes,
};
use glauber_program::device::device;
use glauber_program::progress::say;
use glauber_run::Trained;
use glauber_run::markov::{MarkovData, Source};
use glauber_run::{Sampling, check_count};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::TokenBatch;
use serde_json::Value;

use self::judge::{Judge, pseudo_log_likelihoods};
use self::report::{Family, Line, Report};

/// The default Markov source.
const ORACLE: MarkovData = MarkovData { length: 64, vocab: 27, source_seed: 1, classes: 1 };
/// Signal level at the horizon of its schedule.
const FINAL_SIGNAL: f64 = 1e-3;
/// Chains by default, of the Markov source and of a run.
const COUNTS: [usize; 2] = [500, 64];
/// Sequences of a source that samples are compared with, for each sample.
const REFERENCE: usize = 16;

#[derive(Debug, Args)]
pub struct Flags {
    /// Trained run. Default: a Markov source with exact conditionals
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// Number of sweeps of the chains
    #[arg(long, default_value_t = 32)]
    pub sweeps: usize,
    /// Signal shape on the Markov source: linear, cosine, log-linear or constant-beta
    #[arg(long, default_value = "cosine", conflicts_with = "run")]
    pub shape: String,
    /// Chains per setting. Default: 500 for the Markov source, 64 for a run
    #[arg(short = 'n', long)]
    pub count: Option<usize>,
    /// Seed of the chains
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Write the table and a plot to this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Device: cpu, wgpu, cuda or cuda:INDEX. `glauber device list` lists those available
    #[arg(long, default_value = "cpu")]
    pub device: String,
}

/// Samples with every setting, and prints the cost and quality of each.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    let count = flags.count.unwrap_or(COUNTS[usize::from(flags.run.is_some())]);
    check_count("--count", count)?;
    ensure!(count > 1, "`--count` is 1, expected at least 2, for standard errors");
    flags.out.as_deref().map_or(Ok(()), Report::check)?;
    let report = match &flags.run {
        None => oracle(flags, count)?,
        Some(path) => trained(path, flags, count)?,
    };
    flags.out.as_deref().map_or(Ok(()), |folder| report.write(folder))
}

fn oracle(flags: &Flags, count: usize) -> anyhow::Result<Report> {
    let source = Source::new(ORACLE.mixture()?, None)?;
    let (len, vocab) = (ORACLE.length, source.vocab());
    let shape: SignalShape = serde_json::from_value(Value::from(flags.shape.as_str()))
        .map_err(|_| anyhow!("`--shape {}`: expected linear, cosine, log-linear or constant-beta", flags.shape))?;
    let order = SiteOrder::round_robin(len, flags.sweeps).context("`--sweeps`")?;
    let schedule = Schedule::new(shape, order, NoiseLaw::uniform(vocab)?, FINAL_SIGNAL, false)?;
    let conditional = source.conditional(&schedule)?;
    let judge = Judge::of_source(&source, len, count, flags.seed)?;
    let mut report = Report::new(
        format!("Markov source of {vocab} symbols, exact conditionals, {} shape", flags.shape),
        "direct samples, log-likelihood under the source",
        (&schedule, count, flags.seed),
        predicted_changes(&schedule, &source.marginals(len))?,
    );
    for (name, family, sampler) in settings(&schedule)? {
        let start = Instant::now();
        let sampling = Sampling::new(sampler);
        let (samples, done) = sampling.draw_parallel(conditional.as_ref(), count, flags.seed)?;
        let seconds = start.elapsed().as_secs_f64();
        report.push(Line { name, family, done, seconds, quality: judge.quality(&samples)? });
    }
    Ok(report)
}

fn trained(path: &Path, flags: &Flags, count: usize) -> anyhow::Result<Report> {
    let trained = Trained::load(path, &device(&flags.device)?)?;
    let schedule = trained.schedule_with(Some(flags.sweeps), None)?;
    let conditional = trained.conditional(&schedule)?;
    let len = schedule.len();
    let draw = |sampler: Box<dyn Sampler>, seed: u64| -> anyhow::Result<(TokenBatch, StepDiagnostics)> {
        Ok(Sampling::new(sampler).draw(&conditional, count, seed, &mut |_| {})?)
    };
    let source = trained.config.data.source(None)?;
    let (judge, against, marginals) = match &source {
        Some(source) => {
            let judge = Judge::of_source(source, len, count, flags.seed)?;
            (judge, "direct samples, log-likelihood under the source", source.marginals(len))
        }
        None => {
            say("drawing the reference: the lazy chain, every step evaluated");
            // Seeds of their own: samples that share random numbers with the reference would look too much like it.
            let (reference, _) = draw(Box::new(ReverseSampler::new(schedule.clone(), Lazy::default())), !flags.seed)?;
            let logs = |samples: &TokenBatch| pseudo_log_likelihoods(&conditional, samples);
            let judge = Judge::new(reference, Box::new(logs), flags.seed)?;
            (judge, "the lazy chain, pseudo-log-likelihood under the network", trained.frequencies().repeat(len))
        }
    };
    let mut report = Report::new(
        format!("{}, step {}", path.display(), trained.state.step),
        against,
        (&schedule, count, flags.seed),
        predicted_changes(&schedule, &marginals)?,
    );
    for (name, family, sampler) in settings(&schedule)? {
        let start = Instant::now();
        let (samples, done) = draw(sampler, flags.seed)?;
        let seconds = start.elapsed().as_secs_f64();
        report.push(Line { name, family, done, seconds, quality: judge.quality(&samples)? });
    }
    Ok(report)
}

/// A sampler, its name and its group.
type Setting = (String, Family, Box<dyn Sampler>);

/// All settings. Heat bath, lazy and coupling evaluate every step. Skip-ahead has one change per evaluation under
/// several windows, more changes, and the adaptive rule.
fn settings(schedule: &Schedule) -> anyhow::Result<Vec<Setting>> {
    let len = schedule.len();
    let heat_bath = ReverseSampler::new(schedule.clone(), HeatBath::default());
    let lazy = ReverseSampler::new(schedule.clone(), Lazy::default());
    let mut settings: Vec<Setting> = vec![
        ("heat bath".to_owned(), Family::HeatBath, Box::new(heat_bath)),
        ("lazy, every step".to_owned(), Family::Lazy, Box::new(lazy)),
    ];
    let mut skip = |name: String, family, changes, window| -> anyhow::Result<()> {
        let skip = SkipAhead::new(changes, window, DrawControls::default())?;
        settings.push((name, family, Box::new(SkipAheadSampler::new(schedule.clone(), skip))));
        Ok(())
    };
    let windows = [("L/4", Some(len.div_ceil(4))), ("L", Some(len)), ("4L", Some(4 * len)), ("none", None)];
    for (name, window) in windows {
        skip(format!("1 change, window {name}"), Family::OneChange, ChangesPerEvaluation::Fixed(1), window)?;
    }
    for changes in [2, 4, 8, 16, 32] {
        skip(format!("{changes} changes"), Family::Changes, ChangesPerEvaluation::Fixed(changes), None)?;
    }
    let adaptive = SkipAhead::adaptive(schedule);
    skip("auto, window T/32".into(), Family::Signal, adaptive.changes(), adaptive.window())?;
    for signal in [1.0, 2.0, 4.0] {
        let changes = ChangesPerEvaluation::Auto { signal };
        skip(format!("signal {signal}, window T/32"), Family::Signal, changes, adaptive.window())?;
    }
    let coupling = MaximalCoupling::default();
    let every = ReverseSampler::new(schedule.clone(), coupling);
    settings.push(("coupling, every step".to_owned(), Family::Coupling, Box::new(every)));
    let adaptively =
        [0.5, 1.0, 2.0].map(|signal| (format!("coupling, signal {signal}"), ChangesPerEvaluation::Auto { signal }));
    for (name, changes) in
        [("coupling, 1 change".to_owned(), ChangesPerEvaluation::Fixed(1))].into_iter().chain(adaptively)
    {
        let skip = SkipAhead::new(changes, adaptive.window(), DrawControls::default())?;
        let sampler = SkipAheadSampler::new(schedule.clone(), skip).with_kernel(coupling);
        settings.push((name, Family::Coupling, Box::new(sampler)));
    }
    Ok(settings)
}

impl Judge<'_> {
    /// Compares with draws of a source.
    fn of_source(source: &Source, len: usize, count: usize, seed: u64) -> anyhow::Result<Judge<'_>> {
        // Not the seed itself: the chains use its streams.
        let mut rngs = ChainRng::streams(!seed, REFERENCE * count);
        let reference = TokenBatch::from_rows(rngs.iter_mut().map(|rng| source.sample(len, rng)))?;
        let logs = move |samples: &TokenBatch| {
            Ok(samples.iter().map(|tokens| source.log_probability(tokens) / len as f64).collect())
        };
        Judge::new(reference, Box::new(logs), seed)
    }
}
