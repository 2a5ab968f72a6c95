//! Noise whose law moves with the signal level (GIDD), on the table of `docs/math.md`, §7.

use glauber_chain::oracles::EnumeratedTable;
use glauber_chain::{
    AfterStep, Blend, ChangesPerEvaluation, DrawControls, HeatBath, Lazy, LikelihoodBound, MaximalCoupling,
    ReverseKernel, Sampler, SkipAhead, SkipAheadSampler,
};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::Token;

use crate::all_sites::{distance_down, mean_term, table};

const LEN: usize = 4;
const MASK: Token = 3;
const ENTROPY: f64 = 3.546_810_171_772;

fn law() -> NoiseLaw {
    NoiseLaw::moving(4, MASK, 0.3).unwrap()
}

/// `sweeps` of single sites.
fn by_site(sweeps: usize) -> Schedule {
    let order = SiteOrder::permutation(LEN, sweeps, 2).unwrap();
    Schedule::new(SignalShape::Cosine, order, law(), 1e-9, false).unwrap()
}

#[test]
fn the_closed_form_is_what_the_steps_come_to() {
    let (table, schedule) = (table(4), by_site(3));
    let mut law = table.probabilities().to_vec();
    for t in 0..schedule.horizon() {
        let expected = table.law_at(&schedule, t);
        assert!(law.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-14), "step {t}");
        law = table.step_law(&schedule, t, &law);
    }
    assert!(law.iter().sum::<f64>() - 1.0 < 1e-13);
}

#[test]
fn chains_of_single_sites_are_exact() {
    let schedule = by_site(3);
    let exact = table(4).conditional(&schedule).unwrap();
    let half = Blend::new(0.5, HeatBath::default(), Lazy::default()).unwrap();
    let kernels: [&dyn ReverseKernel; 4] = [&HeatBath::default(), &Lazy::default(), &MaximalCoupling::default(), &half];
    for kernel in kernels {
        let distance = distance_down(&schedule, &exact, kernel);
        assert!(distance < 1e-7, "{kernel:?}: {distance}");
    }
    // Undone as if the law stood still, the law is another one.
    let fixed = Schedule::new(
        SignalShape::Cosine,
        SiteOrder::permutation(LEN, 3, 2).unwrap(),
        schedule.law().clone(),
        1e-9,
        false,
    );
    assert!(distance_down(&fixed.unwrap(), &exact, &Lazy::default()) > 0.05);
}

#[test]
fn the_skip_ahead_chain_is_exact_where_it_asks_at_every_change() {
    // A table that also shows the mask: no context is impossible.
    let weights = (0..64).map(|state| 1.0 + f64::from(state * 7 % 11)).collect();
    let table = EnumeratedTable::new(4, 3, weights).unwrap();
    let order = SiteOrder::round_robin(3, 4).unwrap();
    let schedule = Schedule::new(SignalShape::Linear, order, law(), 1e-9, false).unwrap();
    let exact = table.conditional(&schedule).unwrap();
    let skip = SkipAhead::new(ChangesPerEvaluation::Fixed(1), Some(1), DrawControls::default()).unwrap();
    let (rows, sampler) = (40_000, SkipAheadSampler::new(&schedule, skip));
    let mut chains = sampler.start(rows, 9);
    sampler.sample_parallel(&exact, &mut chains).unwrap();
    let mut counts = vec![0.0; table.states()];
    chains.tokens().iter().for_each(|row| counts[table.state(row)] += 1.0 / rows as f64);
    let distance = counts.iter().zip(table.probabilities()).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0;
    // Of so many draws of 64 states the sampling error is 0.015.
    assert!(distance < 0.02, "{distance}");
}

#[test]
fn passes_of_all_sites_halve_their_distance_with_the_step() {
    let found = [4, 8, 16, 32].map(|passes| {
        let order = SiteOrder::strided(LEN, LEN, passes).unwrap();
        let schedule = Schedule::new(SignalShape::Linear, order, law(), 1e-9, false).unwrap();
        let exact = table(4).conditional(&schedule).unwrap();
        distance_down(&schedule, &AfterStep::new(exact, &schedule), &Lazy::default())
    });
    assert!(found[0] < 0.2 && found[0] > 0.05, "{found:?}");
    for pair in found.windows(2) {
        assert!((pair[1] / pair[0] - 0.5).abs() < 0.05, "{found:?}");
    }
}

/// Equation (N), exactly: the bound has no slack, site by site, and what `K` passes of all sites cost falls as `1/K`.
#[test]
fn the_bound_is_the_entropy() {
    let (table, schedule) = (table(4), by_site(3));
    let conditional = table.conditional(&schedule).unwrap();
    let bound = LikelihoodBound::new(&schedule, Lazy::default()).exact_mean(&table, &conditional).unwrap();
    assert!((bound.total() - ENTROPY).abs() < 1e-7, "{}", bound.total());
    let excess = [16, 64].map(|passes| {
        let order = SiteOrder::strided(LEN, LEN, passes).unwrap();
        let schedule = Schedule::new(SignalShape::Linear, order, law(), 1e-9, false).unwrap();
        let conditional = AfterStep::new(table.conditional(&schedule).unwrap(), &schedule);
        let bound = LikelihoodBound::new(&schedule, Lazy::default());
        bound.exact_mean(&table, &conditional).unwrap().total() - ENTROPY
    });
    assert!(excess[1] > 0.0 && (excess[0] / excess[1] - 4.0).abs() < 0.2, "{excess:?}");
}

/// The bound in continuous time over the levels of GIDD's times; von Rütte et al. 2025, computed elsewhere as 3.54675 with an error of 6e-5.
#[test]
fn the_bound_over_all_levels_is_the_entropy() {
    const STEPS: usize = 400;
    let (table, order) = (table(4), SiteOrder::strided(LEN, LEN, STEPS).unwrap());
    let schedule = Schedule::new(SignalShape::Linear, order, law(), 1e-9, false).unwrap();
    let exact = table.conditional(&schedule).unwrap();
    // Midpoints: levels of odd steps.
    let term = |step: usize| mean_term(&table, &schedule, &exact, step) / schedule.signal_level(0, step);
    let total = (1..STEPS).step_by(2).map(term).sum::<f64>() * 2.0 / STEPS as f64;
    assert!((total - ENTROPY).abs() < 5e-3, "{total}");
}
