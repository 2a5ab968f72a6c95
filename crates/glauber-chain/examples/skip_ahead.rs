//! How few evaluations a reverse chain can do with: heat bath, the lazy kernel, and skipping ahead, on a Markov source whose
//! conditionals are exact, so that whatever is wrong with the samples is the sampler's doing.
//!
//! `cargo run --release -p glauber-chain --example skip_ahead [chains] [seed] [shape] [order] [sweeps]`, the shape `cosine` or `linear`,
//! the order `round-robin` or `permutation`

#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "a program")]

use std::time::Instant;

use glauber_chain::oracles::MarkovSource;
use glauber_chain::statistics::{ChiSquare, Estimate};
use glauber_chain::{
    ChainRng, ChangesPerEvaluation, DrawControls, HeatBath, Lazy, ReverseKernel, ReverseSampler, Sampler, SkipAhead,
    SkipAheadSampler, StepDiagnostics, predicted_changes,
};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::TokenBatch;
use rayon::prelude::*;

const LEN: usize = 64;
const VOCAB: usize = 27;
/// Sets of direct samples that say how the bigram statistic is distributed when nothing is wrong.
const NULL_SETS: u64 = 200;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| -> Result<u64, std::num::ParseIntError> {
        words.get(at).map_or(Ok(default), |text| text.parse())
    };
    let (chains, seed, sweeps) = (number(0, 2000)? as usize, number(1, 1)?, number(4, 32)? as usize);
    let shape = match words.get(2).map(String::as_str) {
        None | Some("cosine") => SignalShape::Cosine,
        Some("linear") => SignalShape::Linear,
        Some(other) => return Err(format!("shape `{other}`, expected `cosine` or `linear`").into()),
    };
    let (name, order) = match words.get(3).map(String::as_str) {
        None | Some("round-robin") => ("round-robin", SiteOrder::round_robin(LEN, sweeps)?),
        Some("permutation") => ("permutation", SiteOrder::permutation(LEN, sweeps, 1)?),
        Some(other) => return Err(format!("order `{other}`, expected `round-robin` or `permutation`").into()),
    };
    let source = MarkovSource::random(VOCAB, 1, 3.0)?;
    let schedule = Schedule::new(shape, order, NoiseLaw::uniform(VOCAB)?, 1e-3, false)?;
    let marginals: Vec<f64> = (0..LEN).flat_map(|site| source.marginal(site)).collect();
    let predicted = predicted_changes(&schedule, &marginals)?.iter().sum::<f64>() / LEN as f64;
    let judge = Judge::new(&source, chains, seed);
    println!("{LEN} sites, {VOCAB} tokens, {sweeps} {name} sweeps, {shape:?}, {chains} chains, seed {seed}");
    println!("predicted changes of the lazy chain per site: {predicted:.3}");
    println!("log-probability of the source per token: {:.4} nats", judge.log_probability);
    println!("chain                      eval/L  steps/L  changes/L  bigrams z  log-prob ± error   (dev)   seconds");
    let start = Instant::now();
    judge.print("direct samples", StepDiagnostics::default(), &judge.direct(seed), start);
    let kernels: [(&str, &dyn ReverseKernel); 2] =
        [("heat bath", &HeatBath::default()), ("lazy, every step", &Lazy::default())];
    for (name, kernel) in kernels {
        let start = Instant::now();
        let sampler = ReverseSampler::new(&schedule, kernel);
        let mut states = sampler.start(chains, seed);
        let done = sampler.sample_parallel(&source.conditional(&schedule)?, &mut states)?;
        judge.print(name, done, states.tokens(), start);
    }
    for (name, changes, window) in settings() {
        let start = Instant::now();
        let skip = SkipAhead::new(changes, window, DrawControls::default())?;
        let sampler = SkipAheadSampler::new(&schedule, skip);
        let mut states = sampler.start(chains, seed);
        let done = sampler.sample_parallel(&source.conditional(&schedule)?, &mut states)?;
        judge.print(&name, done, states.tokens(), start);
    }
    Ok(())
}

/// Windows for one change at a time, then more changes, then the adaptive rule, down to a quarter evaluation a site.
fn settings() -> Vec<(String, ChangesPerEvaluation, Option<usize>)> {
    let fixed = ChangesPerEvaluation::Fixed;
    let auto = |signal: f64| ChangesPerEvaluation::Auto { signal };
    let mut settings = Vec::new();
    for (name, window) in [("L/4", Some(LEN / 4)), ("L", Some(LEN)), ("4L", Some(4 * LEN)), ("none", None)] {
        settings.push((format!("1 change, window {name}"), fixed(1), window));
    }
    settings.extend([2, 4, 8, 16, 32].map(|m| (format!("{m} changes"), fixed(m), None)));
    settings.extend([0.25, 0.5, 0.75].map(|signal| (format!("signal {signal}, window L"), auto(signal), Some(LEN))));
    settings.extend([0.5, 1.0, 2.0, 4.0].map(|signal| (format!("signal {signal}"), auto(signal), None)));
    settings
}

/// Compares samples with the source.
struct Judge<'a> {
    source: &'a MarkovSource,
    chains: usize,
    /// The law of a pair at a uniformly drawn position, shape `[first · second]`.
    pairs: Vec<f64>,
    /// Mean and standard deviation of the statistic over direct samples.
    null: (f64, f64),
    /// Nats per token.
    log_probability: f64,
}

impl<'a> Judge<'a> {
    fn new(source: &'a MarkovSource, chains: usize, seed: u64) -> Self {
        let mut pairs = vec![0.0; VOCAB * VOCAB];
        let negative_entropy = |law: &[f64]| law.iter().map(|p| p * p.max(f64::MIN_POSITIVE).ln()).sum::<f64>();
        let mut log_probability = negative_entropy(source.initial());
        for position in 0..LEN - 1 {
            for (from, mass) in source.marginal(position).into_iter().enumerate() {
                let successors = source.successors(from as u32);
                log_probability += mass * negative_entropy(successors);
                let row = pairs[from * VOCAB..].iter_mut().zip(successors);
                row.for_each(|(pair, p)| *pair += mass * p / (LEN - 1) as f64);
            }
        }
        let log_probability = log_probability / LEN as f64;
        let mut judge = Self { source, chains, pairs, null: (0.0, 1.0), log_probability };
        let sets = (0..NULL_SETS).into_par_iter();
        let null: Vec<f64> = sets.map(|set| judge.bigrams(&judge.direct(seed + 1000 + set))).collect();
        let null = Estimate::independent(&null);
        judge.null = (null.mean, null.standard_error * (NULL_SETS as f64).sqrt());
        judge
    }

    fn direct(&self, seed: u64) -> TokenBatch {
        let mut tokens = TokenBatch::filled(self.chains, LEN, 0);
        for (row, mut rng) in ChainRng::streams(seed ^ (1 << 32), self.chains).into_iter().enumerate() {
            tokens.row_mut(row).copy_from_slice(&self.source.sample(LEN, &mut rng));
        }
        tokens
    }

    /// Chi-square of the bigrams of all positions together. They depend on each other, so only the null makes sense of it.
    fn bigrams(&self, samples: &TokenBatch) -> f64 {
        let mut counts = vec![0; VOCAB * VOCAB];
        for row in samples.iter() {
            row.windows(2).for_each(|pair| counts[pair[0] as usize * VOCAB + pair[1] as usize] += 1);
        }
        ChiSquare::goodness_of_fit(&counts, &self.pairs).map_or(f64::NAN, |found| found.statistic)
    }

    fn print(&self, name: &str, done: StepDiagnostics, samples: &TokenBatch, start: Instant) {
        let seconds = start.elapsed().as_secs_f64();
        let per_site = |count: u64| count as f64 / (self.chains * LEN) as f64;
        let logs: Vec<f64> = samples.iter().map(|row| self.source.log_probability(row) / LEN as f64).collect();
        let logs = Estimate::independent(&logs);
        println!(
            "{name:<26} {:>6.2}  {:>7.1}  {:>9.3}  {:>9.2}  {:>7.4} ± {:.4}  {:>6.2}  {seconds:>7.1}",
            per_site(done.evaluations),
            per_site(done.updates),
            per_site(done.changes),
            (self.bigrams(samples) - self.null.0) / self.null.1,
            logs.mean,
            logs.standard_error,
            logs.deviation_from(self.log_probability),
        );
    }
}
