//! The Markov source: forward–backward against enumeration, samples against the source, losses against plain Monte Carlo.

use crate::significance::{chi_square_p, normal_p};
use glauber_chain::oracles::{EnumeratedTable, MarkovSource, bayes_losses};
use glauber_chain::statistics::{ChiSquare, Estimate};
use glauber_chain::{
    ChainError, ChainRng, DrawControls, HeatBath, ReverseSampler, Sampler, SiteConditional, TokenRows, corrupt,
};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::TokenBatch;
use rayon::prelude::*;

fn schedule(order: SiteOrder, law: NoiseLaw, final_level: f64) -> Schedule {
    Schedule::new(SignalShape::LogLinear, order, law, final_level, true).unwrap()
}

#[test]
fn forward_backward_equals_enumeration() {
    let mut compared = 0;
    for (vocab, len) in [(3usize, 4usize), (2, 6), (4, 1), (5, 2)] {
        let source = MarkovSource::random(vocab, 9, 2.0).unwrap();
        let states = vocab.pow(len as u32);
        let shape = EnumeratedTable::new(vocab, len, vec![1.0; states]).unwrap();
        let weights = (0..states).map(|s| source.log_probability(&shape.sequence(s)).exp()).collect();
        let table = EnumeratedTable::new(vocab, len, weights).unwrap();
        let laws = [
            NoiseLaw::uniform(vocab).unwrap(),
            NoiseLaw::unigram(&(1..=vocab as u64).collect::<Vec<_>>(), 1.0).unwrap(),
            NoiseLaw::absorbing(vocab, 1).unwrap(),
        ];
        for law in laws {
            let schedule = schedule(SiteOrder::permutation(len, 3, 2).unwrap(), law, 1e-3);
            let (exact, found) = (table.conditional(&schedule).unwrap(), source.conditional(&schedule).unwrap());
            let sites: Vec<usize> = (0..len).rev().collect();
            for t in 0..schedule.horizon() {
                for state in 0..states {
                    let tokens = table.sequence(state);
                    let rows = TokenRows::new(&tokens, len);
                    let mut a = vec![0.0; len * vocab];
                    let mut b = a.clone();
                    if exact.log_conditionals(rows, t, &sites, &mut a).is_err() {
                        // Impossible contexts may be noticed or not, but nothing is claimed about them.
                        continue;
                    }
                    found.log_conditionals(rows, t, &sites, &mut b).unwrap();
                    for (a, b) in a.iter().zip(&b) {
                        assert!((a.exp() - b.exp()).abs() < 1e-12, "{} {}", a.exp(), b.exp());
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 10_000);
}

#[test]
fn posteriors_of_some_sites_equal_those_of_all() {
    let source = MarkovSource::random(27, 1, 2.0).unwrap();
    let schedule = schedule(SiteOrder::round_robin(64, 4).unwrap(), NoiseLaw::uniform(27).unwrap(), 1e-3);
    let mut rng = ChainRng::new(3, 0);
    let clean = source.sample(64, &mut rng);
    let mut noisy = vec![0; 64];
    corrupt(&schedule, &clean, 100, &mut rng, &mut noisy);
    let all: Vec<usize> = (0..64).collect();
    let all = source.denoising_posteriors(&schedule, 100, &noisy, &all).unwrap();
    for site in [0, 17, 63] {
        let one = source.denoising_posteriors(&schedule, 100, &noisy, &[site]).unwrap();
        assert_eq!(one, all[site * 27..][..27]);
        // Leave one out: the site's own token does not matter.
        let shown = noisy[site];
        noisy[site] = (shown + 1) % 27;
        assert_eq!(source.denoising_posteriors(&schedule, 100, &noisy, &[site]).unwrap(), one);
        noisy[site] = shown;
    }
    assert!(source.denoising_posteriors(&schedule, 100, &noisy, &[64]).is_err());
    assert!(source.denoising_posteriors(&schedule, 100, &noisy[1..], &[0]).is_err());
}

#[test]
fn impossible_tokens_are_an_error_with_coordinates() {
    // The tokens 0 and 1 alternate; absorbing noise never makes a 0 from a 1.
    let source = MarkovSource::new(vec![0.5, 0.5, 0.0], vec![0., 1., 0., 1., 0., 0., 0., 0., 1.]).unwrap();
    let law = NoiseLaw::absorbing(3, 2).unwrap();
    let schedule = schedule(SiteOrder::round_robin(4, 2).unwrap(), law, 1e-3);
    let found = source.denoising_posteriors(&schedule, 3, &[0, 0, 2, 2], &[2]);
    assert!(matches!(found, Err(ChainError::Impossible { site: 1, token: 0, step: 3 })), "{found:?}");
}

const VOCAB: usize = 27;
const LEN: usize = 64;
const ROWS: usize = 2500;
/// Positions whose unigram is tested; the last is the end-point.
const POSITIONS: [usize; 4] = [0, 1, 31, 63];
/// First positions of the pairs whose bigram is tested.
const PAIRS: [usize; 4] = [0, 20, 40, 62];

/// Rows are independent, so counts over rows at fixed positions are multinomial; counts within a row are never pooled here.
/// Returns the p-values of 4 unigram tests, 4 bigram tests, one test that the far ends are independent of each other where the source
/// forgets (the product of the marginals at positions 0 and 63), and one of the mean log-probability: 10 in all.
fn p_values(source: &MarkovSource, samples: &TokenBatch) -> Vec<f64> {
    let mut found = Vec::new();
    for position in POSITIONS {
        let mut counts = vec![0; VOCAB];
        samples.iter().for_each(|row| counts[row[position] as usize] += 1);
        found.push(p(&counts, &source.marginal(position)));
    }
    let pair_counts = |first: usize, second: usize| {
        let mut counts = vec![0; VOCAB * VOCAB];
        let cell = |row: &[u32]| row[first] as usize * VOCAB + row[second] as usize;
        samples.iter().for_each(|row| counts[cell(row)] += 1);
        counts
    };
    for first in PAIRS {
        let marginal = source.marginal(first);
        let law: Vec<f64> = (0..VOCAB)
            .flat_map(|a| source.successors(a as u32).iter().map(move |p| (a, p)))
            .map(|(a, p)| marginal[a] * p)
            .collect();
        found.push(p(&pair_counts(first, first + 1), &law));
    }
    let (start, end) = (source.marginal(0), source.marginal(63));
    let law: Vec<f64> = start.iter().flat_map(|a| end.iter().map(move |b| a * b)).collect();
    found.push(p(&pair_counts(0, 63), &law));
    let logs: Vec<f64> = samples.iter().map(|row| source.log_probability(row)).collect();
    found.push(normal_p(Estimate::independent(&logs).deviation_from(-entropy(source))));
    found
}

fn p(counts: &[u64], law: &[f64]) -> f64 {
    chi_square_p(ChiSquare::goodness_of_fit(counts, law).unwrap())
}

/// Entropy of a sequence in nats, by the chain rule.
fn entropy(source: &MarkovSource) -> f64 {
    let of = |law: &[f64]| -law.iter().map(|p| if *p > 0.0 { p * p.ln() } else { 0.0 }).sum::<f64>();
    let steps = (0..LEN - 1).map(|position| {
        let marginal = source.marginal(position);
        (0..VOCAB).map(|a| marginal[a] * of(source.successors(a as u32))).sum::<f64>()
    });
    of(source.initial()) + steps.sum::<f64>()
}

/// Chi-square of all bigrams of all positions pooled. They depend on each other, so only a simulated null makes sense of it.
fn pooled_bigrams(source: &MarkovSource, samples: &TokenBatch) -> f64 {
    let mut counts = vec![0; VOCAB * VOCAB];
    let mut law = vec![0.0; VOCAB * VOCAB];
    for position in 0..LEN - 1 {
        let marginal = source.marginal(position);
        for a in 0..VOCAB {
            for (b, p) in source.successors(a as u32).iter().enumerate() {
                law[a * VOCAB + b] += marginal[a] * p / (LEN - 1) as f64;
            }
        }
    }
    for row in samples.iter() {
        row.windows(2).for_each(|pair| counts[pair[0] as usize * VOCAB + pair[1] as usize] += 1);
    }
    ChiSquare::goodness_of_fit(&counts, &law).unwrap().statistic
}

fn direct_samples(source: &MarkovSource, seed: u64) -> TokenBatch {
    let mut rngs = ChainRng::streams(seed, ROWS);
    TokenBatch::from_rows(rngs.iter_mut().map(|rng| source.sample(LEN, rng))).unwrap()
}

/// Signal left at the horizon: 1e-6 for each site, so starting from `q` instead of the exact law there shifts nothing visible.
fn reverse_samples(source: &MarkovSource, temperature: f64) -> TokenBatch {
    let law = NoiseLaw::uniform(VOCAB).unwrap();
    let schedule = schedule(SiteOrder::permutation(LEN, 3, 8).unwrap(), law, 1e-6);
    let kernel = HeatBath::new(DrawControls { temperature, ..Default::default() }).unwrap();
    let sampler = ReverseSampler::new(&schedule, kernel);
    let mut chains = sampler.start(ROWS, 77);
    sampler.sample_parallel(&source.conditional(&schedule).unwrap(), &mut chains).unwrap();
    chains.into_parts().0
}

/// 10 p-values, each above 1e-4: a correct sampler fails for fewer than 1 in 1000 seeds. The pooled statistic must not exceed all of 199
/// values of its null: fewer than 1 in 200 seeds.
#[test]
fn exact_conditionals_reproduce_the_source() {
    let source = MarkovSource::random(VOCAB, 1, 2.0).unwrap();
    let samples = reverse_samples(&source, 1.0);
    let found = p_values(&source, &samples);
    assert!(found.iter().all(|&p| p > 1e-4), "{found:?}");
    let null = largest_of_null(&source, 199);
    let pooled = pooled_bigrams(&source, &samples);
    assert!(pooled <= null, "{pooled} against at most {null}");
    // The statistics themselves are sound: direct samples pass too.
    let direct = p_values(&source, &direct_samples(&source, 5));
    assert!(direct.iter().all(|&p| p > 1e-4), "{direct:?}");
}

/// The largest pooled statistic of so many sets of direct samples.
fn largest_of_null(source: &MarkovSource, sets: u64) -> f64 {
    (0..sets)
        .into_par_iter()
        .map(|seed| pooled_bigrams(source, &direct_samples(source, 1000 + seed)))
        .reduce(|| 0.0, f64::max)
}

/// A tenth off in temperature changes the bigrams at one position too little to be seen in this many rows, but all positions together,
/// and the log-probability, show it.
#[test]
fn a_temperature_of_nine_tenths_is_rejected() {
    let source = MarkovSource::random(VOCAB, 1, 2.0).unwrap();
    let samples = reverse_samples(&source, 0.9);
    let log_probability = p_values(&source, &samples)[9];
    assert!(log_probability < 1e-6, "{log_probability}");
    let (pooled, null) = (pooled_bigrams(&source, &samples), largest_of_null(&source, 199));
    assert!(pooled > 1.5 * null, "{pooled} against at most {null}");
}

/// The closed-form expectation over labels against labels drawn one by one; the level is 1e-3 for each of the 9 comparisons.
#[test]
fn bayes_losses_equal_plain_monte_carlo() {
    let source = MarkovSource::random(6, 4, 2.0).unwrap();
    let laws = [NoiseLaw::uniform(6), NoiseLaw::absorbing(6, 5), NoiseLaw::unigram(&[1, 5, 2, 2, 9, 1], 0.5)];
    for law in laws {
        let order = SiteOrder::permutation(12, 4, 0).unwrap();
        let schedule = schedule(order, law.unwrap(), 1e-3);
        let exact = bayes_losses(&source, &schedule, 20_000, 3).unwrap();
        let plain: Vec<_> = (0..20_000).map(|stream| plain_losses(&source, &schedule, stream)).collect();
        for (objective, exact) in [exact.binary, exact.denoising, exact.step].into_iter().enumerate() {
            let plain: Vec<f64> = plain.iter().map(|losses| losses[objective]).collect();
            let plain = Estimate::independent(&plain);
            let error = exact.standard_error.hypot(plain.standard_error);
            assert!(normal_p((exact.mean - plain.mean) / error) > 1e-3, "{exact:?} {plain:?}");
            assert!(exact.standard_error <= plain.standard_error * 1.05);
            assert!(exact.mean > 10.0 * exact.standard_error, "nothing to compare");
        }
    }
    assert!(
        bayes_losses(
            &source,
            &schedule(SiteOrder::round_robin(3, 2).unwrap(), NoiseLaw::uniform(5).unwrap(), 1e-3),
            10,
            0
        )
        .is_err()
    );
}

/// Binary, denoising and step loss of one sequence.
fn plain_losses(source: &MarkovSource, schedule: &Schedule, stream: u64) -> [f64; 3] {
    let len = schedule.len();
    let mut rng = ChainRng::new(999, stream);
    let clean = source.sample(len, &mut rng);
    let t = rng.below(schedule.horizon());
    let mut noisy = vec![0; len];
    corrupt(schedule, &clean, t, &mut rng, &mut noisy);
    let sites: Vec<usize> = (0..len).collect();
    let mu = source.denoising_posteriors(schedule, t, &noisy, &sites).unwrap();
    let (mut binary, mut denoising, mut step) = (0.0, 0.0, 0.0);
    for site in 0..len {
        let mu = &mu[site * source.vocab()..][..source.vocab()];
        denoising -= mu[clean[site] as usize].ln();
        let noise = rng.uniform() < schedule.beta(t);
        let shown = if noise { schedule.law().draw(rng.uniform()) } else { noisy[site] };
        let level = schedule.signal_level(site, t);
        let rate = |a: u32| level * mu[a as usize] + (1.0 - level) * schedule.law().probability(a);
        step -= rate(noisy[site]).ln();
        let r = rate(shown);
        // Equation (R), solved for p.
        let p = schedule.noise_probability(t, shown)
            / (schedule.noise_probability(t, shown) + schedule.keep_probability(t) * r);
        binary -= if noise { p.ln() } else { (1.0 - p).ln() };
    }
    [binary, denoising, step].map(|loss| loss / len as f64)
}
