//! The likelihood bound (N): its exact mean against entropies, its validity against the model's own law, its estimate against its mean.

use glauber_chain::oracles::{EnumeratedConditional, EnumeratedTable, MarkovSource};
use glauber_chain::{
    BoundSampling, ChainError, ChainRng, HeatBath, Lazy, LikelihoodBound, ReverseKernel, SiteConditional, TokenRows,
};
use glauber_schedule::{Boundary, Neighbourhood, NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::{Site, Step, TokenBatch};

fn kernels() -> [Box<dyn ReverseKernel>; 2] {
    [Box::new(Lazy::default()), Box::new(HeatBath::default())]
}

/// A correlated π; `zeros` is the share of its sequences that are impossible.
pub fn table(vocab: usize, len: usize, seed: u64, zeros: f64) -> EnumeratedTable {
    let mut rng = ChainRng::new(seed, 0);
    let states = vocab.pow(len as u32);
    let mut weight = || ((rng.uniform() - zeros) / (1.0 - zeros)).max(0.0).powi(3);
    EnumeratedTable::new(vocab, len, (0..states).map(|_| weight()).collect()).unwrap()
}

pub fn laws(vocab: usize) -> Vec<NoiseLaw> {
    let uniform = NoiseLaw::uniform(vocab).unwrap();
    let counts: Vec<u64> = (0..vocab as u64).map(|a| 1 + 3 * a).collect();
    let absorbing = NoiseLaw::absorbing(vocab, 0).unwrap();
    let mixture = NoiseLaw::mixture(&[(0.7, absorbing.clone()), (0.3, uniform.clone())]).unwrap();
    vec![uniform, NoiseLaw::unigram(&counts, 0.5).unwrap(), absorbing, mixture]
}

fn schedule(shape: SignalShape, order: SiteOrder, law: NoiseLaw) -> Schedule {
    Schedule::new(shape, order, law, 1e-3, true).unwrap()
}

/// The bound from the noise law where that can be, and else with some law of the signal left.
pub fn bound<K: ReverseKernel>(schedule: &Schedule, kernel: K) -> LikelihoodBound<'_, K> {
    let bound = LikelihoodBound::new(schedule, kernel);
    if schedule.law().probabilities().iter().all(|&q| q > 0.0) {
        return bound;
    }
    let weights: Vec<f64> = (1..=schedule.law().vocab()).map(|a| a as f64).collect();
    let sum: f64 = weights.iter().sum();
    bound.with_signal_law(&weights.iter().map(|w| w / sum).collect::<Vec<_>>()).unwrap()
}

/// The product law from which the chain of [`bound`] starts, shape `[state]`.
fn start(table: &EnumeratedTable, schedule: &Schedule) -> Vec<f64> {
    let vocab = table.vocab();
    let with_residue = schedule.law().probabilities().contains(&0.0);
    let law = |site: usize, token: usize| {
        let level = if with_residue { schedule.signal_level(site, schedule.horizon()) } else { 0.0 };
        let residue = (token + 1) as f64 / (vocab * (vocab + 1) / 2) as f64;
        level * residue + (1.0 - level) * schedule.law().probability(token as u32)
    };
    let product = |state| table.sequence(state).iter().enumerate().map(|(i, &a)| law(i, a as usize)).product();
    (0..table.states()).map(product).collect()
}

fn entropy(law: &[f64]) -> f64 {
    law.iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum()
}

fn divergence(law: &[f64], from: &[f64]) -> f64 {
    law.iter().zip(from).filter(|(p, _)| **p > 0.0).map(|(p, q)| p * (p / q).ln()).sum()
}

/// `H(π) + KL(law of X_T ‖ start)`.
pub fn floor(table: &EnumeratedTable, schedule: &Schedule) -> f64 {
    let end = table.law_at(schedule, schedule.horizon());
    entropy(table.probabilities()) + divergence(&end, &start(table, schedule))
}

#[test]
fn the_lazy_bound_is_the_entropy_and_the_start_for_any_number_of_sweeps() {
    let shapes = [SignalShape::Linear, SignalShape::Cosine, SignalShape::LogLinear, SignalShape::ConstantBeta];
    let mut compared = 0;
    for (vocab, len, zeros) in [(3, 3, 0.0), (2, 5, 0.4), (4, 2, 0.2)] {
        for (sweeps, shape) in [1, 2, 4, 8, 16].into_iter().zip(shapes.into_iter().cycle()) {
            for law in laws(vocab) {
                for order in [
                    SiteOrder::round_robin(len, sweeps).unwrap(),
                    SiteOrder::permutation(len, sweeps, 5).unwrap(),
                    SiteOrder::random_scan(len, sweeps, 1).unwrap(),
                ] {
                    let table = table(vocab, len, 100 + compared, zeros);
                    let schedule = schedule(shape, order, law.clone());
                    let conditional = table.conditional(&schedule).unwrap();
                    let lazy = bound(&schedule, Lazy::default()).exact_mean(&table, &conditional).unwrap();
                    let (found, expected) = (lazy.total(), floor(&table, &schedule));
                    assert!((found - expected).abs() < 1e-10, "{sweeps} sweeps: {found} for {expected}");
                    assert!(lazy.steps.iter().all(|&step| step > -1e-12));
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 180);
}

/// `I(X_{t,i}; X_{t+1,i} | X_{t,-i})`: what heat bath pays for forgetting the token of the site that step `t` touches.
fn forgotten(table: &EnumeratedTable, schedule: &Schedule, t: Step) -> f64 {
    let site = schedule.sites(t)[0];
    let (before, after) = (table.law_at(schedule, t), table.law_at(schedule, t + 1));
    let mut sum = 0.0;
    for state in 0..table.states() {
        // H(X_{t+1,i} | context) − H(X_{t+1,i} | X_t), both as sums over states.
        let shown = table.token(state, site);
        let mut tokens = table.sequence(state);
        let mut mass = |token| {
            tokens[site] = token;
            before[table.state(&tokens)]
        };
        let context: f64 = (0..table.vocab() as u32).map(&mut mass).sum();
        if after[state] > 0.0 {
            sum -= after[state] * (after[state] / context).ln();
        }
        for to in 0..table.vocab() as u32 {
            let keep = if to == shown { schedule.keep_probability(t) } else { 0.0 };
            let moves = keep + schedule.noise_probability(t, to);
            if moves > 0.0 {
                sum += before[state] * moves * moves.ln();
            }
        }
    }
    sum
}

#[test]
fn the_heat_bath_bound_pays_for_what_each_touch_forgets() {
    for law in laws(3) {
        let mut last = 0.0;
        for sweeps in [1, 2, 4, 8] {
            let table = table(3, 3, 7, 0.2);
            let order = SiteOrder::permutation(3, sweeps, 2).unwrap();
            let schedule = schedule(SignalShape::Linear, order, law.clone());
            let conditional = table.conditional(&schedule).unwrap();
            let found = bound(&schedule, HeatBath::default()).exact_mean(&table, &conditional).unwrap().total();
            let paid: f64 = (0..schedule.horizon()).map(|t| forgotten(&table, &schedule, t)).sum();
            assert!((found - floor(&table, &schedule) - paid).abs() < 1e-10, "{found} {paid}");
            // One sweep draws noise almost surely at each touch; more sweeps forget more.
            assert!(paid > last + if sweeps > 1 { 0.1 } else { 0.0 }, "{sweeps} sweeps: {paid} after {last}");
            last = paid;
        }
    }
}

/// Another conditional, each log-rate moved by a number that depends on step, site, token and context, and normalised again.
struct Perturbed<C> {
    inner: C,
    strength: f64,
}

impl<C: SiteConditional> SiteConditional for Perturbed<C> {
    fn vocab(&self) -> usize {
        self.inner.vocab()
    }

    fn len(&self) -> usize {
        self.inner.len()
    }

    fn log_conditionals(
        &self,
        tokens: TokenRows<'_>,
        step: Step,
        sites: &[Site],
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        self.inner.log_conditionals(tokens, step, sites, out)?;
        let asked = tokens.iter().flat_map(|row| sites.iter().map(move |&site| (row, site)));
        for ((row, site), rates) in asked.zip(out.chunks_exact_mut(self.vocab())) {
            let mut key = (step * 31 + site) as u64;
            for (j, &token) in row.iter().enumerate().filter(|&(j, _)| j != site) {
                key = key * 37 + u64::from(token) * 5 + j as u64;
            }
            let mut rng = ChainRng::new(3, key);
            rates.iter_mut().for_each(|x| *x += self.strength * (rng.uniform() - 0.5));
            let sum: f64 = rates.iter().map(|x| x.exp()).sum();
            rates.iter_mut().for_each(|x| *x -= sum.ln());
        }
        Ok(())
    }
}

fn block_order() -> SiteOrder {
    SiteOrder::chromatic(2, 2, Neighbourhood::Four, Boundary::Open, 2).unwrap()
}

fn perturbed(table: &EnumeratedTable, schedule: &Schedule) -> Perturbed<EnumeratedConditional> {
    Perturbed { inner: table.conditional(schedule).unwrap(), strength: 1.0 }
}

#[test]
fn a_wrong_conditional_has_a_larger_bound() {
    for law in laws(2) {
        for order in [SiteOrder::round_robin(4, 1).unwrap(), SiteOrder::round_robin(4, 4).unwrap()] {
            let table = table(2, 4, 11, 0.0);
            let schedule = schedule(SignalShape::Linear, order, law.clone());
            for kernel in kernels() {
                let bound = bound(&schedule, kernel);
                let exact = bound.exact_mean(&table, &table.conditional(&schedule).unwrap()).unwrap();
                let wrong = bound.exact_mean(&table, &perturbed(&table, &schedule)).unwrap();
                assert!(wrong.total() > exact.total() + 1e-3);
                let pairs = wrong.steps.iter().zip(&exact.steps);
                assert!(pairs.into_iter().all(|(wrong, exact)| wrong > &(exact - 1e-12)), "at every step");
            }
        }
    }
}

/// The law of `X_0` under the model: the start pushed through every kernel of the reverse chain.
fn model_law(table: &EnumeratedTable, schedule: &Schedule, r: &dyn SiteConditional, is_lazy: bool) -> Vec<f64> {
    let vocab = table.vocab();
    let tokens: Vec<u32> = (0..table.states()).flat_map(|state| table.sequence(state)).collect();
    (0..schedule.horizon()).rev().fold(start(table, schedule), |law, t| {
        let sites = schedule.sites(t);
        let kernels: Vec<Vec<f64>> = sites
            .iter()
            .map(|&site| {
                let mut rows = vec![0.0; table.states() * vocab];
                r.conditionals(TokenRows::new(&tokens, table.len()), t, &[site], &mut rows).unwrap();
                if is_lazy {
                    for (state, row) in rows.chunks_exact_mut(vocab).enumerate() {
                        lazy(schedule, t, table.token(state, site), row);
                    }
                }
                rows
            })
            .collect();
        table.heat_bath_law(&law, &kernels, sites)
    })
}

/// Equation (L) from a row of `r`; a token that cannot be noise is kept.
fn lazy(schedule: &Schedule, t: Step, shown: u32, row: &mut [f64]) {
    let noise = schedule.noise_probability(t, shown);
    for (b, rate) in row.iter_mut().enumerate() {
        let keep = if b == shown as usize { schedule.keep_probability(t) } else { 0.0 };
        *rate *= keep + noise;
    }
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|x| *x /= sum);
}

/// The bound of every single sequence is at least its `−ln p_θ`, also for wrong conditionals and for blocks.
#[test]
fn the_bound_holds_for_every_sequence() {
    let table = table(2, 4, 21, 0.0);
    for law in laws(2) {
        for order in [SiteOrder::permutation(4, 2, 3).unwrap(), block_order()] {
            let schedule = schedule(SignalShape::Cosine, order, law.clone());
            let conditional = perturbed(&table, &schedule);
            for kernel in kernels() {
                let model = model_law(&table, &schedule, &conditional, kernel.name() == "lazy");
                assert!((model.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                for (state, probability) in model.iter().enumerate() {
                    let mut point = vec![0.0; table.states()];
                    point[state] = 1.0;
                    let point = EnumeratedTable::new(2, 4, point).unwrap();
                    let found = bound(&schedule, &kernel).exact_mean(&point, &conditional).unwrap().total();
                    assert!(found >= -probability.ln() - 1e-12, "{found} under {}", -probability.ln());
                }
            }
        }
    }
}

#[test]
fn blocks_cost_nothing_where_sites_are_independent() {
    let correlated = table(2, 4, 5, 0.0);
    let weight = |state| {
        let tokens = correlated.sequence(state);
        tokens.iter().enumerate().map(|(i, &a)| 1.0 + i as f64 * f64::from(a)).product()
    };
    let independent = EnumeratedTable::new(2, 4, (0..16).map(weight).collect()).unwrap();
    let schedule = schedule(SignalShape::Linear, block_order(), NoiseLaw::uniform(2).unwrap());
    let excess = |table: &EnumeratedTable| {
        let conditional = table.conditional(&schedule).unwrap();
        let found = bound(&schedule, Lazy::default()).exact_mean(table, &conditional).unwrap().total();
        found - floor(table, &schedule)
    };
    assert!(excess(&independent).abs() < 1e-10);
    assert!(excess(&correlated) > 1e-3);
}

fn draw(table: &EnumeratedTable, rows: usize) -> (TokenBatch, Vec<ChainRng>) {
    let mut rngs = ChainRng::streams(8, rows);
    let clean = rngs.iter_mut().map(|rng| {
        let mut rest = rng.uniform();
        let hit = table.probabilities().iter().position(|p| {
            rest -= p;
            rest < 0.0
        });
        table.sequence(hit.unwrap())
    });
    (TokenBatch::from_rows(clean.collect::<Vec<_>>()).unwrap(), rngs)
}

/// 24 comparisons at 4 standard errors: a correct estimator fails for fewer than 2 in 1000 seeds.
#[test]
fn the_estimate_agrees_with_the_exact_mean() {
    const ROWS: usize = 3000;
    let table = table(2, 4, 31, 0.0);
    let (clean, rngs) = draw(&table, ROWS);
    for law in laws(2) {
        let orders =
            [SiteOrder::permutation(4, 3, 4).unwrap(), SiteOrder::random_scan(4, 3, 4).unwrap(), block_order()];
        for order in orders {
            let schedule = schedule(SignalShape::LogLinear, order, law.clone());
            let conditional = perturbed(&table, &schedule);
            for kernel in kernels() {
                let bound = bound(&schedule, kernel);
                let exact = bound.exact_mean(&table, &conditional).unwrap();
                let sampling = BoundSampling { draws: 3, rows: 64 };
                let terms = bound.estimate(&conditional, &clean, &mut rngs.clone(), sampling).unwrap();
                let found = terms.nats_per_sequence();
                assert!(found.deviation_from(exact.total()).abs() < 4.0, "{found:?} for {}", exact.total());
                assert!(found.standard_error < 0.05 * found.mean, "{found:?} resolves nothing");
            }
        }
    }
}

#[test]
fn an_estimate_does_not_depend_on_its_batch() {
    let source = MarkovSource::random(5, 2, 2.0).unwrap();
    for order in [
        SiteOrder::permutation(8, 4, 1).unwrap(),
        SiteOrder::from_blocks(8, vec![vec![0, 2, 4, 6], vec![1, 3, 5, 7]]).unwrap(),
    ] {
        let schedule = schedule(SignalShape::Linear, order, NoiseLaw::uniform(5).unwrap());
        let conditional = source.conditional(&schedule).unwrap();
        let mut rngs = ChainRng::streams(3, 6);
        let clean = TokenBatch::from_rows(rngs.iter_mut().map(|rng| source.sample(8, rng))).unwrap();
        let bound = LikelihoodBound::new(&schedule, Lazy::default());
        let estimate = |rows| {
            let sampling = BoundSampling { draws: 5, rows };
            bound.estimate(&conditional, &clean, &mut rngs.clone(), sampling).unwrap()
        };
        assert_eq!(estimate(1), estimate(7));
        assert_eq!(estimate(1), estimate(1000));
        let one = TokenBatch::new(clean.row(4).to_vec(), 8).unwrap();
        let sampling = BoundSampling { draws: 5, rows: 64 };
        let alone = bound.estimate(&conditional, &one, &mut rngs.clone()[4..5], sampling).unwrap();
        assert_eq!(alone.totals()[0], estimate(7).totals()[4]);
        assert_eq!(bound.prior(clean.row(4)).unwrap(), alone.prior()[0]);
    }
}

/// Forbids token 1 everywhere.
struct Never;

impl SiteConditional for Never {
    fn vocab(&self) -> usize {
        2
    }

    fn len(&self) -> usize {
        3
    }

    fn log_conditionals(&self, _: TokenRows<'_>, _: Step, _: &[Site], out: &mut [f64]) -> Result<(), ChainError> {
        out.chunks_exact_mut(2).for_each(|row| row.copy_from_slice(&[0.0, f64::NEG_INFINITY]));
        Ok(())
    }
}

#[test]
fn infinite_bounds_and_bad_sizes_are_errors() {
    let order = SiteOrder::round_robin(3, 2).unwrap();
    let uniform = schedule(SignalShape::Linear, order.clone(), NoiseLaw::uniform(2).unwrap());
    let clean = TokenBatch::new(vec![0, 1, 0], 3).unwrap();
    let sampling = BoundSampling { draws: 6, rows: 2 };
    for kernel in kernels() {
        let bound = LikelihoodBound::new(&uniform, kernel);
        let error = bound.estimate(&Never, &clean, &mut ChainRng::streams(0, 1), sampling).unwrap_err();
        assert!(matches!(error, ChainError::InfiniteBound { row: 0, token: 1, .. }), "{error}");
    }

    let bound = LikelihoodBound::new(&uniform, Lazy::default());
    let rng = &mut ChainRng::streams(0, 1);
    for sampling in [BoundSampling { draws: 0, rows: 1 }, BoundSampling { draws: 1, rows: 0 }] {
        assert!(bound.estimate(&Never, &clean, rng, sampling).is_err());
    }
    let short = TokenBatch::new(vec![0, 1], 2).unwrap();
    let large = TokenBatch::new(vec![0, 2, 0], 3).unwrap();
    assert!(bound.estimate(&Never, &short, rng, sampling).is_err());
    assert!(bound.estimate(&Never, &large, rng, sampling).is_err());
    assert!(bound.estimate(&Never, &clean, &mut [], sampling).is_err());
    assert!(bound.prior(&[0, 1]).is_err() && bound.prior(&[]).is_err());
    assert!(bound.clone().with_signal_law(&[1.0]).is_err() && bound.with_signal_law(&[0.5, 0.6]).is_err());

    let absorbing = schedule(SignalShape::Linear, order, NoiseLaw::absorbing(2, 1).unwrap());
    let bound = LikelihoodBound::new(&absorbing, Lazy::default());
    let error = bound.prior(&[1, 1, 0]).unwrap_err();
    assert!(matches!(error, ChainError::StartForbids { site: 2, token: 0, .. }), "{error}");
    assert!(error.to_string().contains("with_signal_law"));
    assert!(bound.prior(&[1, 1, 1]).unwrap().abs() < 1e-15);
    assert!(bound.with_signal_law(&[1.0, 0.0]).unwrap().prior(&[0, 0, 0]).unwrap().abs() < 1e-12);
}
