//! The lazy kernel, equation (L), and the maximal coupling: exact laws and pair laws on enumerated tables, samples and change counts on
//! a Markov source.

use crate::significance::{chi_square_p, normal_p};
use glauber_chain::oracles::{EnumeratedTable, MarkovSource};
use glauber_chain::statistics::{ChiSquare, Estimate};
use glauber_chain::{
    Blend, ChainError, ChainRng, Chains, DrawControls, Flow, HeatBath, Lazy, MaximalCoupling, ReverseKernel,
    ReverseSampler, Sampler, SiteConditional, TokenRows, Touch, corrupt, predicted_changes,
};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::{Step, TokenBatch};

const SIZES: [(usize, usize); 2] = [(3, 3), (2, 6)];

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

/// Every size, noise law, and order of single sites, with a table π to go with it.
fn cases() -> Vec<(EnumeratedTable, Schedule)> {
    let mut cases = Vec::new();
    for (vocab, len) in SIZES {
        for law in laws(vocab) {
            let orders = [
                SiteOrder::round_robin(len, 3).unwrap(),
                SiteOrder::permutation(len, 3, 5).unwrap(),
                SiteOrder::random_scan(len, 5, 1).unwrap(),
            ];
            let shapes = [SignalShape::Linear, SignalShape::Cosine, SignalShape::LogLinear];
            for (order, shape) in orders.into_iter().zip(shapes) {
                let schedule = Schedule::new(shape, order, law.clone(), 1e-3, true).unwrap();
                cases.push((table(vocab, len), schedule));
            }
        }
    }
    cases
}

fn total_variation(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
}

/// `P(X_t = y, X_{t+1} = x)`, shape `[x · y]`, where `X_{t+1}` has the given law and `X_t` comes from the kernel with exact conditionals.
fn reverse_pairs(
    table: &EnumeratedTable,
    schedule: &Schedule,
    t: Step,
    law: &[f64],
    kernel: &dyn ReverseKernel,
) -> Vec<f64> {
    let states = table.states();
    let site = schedule.sites(t)[0];
    let conditionals = table.conditionals(&table.law_at(schedule, t), site);
    let mut pairs = vec![0.0; states * states];
    for (x, &mass) in law.iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
        let mut rates = conditionals[x * table.vocab()..][..table.vocab()].to_vec();
        rates.iter_mut().for_each(|rate| *rate = rate.ln());
        kernel.log_probabilities(&Touch::new(schedule, t, site, table.token(x, site)), &mut rates).unwrap();
        for (b, rate) in rates.iter().enumerate() {
            let mut before = table.sequence(x);
            before[site] = b as u32;
            pairs[x * states + table.state(&before)] += mass * rate.exp();
        }
    }
    pairs
}

/// The same pair law from the definition of the forward chain: `P(X_t = y) K(y → x)`.
fn forward_pairs(table: &EnumeratedTable, schedule: &Schedule, t: Step) -> Vec<f64> {
    let states = table.states();
    let mut pairs = vec![0.0; states * states];
    for (y, mass) in table.law_at(schedule, t).into_iter().enumerate() {
        let mut alone = vec![0.0; states];
        alone[y] = mass;
        for (x, mass) in table.step_law(schedule, t, &alone).into_iter().enumerate() {
            pairs[x * states + y] += mass;
        }
    }
    pairs
}

fn law_before(pairs: &[f64], states: usize) -> Vec<f64> {
    (0..states).map(|y| (0..states).map(|x| pairs[x * states + y]).sum()).collect()
}

#[test]
fn lazy_steps_reverse_the_forward_chain_pair_by_pair() {
    for (table, schedule) in cases() {
        for t in 0..schedule.horizon() {
            let after = table.law_at(&schedule, t + 1);
            let forward = forward_pairs(&table, &schedule, t);
            let lazy = reverse_pairs(&table, &schedule, t, &after, &Lazy::default());
            assert!(total_variation(&lazy, &forward) < 1e-13);
            assert!(total_variation(&law_before(&lazy, table.states()), &table.law_at(&schedule, t)) < 1e-13);
            // Heat bath gives the law at t, but forgets what it was paired with.
            let heat_bath = reverse_pairs(&table, &schedule, t, &after, &HeatBath::default());
            assert!(total_variation(&law_before(&heat_bath, table.states()), &table.law_at(&schedule, t)) < 1e-13);
            if t == 0 {
                assert!(total_variation(&heat_bath, &forward) > 0.05);
            }
        }
    }
}

/// The coupling gives the law at `t` too, and moves no more than the laws are apart.
#[test]
fn the_coupling_moves_as_little_as_any_kernel_can() {
    for (table, schedule) in cases() {
        for t in 0..schedule.horizon() {
            let after = table.law_at(&schedule, t + 1);
            let pairs = reverse_pairs(&table, &schedule, t, &after, &MaximalCoupling::default());
            let before = law_before(&pairs, table.states());
            assert!(total_variation(&before, &table.law_at(&schedule, t)) < 1e-13);
            let stayed: f64 = (0..table.states()).map(|x| pairs[x * (table.states() + 1)]).sum();
            assert!((1.0 - stayed - total_variation(&before, &after)).abs() < 1e-13);
        }
    }
}

#[test]
fn reverse_chains_land_on_the_data() {
    for (table, schedule) in cases() {
        let blend = Blend::new(0.3, HeatBath::default(), Lazy::default()).unwrap();
        let (coupling, flow) = (MaximalCoupling::default(), Flow::default());
        for kernel in [&Lazy::default() as &dyn ReverseKernel, &coupling, &flow, &blend] {
            let start = table.law_at(&schedule, schedule.horizon());
            let end = (0..schedule.horizon())
                .rev()
                .fold(start, |law, t| law_before(&reverse_pairs(&table, &schedule, t, &law, kernel), table.states()));
            assert!(total_variation(&end, table.probabilities()) < 1e-12);
        }
    }
}

const DRAWS: usize = 20_000;

fn fit(table: &EnumeratedTable, samples: &TokenBatch, law: &[f64]) -> f64 {
    let mut counts = vec![0; table.states()];
    samples.iter().for_each(|row| counts[table.state(row)] += 1);
    ChiSquare::goodness_of_fit(&counts, law).map_or(1.0, chi_square_p)
}

/// 8 tests: the level 1e-3 holds jointly. The signal left at the horizon is 1e-6 for each site, invisible at this many draws.
#[test]
fn the_sampler_draws_the_data_with_the_lazy_kernel() {
    for (vocab, len) in SIZES {
        let table = table(vocab, len);
        for law in laws(vocab) {
            let order = SiteOrder::permutation(len, 8, 3).unwrap();
            let schedule = Schedule::new(SignalShape::Cosine, order, law, 1e-6, false).unwrap();
            let conditional = table.conditional(&schedule).unwrap();
            let sampler = ReverseSampler::new(&schedule, Lazy::default());
            let mut chains = sampler.start(DRAWS, 4);
            let mut alone = chains.clone();
            let done = sampler.sample_parallel(&conditional, &mut chains).unwrap();
            assert_eq!(done.updates, (DRAWS * schedule.horizon()) as u64);
            let p = fit(&table, chains.tokens(), table.probabilities());
            assert!(p > 1e-3 / 8.0, "p = {p}");
            assert!(fit(&table, chains.tokens(), &vec![1.0 / table.states() as f64; table.states()]) < 1e-9);
            assert_eq!(sampler.sample(&conditional, &mut alone).unwrap(), done);
            assert_eq!(alone, chains);
        }
    }
}

const VOCAB: usize = 27;
const LEN: usize = 16;

fn source() -> MarkovSource {
    MarkovSource::random(VOCAB, 1, 3.0).unwrap()
}

fn schedule(law: NoiseLaw, sweeps: usize, final_level: f64) -> Schedule {
    let order = SiteOrder::round_robin(LEN, sweeps).unwrap();
    Schedule::new(SignalShape::Linear, order, law, final_level, true).unwrap()
}

/// Chains at the exact law of `X_T`.
fn noised(source: &MarkovSource, schedule: &Schedule, rows: usize) -> Chains {
    let mut rngs = ChainRng::streams(5, rows);
    let rows = rngs.iter_mut().map(|rng| {
        let clean = source.sample(LEN, rng);
        let mut noisy = vec![0; LEN];
        corrupt(schedule, &clean, schedule.horizon(), rng, &mut noisy);
        noisy
    });
    let tokens = TokenBatch::from_rows(rows).unwrap();
    Chains::new(tokens, rngs).unwrap()
}

/// Unigrams at 3 positions, bigrams at 3, the mean log-probability: 7 p-values for each of 2 noise laws, the level 1e-3 jointly.
#[test]
fn exact_conditionals_reproduce_the_source() {
    let source = source();
    for law in [NoiseLaw::uniform(VOCAB).unwrap(), NoiseLaw::unigram(&[3; VOCAB], 1.0).unwrap()] {
        let schedule = schedule(law, 8, 1e-3);
        let sampler = ReverseSampler::new(&schedule, Lazy::default());
        let mut chains = noised(&source, &schedule, 4000);
        sampler.sample_parallel(&source.conditional(&schedule).unwrap(), &mut chains).unwrap();
        let mut found = Vec::new();
        for first in [0, 7, LEN - 2] {
            let marginal = source.marginal(first);
            let (mut one, mut two) = (vec![0; VOCAB], vec![0; VOCAB * VOCAB]);
            for row in chains.tokens().iter() {
                one[row[first] as usize] += 1;
                two[row[first] as usize * VOCAB + row[first + 1] as usize] += 1;
            }
            let pairs =
                (0..VOCAB * VOCAB).map(|at| marginal[at / VOCAB] * source.successors((at / VOCAB) as u32)[at % VOCAB]);
            let p = |counts: &[u64], law: &[f64]| chi_square_p(ChiSquare::goodness_of_fit(counts, law).unwrap());
            found.extend([p(&one, &marginal), p(&two, &pairs.collect::<Vec<_>>())]);
        }
        let direct: Vec<f64> = ChainRng::streams(6, 20_000)
            .iter_mut()
            .map(|rng| source.log_probability(&source.sample(LEN, rng)))
            .collect();
        let logs: Vec<f64> = chains.tokens().iter().map(|row| source.log_probability(row)).collect();
        let (direct, found_logs) = (Estimate::independent(&direct), Estimate::independent(&logs));
        let error = direct.standard_error.hypot(found_logs.standard_error);
        found.push(normal_p((found_logs.mean - direct.mean) / error));
        assert!(found.iter().all(|&p| p > 1e-3 / 14.0), "{found:?}");
    }
}

fn marginals(source: &MarkovSource) -> Vec<f64> {
    (0..LEN).flat_map(|site| source.marginal(site)).collect()
}

/// From the exact law of `X_T` the expected number of changes is the predicted one: 6 tests, the level 1e-3 jointly.
#[test]
fn changes_come_out_as_predicted() {
    let source = source();
    let counts: Vec<u64> = (1..=VOCAB as u64).collect();
    for law in [NoiseLaw::uniform(VOCAB).unwrap(), NoiseLaw::unigram(&counts, 1.0).unwrap()] {
        for (sweeps, final_level) in [(4, 1e-3), (16, 1e-3), (16, 0.2)] {
            let schedule = schedule(law.clone(), sweeps, final_level);
            let predicted: f64 = predicted_changes(&schedule, &marginals(&source)).unwrap().iter().sum();
            let conditional = source.conditional(&schedule).unwrap();
            let start = noised(&source, &schedule, 600);
            let (tokens, rngs) = start.into_parts();
            let counted: Vec<f64> = tokens
                .iter()
                .zip(rngs)
                .map(|(row, rng)| {
                    let mut chain = Chains::new(TokenBatch::from_rows([row.to_vec()]).unwrap(), vec![rng]).unwrap();
                    let steps = (0..schedule.horizon()).rev();
                    Lazy::default().run(&conditional, &mut chain, &schedule, steps).unwrap().changes as f64
                })
                .collect();
            let counted = Estimate::independent(&counted);
            assert!(normal_p(counted.deviation_from(predicted)) > 1e-3 / 6.0, "{counted:?} for {predicted}");
            assert!(counted.standard_error < 0.02 * predicted, "too few chains to tell");
        }
    }
}

/// Under absorbing noise every masked site changes once, when it is unmasked, and never again.
#[test]
fn under_absorbing_noise_every_mask_changes_once() {
    let mask = VOCAB as u32;
    let inner = source();
    // The source with a mask token that it never shows.
    let mut initial = inner.initial().to_vec();
    initial.push(0.0);
    let mut transition = Vec::new();
    for from in 0..VOCAB as u32 {
        transition.extend_from_slice(inner.successors(from));
        transition.push(0.0);
    }
    transition.extend_from_slice(&initial);
    let source = MarkovSource::new(initial, transition).unwrap();
    let schedule = schedule(NoiseLaw::absorbing(VOCAB + 1, mask).unwrap(), 6, 0.1);
    let mut chains = noised(&source, &schedule, 200);
    let masked = chains.tokens().as_slice().iter().filter(|&&token| token == mask).count();
    let done = ReverseSampler::new(&schedule, Lazy::default())
        .sample_parallel(&source.conditional(&schedule).unwrap(), &mut chains)
        .unwrap();
    assert_eq!(done.changes, masked as u64);
    assert!(!chains.tokens().as_slice().contains(&mask));
    let marginals: Vec<f64> = (0..LEN).flat_map(|site| source.marginal(site)).collect();
    let predicted: f64 = predicted_changes(&schedule, &marginals).unwrap().iter().sum();
    assert!((predicted - LEN as f64 * 0.9).abs() < 1e-9, "{predicted}");
}

/// A conditional that is the same everywhere.
struct Constant(Vec<f64>, usize);

impl SiteConditional for Constant {
    fn vocab(&self) -> usize {
        self.0.len()
    }

    fn len(&self) -> usize {
        self.1
    }

    fn log_conditionals(&self, _: TokenRows<'_>, _: Step, _: &[usize], out: &mut [f64]) -> Result<(), ChainError> {
        let laws = out.chunks_exact_mut(self.0.len());
        laws.for_each(|law| law.iter_mut().zip(&self.0).for_each(|(out, p)| *out = p.ln()));
        Ok(())
    }
}

#[test]
fn faults_are_errors_with_coordinates() {
    let schedule = Schedule::new(
        SignalShape::Linear,
        SiteOrder::round_robin(2, 2).unwrap(),
        NoiseLaw::absorbing(3, 2).unwrap(),
        1e-3,
        false,
    )
    .unwrap();
    let run = |law: [f64; 3], tokens: [u32; 2]| {
        let mut chains = Chains::seeded(TokenBatch::from_rows([[2, 2], tokens]).unwrap(), 1);
        Lazy::default().run(&Constant(law.to_vec(), 2), &mut chains, &schedule, [3, 2].into_iter())
    };
    assert!(run([0.5, 0.25, 0.25], [0, 1]).is_ok());
    let found = run([0.5, 0.0, 0.5], [0, 1]);
    assert!(matches!(found, Err(ChainError::Impossible { site: 1, token: 1, step: 3 })), "{found:?}");
    assert!(matches!(run([f64::NAN, 0.5, 0.5], [0, 1]), Err(ChainError::NotANumber { row: 0, site: 1, step: 3 })));
    assert!(matches!(run([0.0; 3], [0, 1]), Err(ChainError::NoMass { row: 0, site: 1, step: 3, .. })));
    let mut chains = Chains::seeded(TokenBatch::filled(1, 2, 0), 1);
    let other = Constant(vec![0.5; 2], 2);
    assert!(matches!(Lazy::default().run(&other, &mut chains, &schedule, 0..1), Err(ChainError::Mismatch { .. })));
    assert!(Lazy::new(DrawControls { top_k: Some(0), ..Default::default() }).is_err());
}

#[test]
fn a_kernel_can_be_chosen_at_run_time_and_keeps_clamped_sites() {
    let source = source();
    let schedule = schedule(NoiseLaw::uniform(VOCAB).unwrap(), 4, 1e-3);
    let conditional = source.conditional(&schedule).unwrap();
    let mut ends = Vec::new();
    let kernels: [Box<dyn ReverseKernel>; 2] = [Box::new(HeatBath::default()), Box::new(Lazy::default())];
    for kernel in kernels {
        let sampler = ReverseSampler::new(&schedule, kernel);
        let mut chains = sampler.start(20, 3);
        for row in 0..20 {
            chains.clamp(row, 5, 7).unwrap();
        }
        let done = sampler.sample(&conditional, &mut chains).unwrap();
        assert_eq!(done.updates, 20 * 4 * (LEN as u64 - 1));
        assert!(chains.tokens().iter().all(|row| row[5] == 7));
        ends.push(chains);
    }
    assert_ne!(ends[0].tokens(), ends[1].tokens());
    // One uniform for each update, by either.
    assert_eq!(ends[0].rngs(), ends[1].rngs());
}
