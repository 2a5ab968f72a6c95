//! Skipping ahead: draw by draw against the un-skipped lazy chain and against a slow reference, and in law against a Markov source.

use crate::significance::normal_p;
use glauber_chain::oracles::MarkovSource;
use glauber_chain::statistics::{ChiSquare, Estimate};
use glauber_chain::{
    ChainError, ChainRng, Chains, ChangesPerEvaluation, DrawControls, Lazy, ReverseSampler, Sampler, SiteConditional,
    SkipAhead, SkipAheadSampler, TokenRows, predicted_changes,
};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::{Site, Step, Token, TokenBatch};
use rayon::prelude::*;
use std::ops::ControlFlow;

const VOCAB: usize = 6;
const LEN: usize = 12;
const MASK: Token = VOCAB as Token - 1;

/// Every sequence is possible, also at step 0: the mask is a token like any other that the data may show.
fn source() -> MarkovSource {
    MarkovSource::random(VOCAB, 3, 2.0).unwrap()
}

fn laws() -> Vec<NoiseLaw> {
    let uniform = NoiseLaw::uniform(VOCAB).unwrap();
    let absorbing = NoiseLaw::absorbing(VOCAB, MASK).unwrap();
    let mixture = NoiseLaw::mixture(&[(0.5, absorbing.clone()), (0.5, uniform.clone())]).unwrap();
    vec![uniform, NoiseLaw::unigram(&[5, 4, 3, 2, 1, 1], 0.0).unwrap(), absorbing, mixture]
}

fn orders() -> Vec<SiteOrder> {
    // Thirds of the sequence in turn, each in blocks of one, two or three sites.
    let blocks = |_: usize| [vec![0, 4, 8], vec![1, 5], vec![9, 2], vec![6], vec![10, 3], vec![7, 11]];
    vec![
        SiteOrder::round_robin(LEN, 6).unwrap(),
        SiteOrder::permutation(LEN, 6, 2).unwrap(),
        SiteOrder::random_scan(LEN, 9, 4).unwrap(),
        SiteOrder::from_blocks(LEN, (0..6).flat_map(blocks).collect()).unwrap(),
    ]
}

fn schedules() -> impl Iterator<Item = Schedule> {
    let shapes = [SignalShape::Linear, SignalShape::Cosine, SignalShape::LogLinear, SignalShape::ConstantBeta];
    laws().into_iter().flat_map(move |law| {
        let uneven = SiteOrder::round_robin(LEN, 3).unwrap();
        let uneven = Schedule::ending_at(&[0.5, 0.8, 1.0], uneven, law.clone(), 1e-3, true).unwrap();
        let pairs = orders().into_iter().zip(shapes);
        let shaped = pairs.map(move |(order, shape)| Schedule::new(shape, order, law.clone(), 1e-3, true).unwrap());
        shaped.chain([uneven])
    })
}

/// Chains at the noise law; in every second row some sites are clamped at tokens of a sequence of the data.
fn start(schedule: &Schedule, rows: usize) -> Chains {
    let mut chains = Chains::from_noise(schedule, ChainRng::streams(8, rows));
    for row in (0..rows).step_by(2) {
        let known = source().sample(LEN, &mut ChainRng::new(9, row as u64));
        for site in [0, 3, 4, 10] {
            chains.clamp(row, site, known[site]).unwrap();
        }
    }
    chains
}

fn skip(changes: ChangesPerEvaluation, window: Option<usize>) -> SkipAhead {
    SkipAhead::new(changes, window, DrawControls::default()).unwrap()
}

#[test]
fn short_windows_are_the_lazy_chain_draw_by_draw() {
    let source = source();
    let controls = [
        DrawControls::default(),
        DrawControls { temperature: 0.7, top_k: Some(4), top_p: Some(0.95) },
        DrawControls { temperature: 0.0, ..Default::default() },
    ];
    for schedule in schedules() {
        let conditional = source.conditional(&schedule).unwrap();
        for controls in controls {
            let mut plain = start(&schedule, 40);
            let mut skipped = plain.clone();
            let lazy = ReverseSampler::new(&schedule, Lazy::new(controls).unwrap());
            let done = lazy.sample(&conditional, &mut plain).unwrap();
            let skip = SkipAhead::new(ChangesPerEvaluation::Fixed(1), Some(1), controls).unwrap();
            let found = SkipAheadSampler::new(&schedule, skip).sample(&conditional, &mut skipped).unwrap();
            assert_eq!(skipped, plain);
            assert_eq!(found, done);
            assert_eq!(found.rounds, schedule.horizon() as u64);
            if schedule.order().is_single_site() {
                // A kept token takes its site to the level that the evaluation had assumed: a window of 2 loses nothing.
                let mut skipped = start(&schedule, 40);
                let skip = SkipAhead::new(ChangesPerEvaluation::Fixed(1), Some(2), controls).unwrap();
                let found = SkipAheadSampler::new(&schedule, skip).sample(&conditional, &mut skipped).unwrap();
                assert_eq!(skipped, plain);
                assert!(found.evaluations < done.evaluations);
            }
        }
    }
}

/// One row walked step by step: at every touch the evaluation is made anew from the tokens and the step at which it was last due.
struct Reference<'a> {
    source: &'a MarkovSource,
    schedule: &'a Schedule,
    changes: ChangesPerEvaluation,
    window: Option<usize>,
    evaluations: u64,
}

impl Reference<'_> {
    fn run(&mut self, tokens: &mut [Token], clamped: &[bool], rng: &mut ChainRng) {
        let mut due = true;
        let (mut context, mut evaluated) = (tokens.to_vec(), self.schedule.horizon());
        let (mut changes, mut placed) = (0, 0.0);
        for t in (0..self.schedule.horizon()).rev() {
            let free: Vec<Site> = self.schedule.sites(t).iter().copied().filter(|&site| !clamped[site]).collect();
            due |= self.window.is_some_and(|window| evaluated - t >= window);
            if free.is_empty() {
                continue;
            }
            if due {
                (context, evaluated, changes, placed) = (tokens.to_vec(), t, 0, 0.0);
                self.evaluations += 1;
            }
            for site in free {
                let (token, signal) = self.draw((&context, clamped), evaluated, t, site, tokens[site], rng.uniform());
                if token != tokens[site] {
                    changes += 1;
                    placed += signal;
                    tokens[site] = token;
                }
            }
            due = match self.changes {
                ChangesPerEvaluation::Fixed(limit) => changes >= limit,
                ChangesPerEvaluation::Auto { signal } => changes > 0 && placed >= signal,
            };
        }
    }

    /// The token, and the probability that it is signal.
    fn draw(
        &self,
        (context, clamped): (&[Token], &[bool]),
        evaluated: Step,
        t: Step,
        site: Site,
        shown: Token,
        uniform: f64,
    ) -> (Token, f64) {
        let law = self.schedule.law();
        let held = self.schedule.signal_level(site, evaluated);
        let conditional = self.source.conditional(self.schedule).unwrap();
        let rows = TokenRows::new(context, LEN).with_clamped(Some(clamped));
        let mut mu = vec![0.0; VOCAB];
        conditional.conditionals(rows, evaluated, &[site], &mut mu).unwrap();
        for (b, mu) in mu.iter_mut().enumerate() {
            *mu = (*mu - (1.0 - held) * law.probability(b as Token)) / held;
        }
        let level = self.schedule.signal_level(site, t);
        let rate = |b: usize| level * mu[b] + (1.0 - level) * law.probability(b as Token);
        let mut posterior: Vec<f64> = (0..VOCAB).map(rate).collect();
        Lazy::posterior(self.schedule, t, site, shown, &mut posterior).unwrap();
        // The token shown first, then the others.
        let mut order: Vec<usize> = (0..VOCAB).filter(|&b| b != shown as usize).collect();
        order.insert(0, shown as usize);
        let mut rest = uniform;
        let token = order.into_iter().find(|&b| {
            rest -= posterior[b];
            rest < 0.0
        });
        let token = token.unwrap();
        (token as Token, level * mu[token] / rate(token))
    }
}

#[test]
fn held_conditionals_are_those_of_a_slow_reference_draw_by_draw() {
    let source = source();
    let fixed = ChangesPerEvaluation::Fixed;
    let auto = |signal| ChangesPerEvaluation::Auto { signal };
    let mut counted = 0;
    for schedule in schedules() {
        let conditional = source.conditional(&schedule).unwrap();
        for (changes, window) in [
            (fixed(1), None),
            (fixed(1), Some(1)),
            (fixed(1), Some(LEN / 4)),
            (fixed(1), Some(LEN)),
            (fixed(4), None),
            (fixed(4), Some(7)),
            (auto(0.5), Some(LEN)),
            (auto(2.0), None),
        ] {
            let mut chains = start(&schedule, 6);
            let mut expected = chains.clone().into_parts();
            let sampler = SkipAheadSampler::new(&schedule, skip(changes, window));
            let done = sampler.sample(&conditional, &mut chains).unwrap();
            let mut reference = Reference { source: &source, schedule: &schedule, changes, window, evaluations: 0 };
            for (row, rng) in expected.1.iter_mut().enumerate() {
                let clamped: Vec<bool> = (0..LEN).map(|site| chains.is_clamped(row, site)).collect();
                reference.run(expected.0.row_mut(row), &clamped, rng);
            }
            assert_eq!(chains.tokens(), &expected.0, "{changes:?} {window:?}");
            assert_eq!(chains.rngs(), expected.1);
            assert_eq!(done.evaluations, reference.evaluations);
            counted += done.changes;
        }
    }
    assert!(counted > 1000);
}

#[test]
fn rows_take_the_same_path_in_any_batch_and_thread() {
    let source = source();
    for schedule in schedules() {
        let conditional = source.conditional(&schedule).unwrap();
        let sampler = SkipAheadSampler::new(&schedule, SkipAhead::adaptive(&schedule));
        let all = start(&schedule, 21);
        let (mut together, mut shared) = (all.clone(), all.clone());
        let done = sampler.sample(&conditional, &mut together).unwrap();
        let parallel = sampler.sample_parallel(&conditional, &mut shared).unwrap();
        assert_eq!(together, shared);
        assert_eq!(done, parallel);
        let (tokens, rngs) = all.into_parts();
        let mut alone = Chains::new(TokenBatch::from_rows([tokens.row(1)]).unwrap(), vec![rngs[1].clone()]).unwrap();
        sampler.sample(&conditional, &mut alone).unwrap();
        assert_eq!(alone.tokens().row(0), together.tokens().row(1));
    }
}

#[test]
fn evaluations_follow_changes() {
    let source = source();
    for schedule in schedules().filter(|schedule| schedule.order().is_single_site()) {
        let conditional = source.conditional(&schedule).unwrap();
        let mut chains = Chains::from_noise(&schedule, ChainRng::streams(1, 200));
        let sampler = SkipAheadSampler::new(&schedule, SkipAhead::default());
        let done = sampler.sample(&conditional, &mut chains).unwrap();
        assert_eq!(done.updates, 200 * schedule.horizon() as u64);
        assert!(done.evaluations <= done.changes + 200 && done.evaluations >= done.changes, "{done:?}");
        if schedule.law().probability(MASK) == 1.0 {
            // A site is unmasked once, or is a mask of the data.
            let unmasked = chains.tokens().as_slice().iter().filter(|&&token| token != MASK).count();
            assert_eq!(done.changes, unmasked as u64);
        }
    }
}

/// Each evaluation but the last places the signal allowed, and all of them at most a token for each site: on average.
#[test]
fn the_adaptive_rule_keeps_its_budget() {
    let source = source();
    for schedule in schedules().filter(|schedule| schedule.order().is_single_site()) {
        let conditional = source.conditional(&schedule).unwrap();
        for signal in [0.5, 1.0, 3.0] {
            let sampler = SkipAheadSampler::new(&schedule, skip(ChangesPerEvaluation::Auto { signal }, None));
            let (tokens, rngs) = sampler.start(300, 2).into_parts();
            let rows = tokens.iter().zip(rngs).map(|(row, rng)| {
                let mut chain = Chains::new(TokenBatch::from_rows([row]).unwrap(), vec![rng]).unwrap();
                sampler.sample(&conditional, &mut chain).unwrap().evaluations as f64
            });
            let found = Estimate::independent(&rows.collect::<Vec<_>>());
            let bound = 1.0 + LEN as f64 / signal;
            assert!(found.mean - 3.0 * found.standard_error < bound, "{found:?} for {bound}");
        }
    }
}

#[test]
fn observers_see_every_round_and_may_stop() {
    let source = source();
    let schedule = schedules().next().unwrap();
    let conditional = source.conditional(&schedule).unwrap();
    let sampler = SkipAheadSampler::new(&schedule, SkipAhead::default());
    let mut chains = start(&schedule, 5);
    let (mut last, mut rounds) = (vec![schedule.horizon(); 5], 0);
    let done = sampler
        .run(&conditional, &mut chains, schedule.horizon(), 10, &mut |info| {
            rounds += 1;
            assert_eq!(info.diagnostics.rounds, rounds);
            assert!(info.times.iter().zip(&last).all(|(now, before)| now < before || *now == 10));
            last = info.times.to_vec();
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!((done.rounds, last), (rounds, vec![10; 5]));
    let stopped = sampler.run(&conditional, &mut chains, 10, 0, &mut |_| ControlFlow::Break(())).unwrap();
    assert_eq!(stopped.rounds, 1);
    assert!(matches!(
        sampler.run(&conditional, &mut chains, 3, 5, &mut |_| ControlFlow::Continue(())),
        Err(ChainError::OutsideHorizon { .. })
    ));
    // Where everything is known there is nothing to evaluate.
    chains.set_clamped(vec![true; 5 * LEN]).unwrap();
    let before = chains.clone();
    assert_eq!(sampler.sample(&conditional, &mut chains).unwrap().rounds, 0);
    assert_eq!(chains, before);
}

/// A conditional that is the same everywhere.
struct Constant(Vec<f64>);

impl SiteConditional for Constant {
    fn vocab(&self) -> usize {
        self.0.len()
    }

    fn len(&self) -> usize {
        LEN
    }

    fn log_conditionals(&self, _: TokenRows<'_>, _: Step, _: &[Site], out: &mut [f64]) -> Result<(), ChainError> {
        let laws = out.chunks_exact_mut(self.0.len());
        laws.for_each(|law| law.iter_mut().zip(&self.0).for_each(|(out, p)| *out = p.ln()));
        Ok(())
    }
}

#[test]
fn faults_are_errors_with_coordinates() {
    let order = SiteOrder::round_robin(LEN, 2).unwrap();
    let law = NoiseLaw::absorbing(3, 2).unwrap();
    let schedule = Schedule::new(SignalShape::Linear, order, law, 1e-3, false).unwrap();
    let last = schedule.horizon() - 1;
    let run = |law: &[f64], token| {
        let mut chains = Chains::seeded(TokenBatch::filled(1, LEN, token), 1);
        SkipAheadSampler::new(&schedule, SkipAhead::default()).sample(&Constant(law.to_vec()), &mut chains)
    };
    assert!(run(&[0.5, 0.4, 0.1], 2).is_ok());
    let found = run(&[0.5, 0.0, 0.5], 1);
    assert!(matches!(found, Err(ChainError::Impossible { token: 1, step, .. }) if step == last), "{found:?}");
    let found = run(&[f64::NAN, 0.5, 0.5], 2);
    assert!(matches!(found, Err(ChainError::NotANumber { row: 0, step, .. }) if step == last), "{found:?}");
    assert!(matches!(run(&[0.0; 3], 2), Err(ChainError::NoMass { row: 0, .. })));
    assert!(matches!(run(&[0.5; 2], 1), Err(ChainError::Mismatch { .. })));
}

const WIDE: usize = 27;
const LONG: usize = 64;
const ROWS: usize = 1000;

/// Chi-square of all bigrams of all positions pooled. They depend on each other, so only a simulated null makes sense of it.
fn pooled_bigrams(source: &MarkovSource, samples: &TokenBatch) -> f64 {
    let (mut counts, mut law) = (vec![0; WIDE * WIDE], vec![0.0; WIDE * WIDE]);
    for position in 0..LONG - 1 {
        for (a, mass) in source.marginal(position).into_iter().enumerate() {
            let pairs = law[a * WIDE..].iter_mut().zip(source.successors(a as Token));
            pairs.for_each(|(pair, p)| *pair += mass * p / (LONG - 1) as f64);
        }
    }
    for row in samples.iter() {
        row.windows(2).for_each(|pair| counts[pair[0] as usize * WIDE + pair[1] as usize] += 1);
    }
    ChiSquare::goodness_of_fit(&counts, &law).unwrap().statistic
}

fn log_probabilities(source: &MarkovSource, samples: &TokenBatch) -> Estimate {
    Estimate::independent(&samples.iter().map(|row| source.log_probability(row)).collect::<Vec<_>>())
}

/// At the cosine shape the adaptive rule takes less than 1.5 evaluations a site, and its samples pass where 16 changes for each
/// evaluation do not. The pooled statistic must not exceed all of 199 values of its null, and the mean log-probability lie within the
/// level 1e-3 of that of 20 times as many direct samples.
#[test]
fn the_adaptive_rule_samples_the_source() {
    let source = MarkovSource::random(WIDE, 1, 3.0).unwrap();
    let order = SiteOrder::round_robin(LONG, 32).unwrap();
    let schedule = Schedule::new(SignalShape::Cosine, order, NoiseLaw::uniform(WIDE).unwrap(), 1e-3, false).unwrap();
    let conditional = source.conditional(&schedule).unwrap();
    let direct = |seed: u64, rows: usize| {
        let mut rngs = ChainRng::streams(seed, rows);
        TokenBatch::from_rows(rngs.iter_mut().map(|rng| source.sample(LONG, rng))).unwrap()
    };
    let nulls = (0..199).into_par_iter().map(|set| pooled_bigrams(&source, &direct(100 + set, ROWS)));
    let null = nulls.reduce(|| 0.0, f64::max);
    let truth = log_probabilities(&source, &direct(99, 20 * ROWS));
    let judge = |skip: SkipAhead| {
        let sampler = SkipAheadSampler::new(&schedule, skip);
        let mut chains = sampler.start(ROWS, 7);
        let done = sampler.sample_parallel(&conditional, &mut chains).unwrap();
        let found = log_probabilities(&source, chains.tokens());
        let error = found.standard_error.hypot(truth.standard_error);
        (done, pooled_bigrams(&source, chains.tokens()), normal_p((found.mean - truth.mean) / error))
    };
    let (done, bigrams, p) = judge(SkipAhead::adaptive(&schedule));
    assert!(done.evaluations < (3 * ROWS * LONG / 2) as u64, "{done:?}");
    assert!(bigrams <= null && p > 1e-3, "{bigrams} against at most {null}, p = {p}");
    let marginals: Vec<f64> = (0..LONG).flat_map(|site| source.marginal(site)).collect();
    let predicted = ROWS as f64 * predicted_changes(&schedule, &marginals).unwrap().iter().sum::<f64>();
    assert!((done.changes as f64 / predicted - 1.0).abs() < 0.02, "{} for {predicted}", done.changes);
    let (done, bigrams, p) = judge(skip(ChangesPerEvaluation::Fixed(16), None));
    assert!(done.evaluations < (ROWS * LONG / 2) as u64);
    assert!(bigrams > null && p < 1e-6, "{bigrams} against at most {null}, p = {p}");
}
