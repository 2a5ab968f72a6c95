//! What a chain does must not depend on its batch or its thread; clamped sites stay; faults are reported with coordinates.

use std::ops::ControlFlow;

use glauber_chain::oracles::{Ising, Lattice, MarkovSource};
use glauber_chain::{
    ChainError, ChainRng, Chains, DrawControls, HeatBath, Progress, ReverseKernel, ReverseSampler, Sampler,
    SiteConditional, TokenRows,
};
use glauber_schedule::{Boundary, NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::{Site, Step, TokenBatch};

const LEN: usize = 8;

fn source() -> MarkovSource {
    MarkovSource::random(5, 2, 2.0).unwrap()
}

fn schedule() -> Schedule {
    let order = SiteOrder::permutation(LEN, 4, 1).unwrap();
    Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(5).unwrap(), 1e-3, false).unwrap()
}

/// Some rows with clamped sites: row 0 none, row 1 all, row 2 the even ones.
fn mask(rows: usize) -> Vec<bool> {
    (0..rows * LEN)
        .map(|at| match at / LEN % 3 {
            0 => false,
            1 => true,
            _ => at % 2 == 0,
        })
        .collect()
}

#[test]
fn a_chain_is_the_same_in_every_batch() {
    let (source, schedule) = (source(), schedule());
    let conditional = source.conditional(&schedule).unwrap();
    for controls in [DrawControls::default(), DrawControls { temperature: 0.8, top_k: Some(4), top_p: Some(0.95) }] {
        let sampler = ReverseSampler::new(&schedule, HeatBath::new(controls).unwrap());
        let start = |rngs| {
            let mut chains = Chains::from_noise(&schedule, rngs);
            let first = chains.rngs()[0].state().stream as usize;
            let rows = chains.rows();
            chains.set_clamped(mask(13)[first * LEN..][..rows * LEN].to_vec()).unwrap();
            chains
        };
        let mut together = start(ChainRng::streams(9, 13));
        let sum = sampler.sample(&conditional, &mut together).unwrap();
        let mut updates = 0;
        for row in 0..13 {
            let mut alone = start(vec![ChainRng::new(9, row as u64)]);
            let done = sampler.sample(&conditional, &mut alone).unwrap();
            updates += done.updates;
            assert_eq!(alone.tokens().row(0), together.tokens().row(row));
            assert_eq!(alone.rngs()[0], together.rngs()[row]);
        }
        assert_eq!(updates, sum.updates);
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let (source, schedule) = (source(), schedule());
    let conditional = source.conditional(&schedule).unwrap();
    let sampler = ReverseSampler::new(&schedule, HeatBath::default());
    let mut start = sampler.start(37, 3);
    start.set_clamped(mask(37)).unwrap();
    let mut serial = start.clone();
    let expected = sampler.sample(&conditional, &mut serial).unwrap();
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut chains = start.clone();
        let found = pool.install(|| sampler.sample_parallel(&conditional, &mut chains)).unwrap();
        assert_eq!((found, &chains), (expected, &serial));
    }
}

/// Counts evaluations of another conditional.
struct Counting<C> {
    inner: C,
    rows: std::cell::Cell<usize>,
}

impl<C: SiteConditional> SiteConditional for Counting<C> {
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
        self.rows.set(self.rows.get() + tokens.rows());
        self.inner.log_conditionals(tokens, step, sites, out)
    }
}

#[test]
fn clamped_sites_neither_change_nor_draw_nor_cost() {
    let (source, schedule) = (source(), schedule());
    let inner = source.conditional(&schedule).unwrap();
    let counting = Counting { inner, rows: 0.into() };
    let sampler = ReverseSampler::new(&schedule, HeatBath::default());
    let mut chains = sampler.start(3, 3);
    chains.set_clamped(mask(3)).unwrap();
    let before = chains.clone();
    let done = sampler.sample(&counting, &mut chains).unwrap();
    for row in 0..3 {
        let free = (0..LEN).filter(|&site| !chains.is_clamped(row, site)).count();
        for site in (0..LEN).filter(|&site| chains.is_clamped(row, site)) {
            assert_eq!(chains.tokens().row(row)[site], before.tokens().row(row)[site]);
        }
        // Two 32-bit words a uniform number, one number a redraw, 4 sweeps.
        let used = chains.rngs()[row].state().word_pos - before.rngs()[row].state().word_pos;
        assert_eq!(used, 2 * 4 * free as u64);
    }
    assert_eq!(done.updates, 4 * (8 + 4));
    assert_eq!(done.evaluations, 4 * (8 + 4));
    assert_eq!(counting.rows.get() as u64, done.evaluations);
    assert!(done.changes > 0 && done.changes <= done.updates);

    chains.renoise(&schedule, schedule.horizon()).unwrap();
    assert_eq!(chains.tokens().row(1), before.tokens().row(1));
    assert_ne!(chains.tokens().row(0), before.tokens().row(0));
    chains.release();
    chains.clamp(0, 3, 4).unwrap();
    assert!(chains.is_clamped(0, 3) && !chains.is_clamped(1, 3));
    assert_eq!(chains.tokens().row(0)[3], 4);
    assert!(chains.clamp(3, 0, 0).is_err() && chains.clamp(0, LEN, 0).is_err());
    assert!(chains.set_clamped(vec![true; 3]).is_err());
}

#[test]
fn the_observer_sees_every_sweep_and_may_stop() {
    let (source, schedule) = (source(), schedule());
    let conditional = source.conditional(&schedule).unwrap();
    let sampler = ReverseSampler::new(&schedule, HeatBath::default());
    let mut chains = sampler.start(2, 3);
    let mut seen = Vec::new();
    let horizon = schedule.horizon();
    sampler
        .run(&conditional, &mut chains, horizon, 4, &mut |info| {
            seen.push((info.sweep, info.step, info.diagnostics.updates));
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(seen, [(3, 24, 16), (2, 16, 32), (1, 8, 48), (0, 4, 56)]);

    // In pieces it is the same chain.
    let mut whole = sampler.start(2, 3);
    sampler.sample(&conditional, &mut whole).unwrap();
    sampler.run(&conditional, &mut chains, 4, 0, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(chains, whole);

    let stop = &mut |_: Progress<'_>| ControlFlow::Break(());
    let done = sampler.run(&conditional, &mut chains, horizon, 0, stop).unwrap();
    assert_eq!(done.updates, 16);
    assert!(sampler.run(&conditional, &mut chains, 3, 5, stop).is_err());
    assert!(sampler.run(&conditional, &mut chains, horizon + 1, 0, stop).is_err());
}

/// Writes one bad number.
struct Faulty(f64);

impl SiteConditional for Faulty {
    fn vocab(&self) -> usize {
        2
    }

    fn len(&self) -> usize {
        4
    }

    fn log_conditionals(
        &self,
        tokens: TokenRows<'_>,
        _step: Step,
        sites: &[Site],
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        out.fill(0.5f64.ln());
        for row in 0..tokens.rows() {
            for (k, &site) in sites.iter().enumerate() {
                if tokens.row(row)[0] == 1 && site == 2 {
                    out[(row * sites.len() + k) * 2..][..2].fill(self.0);
                }
            }
        }
        Ok(())
    }
}

#[test]
fn faults_have_coordinates() {
    let mut tokens = TokenBatch::filled(40, 4, 0);
    tokens.row_mut(31)[0] = 1;
    let order = SiteOrder::from_blocks(4, vec![vec![1], vec![3, 2]]).unwrap();
    let neutral = HeatBath::default();
    let warm = HeatBath::new(DrawControls { temperature: 2.0, ..Default::default() }).unwrap();
    for kernel in [neutral, warm] {
        for bad in [f64::NAN, f64::NEG_INFINITY] {
            let mut chains = Chains::seeded(tokens.clone(), 0);
            let found = kernel.run(&Faulty(bad), &mut chains, &order, 0..2).unwrap_err();
            let mut chains = Chains::seeded(tokens.clone(), 0);
            let parallel = kernel.run_parallel(&Faulty(bad), &mut chains, &order, 0..2).unwrap_err();
            assert_eq!(found.to_string(), parallel.to_string());
            match (bad.is_nan(), found) {
                (true, ChainError::NotANumber { row: 31, site: 2, step: 1 }) => {}
                (false, ChainError::NoMass { row: 31, site: 2, step: 1, .. }) => {}
                (_, other) => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let schedule = schedule();
    let ising = Ising::new(Lattice::new(2, 4, Boundary::Open).unwrap(), 0.4, 0.0).unwrap();
    let sampler = ReverseSampler::new(&schedule, HeatBath::default());
    // 8 sites, but 2 tokens for 5.
    let mut chains = sampler.start(1, 0);
    assert!(sampler.sample(&ising, &mut chains).is_err());
    let kernel = HeatBath::default();
    let mut outside = Chains::seeded(TokenBatch::filled(1, 8, 2), 0);
    assert!(matches!(kernel.update(&ising, &mut outside, 0, &[0]), Err(ChainError::Tokens(_))));
    let mut chains = Chains::seeded(TokenBatch::filled(1, 8, 1), 0);
    assert!(kernel.update(&ising, &mut chains, 0, &[8]).is_err());
    assert_eq!(kernel.update(&ising, &mut chains, 0, &[0, 7]).unwrap().updates, 2);
    let mut short = Chains::seeded(TokenBatch::filled(1, 7, 1), 0);
    assert!(kernel.update(&ising, &mut short, 0, &[0]).is_err());
    assert!(Chains::new(TokenBatch::filled(2, 8, 0), ChainRng::streams(0, 1)).is_err());
}

#[test]
fn generator_states_survive_serialisation() {
    let mut rng = ChainRng::new(u64::MAX, 1 << 60);
    rng.uniform();
    let text = serde_json::to_string(&rng.state()).unwrap();
    assert_eq!(ChainRng::from_state(serde_json::from_str(&text).unwrap()), rng);
}

#[test]
fn value_stability_of_a_sampled_chain() {
    let (source, schedule) = (source(), schedule());
    let conditional = source.conditional(&schedule).unwrap();
    let sampler = ReverseSampler::new(&schedule, HeatBath::default());
    let mut chains = sampler.start(2, 42);
    assert_eq!(chains.tokens().as_slice(), START);
    sampler.sample(&conditional, &mut chains).unwrap();
    assert_eq!(chains.tokens().as_slice(), END);
}

const START: [u32; 16] = [1, 1, 2, 1, 4, 0, 2, 1, 3, 1, 3, 0, 3, 2, 4, 2];
const END: [u32; 16] = [4, 2, 3, 2, 0, 3, 2, 0, 3, 2, 3, 2, 0, 4, 3, 2];
