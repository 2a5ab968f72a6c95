//! The equations of the forward and reverse chain on tables small enough to enumerate.

use crate::significance::chi_square_p;
use glauber_chain::oracles::EnumeratedTable;
use glauber_chain::statistics::ChiSquare;
use glauber_chain::{ChainRng, HeatBath, ReverseSampler, Sampler, corrupt, step};
use glauber_schedule::{Boundary, Neighbourhood, NoiseLaw, Schedule, SignalShape, SiteOrder};

/// Vocabulary, length, and a lattice of as many sites.
const SIZES: [(usize, usize, (usize, usize)); 2] = [(3, 3, (1, 3)), (2, 6, (2, 3))];

/// A correlated π: products of cubed uniforms, a few of them zero.
fn table(vocab: usize, len: usize) -> EnumeratedTable {
    let mut rng = ChainRng::new(17, 0);
    let states = vocab.pow(len as u32);
    let weights = (0..states).map(|_| (rng.uniform() * 1.2 - 0.2).max(0.0).powi(3)).collect();
    EnumeratedTable::new(vocab, len, weights).unwrap()
}

fn laws(vocab: usize) -> Vec<NoiseLaw> {
    let uniform = NoiseLaw::uniform(vocab).unwrap();
    let counts: Vec<u64> = (0..vocab as u64).map(|a| 1 + 3 * a).collect();
    let absorbing = NoiseLaw::absorbing(vocab, 0).unwrap();
    let mixture = NoiseLaw::mixture(&[(0.7, absorbing.clone()), (0.3, uniform.clone())]).unwrap();
    vec![uniform, NoiseLaw::unigram(&counts, 0.5).unwrap(), absorbing, mixture]
}

fn single_site_orders(len: usize) -> Vec<SiteOrder> {
    vec![
        SiteOrder::round_robin(len, 3).unwrap(),
        SiteOrder::permutation(len, 3, 5).unwrap(),
        SiteOrder::random_scan(len, 5, 1).unwrap(),
    ]
}

fn chromatic((height, width): (usize, usize)) -> SiteOrder {
    SiteOrder::chromatic(height, width, Neighbourhood::Four, Boundary::Open, 3).unwrap()
}

fn schedule(order: SiteOrder, law: NoiseLaw, shape: SignalShape) -> Schedule {
    // The exact tests start from the exact law at the horizon, so whatever signal is left there does no harm.
    Schedule::new(shape, order, law, 1e-3, true).unwrap()
}

/// Every size, noise law and order, with a table π to go with it.
fn cases() -> Vec<(EnumeratedTable, Schedule)> {
    let mut cases = Vec::new();
    for (vocab, len, lattice) in SIZES {
        for law in laws(vocab) {
            let mut orders = single_site_orders(len);
            orders.push(chromatic(lattice));
            for (order, shape) in orders.into_iter().zip([
                SignalShape::Linear,
                SignalShape::Cosine,
                SignalShape::LogLinear,
                SignalShape::ConstantBeta,
            ]) {
                cases.push((table(vocab, len), schedule(order, law.clone(), shape)));
            }
        }
    }
    cases
}

fn total_variation(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
}

#[test]
fn equation_m_equals_the_chain_step_by_step() {
    for (table, schedule) in cases() {
        let mut law = table.probabilities().to_vec();
        for t in 0..schedule.horizon() {
            law = table.step_law(&schedule, t, &law);
            for (found, expected) in table.law_at(&schedule, t + 1).iter().zip(&law) {
                assert!((found - expected).abs() < 1e-12);
            }
        }
    }
}

/// `r(a) = (Π_t(a) / Π_t(φ)) (1/p − 1)` wherever `q(a) > 0`, with `p` summed over the joint law of `(X_t, Z_t)`.
#[test]
fn equation_r_recovers_the_conditional() {
    let mut compared = 0;
    for (table, schedule) in cases() {
        for t in 0..schedule.horizon() {
            let law = table.law_at(&schedule, t);
            for &site in schedule.sites(t) {
                let r = table.conditionals(&law, site);
                for state in 0..table.states() {
                    for a in 0..table.vocab() as u32 {
                        let p = table.binary_posterior(&schedule, t, &law, state, site, a);
                        let (Some(p), true) = (p, schedule.law().probability(a) > 0.0) else {
                            continue;
                        };
                        let odds = schedule.noise_probability(t, a) / schedule.keep_probability(t);
                        let found = odds * (1.0 / p - 1.0);
                        let expected = r[state * table.vocab() + a as usize];
                        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 10_000);
}

/// `r(a) ∝ Π_t(a) exp f(a)` with the signal logit `f = ln((1 − p)/p)`, for laws that noise to every token.
#[test]
fn equation_h_is_a_softmax_of_signal_logits() {
    let mut compared = 0;
    for (table, schedule) in cases() {
        if schedule.law().probabilities().contains(&0.0) {
            continue;
        }
        let vocab = table.vocab() as u32;
        for t in 0..schedule.horizon() {
            let law = table.law_at(&schedule, t);
            for &site in schedule.sites(t) {
                let r = table.conditionals(&law, site);
                for state in 0..table.states() {
                    let expected = &r[state * table.vocab()..][..table.vocab()];
                    if expected.iter().sum::<f64>() == 0.0 {
                        continue;
                    }
                    let rates: Vec<f64> = (0..vocab)
                        .map(|a| {
                            let p = table.binary_posterior(&schedule, t, &law, state, site, a).unwrap();
                            let logit = ((1.0 - p) / p).ln();
                            (schedule.log_noise_probability(t, a) + logit).exp()
                        })
                        .collect();
                    let sum: f64 = rates.iter().sum();
                    for (rate, expected) in rates.iter().zip(expected) {
                        assert!((rate / sum - expected).abs() < 1e-12);
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared > 5_000);
}

/// The exact law at the horizon, pushed through every heat-bath update of the reverse chain with the exact conditionals.
fn reverse_pass(table: &EnumeratedTable, schedule: &Schedule) -> Vec<f64> {
    (0..schedule.horizon()).rev().fold(table.law_at(schedule, schedule.horizon()), |law, t| {
        let at_t = table.law_at(schedule, t);
        let sites = schedule.sites(t);
        let tables: Vec<_> = sites.iter().map(|&site| table.conditionals(&at_t, site)).collect();
        table.heat_bath_law(&law, &tables, sites)
    })
}

#[test]
fn reverse_heat_bath_lands_on_the_data_for_single_sites() {
    for (table, schedule) in cases() {
        if schedule.order().is_single_site() {
            let end = reverse_pass(&table, &schedule);
            assert!(total_variation(&end, table.probabilities()) <= 1e-10);
        }
    }
}

/// Redrawing a block from one evaluation ignores how its sites depend on each other given the rest, and reads the block's other sites
/// at their noisier values. That is exact only where sites are independent.
#[test]
fn reverse_blocks_are_exact_only_for_independent_sites() {
    for (vocab, len, lattice) in SIZES {
        let schedule = schedule(chromatic(lattice), laws(vocab).remove(0), SignalShape::Linear);
        let correlated = table(vocab, len);
        let end = reverse_pass(&correlated, &schedule);
        assert!(total_variation(&end, correlated.probabilities()) > 1e-3);

        let product = (0..correlated.states()).map(|state| {
            let tokens = correlated.sequence(state);
            tokens.iter().enumerate().map(|(i, &a)| 1.0 + (a as f64 + 1.0) * i as f64).product()
        });
        let independent = EnumeratedTable::new(vocab, len, product.collect()).unwrap();
        let end = reverse_pass(&independent, &schedule);
        assert!(total_variation(&end, independent.probabilities()) <= 1e-10);
    }
}

#[test]
fn a_wrong_conditional_misses_the_data() {
    let (table, schedule) = cases().swap_remove(0);
    let end = (0..schedule.horizon()).rev().fold(table.law_at(&schedule, schedule.horizon()), |law, t| {
        // One step late.
        let late = table.law_at(&schedule, t + 1);
        let site = schedule.sites(t)[0];
        table.heat_bath_law(&law, &[table.conditionals(&late, site)], &[site])
    });
    assert!(total_variation(&end, table.probabilities()) > 1e-2);
}

const DRAWS: u64 = 20_000;

fn fit(table: &EnumeratedTable, states: impl Iterator<Item = usize>, law: &[f64]) -> f64 {
    let mut counts = vec![0; table.states()];
    states.for_each(|state| counts[state] += 1);
    ChiSquare::goodness_of_fit(&counts, law).map_or(1.0, chi_square_p)
}

fn draw_clean(table: &EnumeratedTable, rng: &mut ChainRng) -> Vec<u32> {
    let mut rest = rng.uniform();
    let hit = table.probabilities().iter().position(|p| {
        rest -= p;
        rest < 0.0
    });
    let likely = |&p: &f64| p > 0.0;
    let last = table.probabilities().iter().rposition(likely).unwrap();
    table.sequence(hit.unwrap_or(last))
}

/// 2 tests for each of 32 cases: the level 1e-3 holds jointly at 1e-3 / 64 each.
#[test]
fn simulated_chains_follow_equation_m() {
    for (table, schedule) in cases() {
        let t = schedule.horizon() / 2;
        let law = table.law_at(&schedule, t);
        let simulated = (0..DRAWS).map(|stream| {
            let mut rng = ChainRng::new(1, stream);
            let mut tokens = draw_clean(&table, &mut rng);
            for t in 0..t {
                step(&schedule, t, &mut tokens, &mut rng);
            }
            table.state(&tokens)
        });
        let p = fit(&table, simulated, &law);
        assert!(p > 1e-3 / 64.0, "step by step: p = {p}");
        let closed = (0..DRAWS).map(|stream| {
            let mut rng = ChainRng::new(2, stream);
            let clean = draw_clean(&table, &mut rng);
            let mut noisy = vec![0; clean.len()];
            corrupt(&schedule, &clean, t, &mut rng, &mut noisy);
            table.state(&noisy)
        });
        let p = fit(&table, closed, &law);
        assert!(p > 1e-3 / 64.0, "closed form: p = {p}");
    }
}

/// 8 tests: the level 1e-3 holds jointly. The signal left at the horizon is 1e-6 for each site, invisible at this many draws.
#[test]
fn the_reverse_sampler_samples_the_data() {
    for (vocab, len, _) in SIZES {
        let table = table(vocab, len);
        for law in laws(vocab) {
            let order = SiteOrder::permutation(len, 4, 3).unwrap();
            let schedule = Schedule::new(SignalShape::Cosine, order, law, 1e-6, false).unwrap();
            let conditional = table.conditional(&schedule).unwrap();
            let sampler = ReverseSampler::new(&schedule, HeatBath::default());
            let mut chains = sampler.start(DRAWS as usize, 4);
            let done = sampler.sample_parallel(&conditional, &mut chains).unwrap();
            assert_eq!(done.updates, DRAWS * schedule.horizon() as u64);
            let states = chains.tokens().iter().map(|row| table.state(row));
            let p = fit(&table, states, table.probabilities());
            assert!(p > 1e-3 / 8.0, "p = {p}");
            // The test can fail: the uniform law is rejected.
            let states = chains.tokens().iter().map(|row| table.state(row));
            let flat = vec![1.0 / table.states() as f64; table.states()];
            assert!(fit(&table, states, &flat) < 1e-9);
        }
    }
}
