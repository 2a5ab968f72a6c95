//! Infilling is exact where the conditionals know which sites are clean.

use crate::significance::chi_square_p;
use glauber_chain::oracles::{EnumeratedTable, MarkovSource};
use glauber_chain::statistics::ChiSquare;
use glauber_chain::{ChainError, ChainRng, Chains, HeatBath, ReverseSampler, Sampler, SiteConditional, TokenRows};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::TokenBatch;

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

fn schedule(order: SiteOrder, law: NoiseLaw, final_level: f64) -> Schedule {
    Schedule::new(SignalShape::Cosine, order, law, final_level, true).unwrap()
}

/// π given that the sites of `mask` show what they show in `tokens`, shape `[state]`.
fn given(table: &EnumeratedTable, tokens: &[u32], mask: &[bool]) -> EnumeratedTable {
    let agrees = |state: usize| (0..table.len()).all(|i| !mask[i] || table.token(state, i) == tokens[i]);
    let weights = (0..table.states()).map(|s| if agrees(s) { table.probabilities()[s] } else { 0.0 });
    EnumeratedTable::new(table.vocab(), table.len(), weights.collect()).unwrap()
}

/// The law of `X_t` when only the free sites are noised, from (M) one pair of sequences at a time.
fn noised(given: &EnumeratedTable, mask: &[bool], schedule: &Schedule, t: usize) -> Vec<f64> {
    let moves = |from: usize, to: usize| -> f64 {
        let site_moves = |site| {
            let (a, b) = (given.token(from, site), given.token(to, site));
            let level = if mask[site] { 1.0 } else { schedule.signal_level(site, t) };
            let keep = if a == b { level } else { 0.0 };
            keep + (1.0 - level) * schedule.law().probability(b)
        };
        (0..given.len()).map(site_moves).product()
    };
    let into = |to| (0..given.states()).map(|from| given.probabilities()[from] * moves(from, to)).sum();
    (0..given.states()).map(into).collect()
}

/// The exact law at the horizon pushed down the reverse chain, the clamped sites left alone. Conditionals are asked of a conditional,
/// with the mask or without.
fn reverse_pass(
    table: &EnumeratedTable,
    schedule: &Schedule,
    tokens: &[u32],
    mask: &[bool],
    tell: bool,
) -> Result<Vec<f64>, ChainError> {
    let (vocab, len) = (table.vocab(), table.len());
    let conditional = table.conditional(schedule)?;
    let clamped = given(table, tokens, mask);
    let mut law = noised(&clamped, mask, schedule, schedule.horizon());
    for t in (0..schedule.horizon()).rev() {
        let site = schedule.sites(t)[0];
        if mask[site] {
            continue;
        }
        let mut rates = vec![0.0; table.states() * vocab];
        let possible = (0..table.states()).filter(|&state| law[state] > 0.0);
        for state in possible {
            let row = table.sequence(state);
            let rows = TokenRows::new(&row, len).with_clamped(tell.then_some(mask));
            conditional.conditionals(rows, t, &[site], &mut rates[state * vocab..][..vocab])?;
        }
        law = table.heat_bath_law(&law, &[rates], &[site]);
    }
    Ok(law)
}

fn total_variation(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
}

#[test]
fn the_reverse_chain_of_the_free_sites_lands_on_the_data_given_the_clamped_ones() {
    let mut missed = 0;
    for (vocab, len) in [(3, 3), (2, 5)] {
        let table = table(vocab, len);
        let likely = (0..table.states()).max_by(|a, b| table.probabilities()[*a].total_cmp(&table.probabilities()[*b]));
        let tokens = table.sequence(likely.unwrap());
        for law in laws(vocab) {
            let permuted = SiteOrder::permutation(len, 3, 5).unwrap();
            let listed = Schedule::ending_at(&[0.85, 0.95, 1.0], permuted.clone(), law.clone(), 1e-3, true).unwrap();
            let scanned = SiteOrder::random_scan(len, 4, 1).unwrap();
            for schedule in [listed, schedule(permuted, law.clone(), 1e-3), schedule(scanned, law.clone(), 1e-3)] {
                for bits in 0..1usize << len {
                    let mask: Vec<bool> = (0..len).map(|site| bits >> site & 1 == 1).collect();
                    let expected = given(&table, &tokens, &mask);
                    let told = reverse_pass(&table, &schedule, &tokens, &mask, true).unwrap();
                    assert!(total_variation(&told, expected.probabilities()) < 1e-12);
                    // Without the clamped sites, a conditional takes clean tokens for noisy ones, or finds them impossible.
                    let untold = reverse_pass(&table, &schedule, &tokens, &mask, false);
                    let hit = untold.is_ok_and(|law| total_variation(&law, expected.probabilities()) < 1e-3);
                    missed += usize::from(!hit);
                }
            }
        }
    }
    assert!(missed > 100, "only {missed} chains need the mask");
}

#[test]
fn the_markov_oracle_conditions_on_clamped_sites_like_the_enumerated_one() {
    let mut compared = 0;
    for (vocab, len) in [(3usize, 4usize), (2, 5)] {
        let source = MarkovSource::random(vocab, 9, 2.0).unwrap();
        let states = vocab.pow(len as u32);
        let shape = EnumeratedTable::new(vocab, len, vec![1.0; states]).unwrap();
        let weights = (0..states).map(|s| source.log_probability(&shape.sequence(s)).exp()).collect();
        let table = EnumeratedTable::new(vocab, len, weights).unwrap();
        for law in laws(vocab) {
            let schedule = schedule(SiteOrder::permutation(len, 2, 2).unwrap(), law, 1e-3);
            let (exact, found) = (table.conditional(&schedule).unwrap(), source.conditional(&schedule).unwrap());
            let sites: Vec<usize> = (0..len).collect();
            for (state, t) in (0..states).flat_map(|state| (0..schedule.horizon()).map(move |t| (state, t))) {
                let tokens = table.sequence(state);
                // A row with a mask of its own beside one without any.
                let both = [tokens.clone(), tokens.clone()].concat();
                let mask: Vec<bool> = (0..2 * len).map(|at| at < len && (state * 7 + t) >> at & 1 == 1).collect();
                let rows = TokenRows::new(&both, len).with_clamped(Some(&mask));
                let mut a = vec![0.0; 2 * len * vocab];
                let mut b = a.clone();
                if exact.conditionals(rows, t, &sites, &mut a).is_err() {
                    continue;
                }
                found.conditionals(rows, t, &sites, &mut b).unwrap();
                assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-12), "{a:?} {b:?}");
                let mut plain = vec![0.0; len * vocab];
                exact.conditionals(TokenRows::new(&tokens, len), t, &sites, &mut plain).unwrap();
                assert_eq!(plain, a[len * vocab..]);
                compared += 1;
            }
        }
    }
    assert!(compared > 1000, "{compared}");
}

/// Level 1e-3, jointly over the 4 laws. The signal left is 1e-6 a site, invisible at this many draws.
#[test]
fn sampled_infills_follow_the_exact_conditional_law() {
    const ROWS: usize = 20_000;
    const LEN: usize = 12;
    let source = MarkovSource::random(4, 5, 2.0).unwrap();
    let known = source.sample(LEN, &mut ChainRng::new(6, 0));
    let free = [0, 4, 5, 9];
    let mut exact = Vec::new();
    for cell in 0..256usize {
        exact.push(source.log_probability(&filled(&known, &free, cell)).exp());
    }
    let sum: f64 = exact.iter().sum();
    exact.iter_mut().for_each(|p| *p /= sum);
    for law in laws(4) {
        let schedule = schedule(SiteOrder::permutation(LEN, 3, 1).unwrap(), law, 1e-6);
        let conditional = source.conditional(&schedule).unwrap();
        let sampler = ReverseSampler::new(&schedule, HeatBath::default());
        let mut chains = sampler.start(ROWS, 3);
        for row in 0..ROWS {
            for site in (0..LEN).filter(|site| !free.contains(site)) {
                chains.clamp(row, site, known[site]).unwrap();
            }
        }
        let p_of = |chains: &Chains| {
            let mut counts = vec![0; 256];
            for row in chains.tokens().iter() {
                counts[free.iter().fold(0, |cell, &site| cell * 4 + row[site] as usize)] += 1;
            }
            chi_square_p(ChiSquare::goodness_of_fit(&counts, &exact).unwrap())
        };
        sampler.sample_parallel(&conditional, &mut chains).unwrap();
        let p = p_of(&chains);
        assert!(p > 1e-3 / 4.0, "p = {p}");

        // The test detects a conditional that does not know which sites are clean.
        if schedule.law().mask().is_none() {
            let mut untold = chains.clone();
            untold.renoise(&schedule, schedule.horizon()).unwrap();
            sampler.sample_parallel(&Untold(conditional), &mut untold).unwrap();
            let p = p_of(&untold);
            assert!(p < 1e-9, "p = {p}");
        }
    }
}

/// The sequence with the free sites set to the digits of a cell.
fn filled(known: &[u32], free: &[usize], cell: usize) -> Vec<u32> {
    let mut tokens = known.to_vec();
    for (place, &site) in free.iter().rev().enumerate() {
        tokens[site] = (cell / 4usize.pow(place as u32) % 4) as u32;
    }
    tokens
}

/// A conditional without its clamped sites.
struct Untold<C>(C);

impl<C: SiteConditional> SiteConditional for Untold<C> {
    fn vocab(&self) -> usize {
        self.0.vocab()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn log_conditionals(
        &self,
        tokens: TokenRows<'_>,
        step: usize,
        sites: &[usize],
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        self.0.log_conditionals(tokens.with_clamped(None), step, sites, out)
    }
}

#[test]
fn impossible_clamps_are_errors() {
    // Token 0 is always followed by 1, and 1 by 0.
    let source = MarkovSource::new(vec![0.5, 0.5], vec![0., 1., 1., 0.]).unwrap();
    let schedule = schedule(SiteOrder::round_robin(4, 2).unwrap(), NoiseLaw::uniform(2).unwrap(), 1e-3);
    let sampler = ReverseSampler::new(&schedule, HeatBath::default());
    let mut chains = Chains::seeded(TokenBatch::filled(1, 4, 0), 0);
    chains.set_clamped(vec![true, true, false, false]).unwrap();
    let error = sampler.sample(&source.conditional(&schedule).unwrap(), &mut chains).unwrap_err();
    assert!(matches!(error, ChainError::Impossible { site: 1, token: 0, .. }), "{error}");
}
