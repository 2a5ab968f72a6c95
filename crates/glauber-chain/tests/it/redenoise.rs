//! ReDeNoise leaves the data distribution invariant and leads other laws to it.

use std::ops::ControlFlow;

use crate::significance::chi_square_p;
use glauber_chain::oracles::EnumeratedTable;
use glauber_chain::statistics::ChiSquare;
use glauber_chain::{
    ChainRng, Chains, DrawControls, HeatBath, Progress, ReverseSampler, Sampler, StepDiagnostics, repair,
};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::TokenBatch;

const ROWS: usize = 20_000;
const LEN: usize = 4;

fn table() -> EnumeratedTable {
    let mut rng = ChainRng::new(17, 0);
    let weights = (0..81).map(|_| (rng.uniform() * 1.2 - 0.2).max(0.0).powi(3)).collect();
    EnumeratedTable::new(3, LEN, weights).unwrap()
}

fn schedule(law: NoiseLaw) -> Schedule {
    let order = SiteOrder::permutation(LEN, 4, 5).unwrap();
    Schedule::new(SignalShape::Linear, order, law, 1e-3, false).unwrap()
}

fn go_on(_: usize, _: Progress<'_>) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn p(table: &EnumeratedTable, chains: &Chains) -> f64 {
    let mut counts = vec![0; table.states()];
    chains.tokens().iter().for_each(|row| counts[table.state(row)] += 1);
    chi_square_p(ChiSquare::goodness_of_fit(&counts, table.probabilities()).unwrap())
}

/// Chains at exact draws of π.
fn exact_draws(table: &EnumeratedTable) -> Chains {
    let mut rngs = ChainRng::streams(2, ROWS);
    let rows: Vec<Vec<u32>> = rngs
        .iter_mut()
        .map(|rng| {
            let mut rest = rng.uniform();
            let hit = table.probabilities().iter().position(|p| {
                rest -= p;
                rest < 0.0
            });
            table.sequence(hit.unwrap())
        })
        .collect();
    Chains::new(TokenBatch::from_rows(rows).unwrap(), rngs).unwrap()
}

/// 9 tests at the joint level 1e-3. At the smaller times much signal is left, in the midst of a sweep.
#[test]
fn the_data_distribution_is_invariant() {
    let table = table();
    let mixture = [(0.7, NoiseLaw::absorbing(3, 0).unwrap()), (0.3, NoiseLaw::uniform(3).unwrap())];
    let laws = [NoiseLaw::uniform(3), NoiseLaw::absorbing(3, 2), NoiseLaw::mixture(&mixture)];
    stays_invariant(&table, &laws.map(|law| schedule(law.unwrap())));
}

/// 3 tests at the joint level 1e-3.
#[test]
fn the_data_distribution_is_invariant_where_sweeps_end_at_listed_levels() {
    let order = SiteOrder::permutation(LEN, 4, 5).unwrap();
    let law = NoiseLaw::uniform(3).unwrap();
    let listed = Schedule::ending_at(&[0.6, 0.85, 0.95, 1.0], order, law, 1e-3, false).unwrap();
    stays_invariant(&table(), &[listed]);
}

/// Three tests of each schedule, at the joint level 1e-3.
fn stays_invariant(table: &EnumeratedTable, schedules: &[Schedule]) {
    let tests = 3.0 * schedules.len() as f64;
    for schedule in schedules {
        let conditional = table.conditional(schedule).unwrap();
        let sampler = ReverseSampler::new(schedule, HeatBath::default());
        for time in [3, 6, 13] {
            let mut chains = exact_draws(table);
            let before = chains.tokens().clone();
            let done = sampler.redenoise(&conditional, &mut chains, time, 3, &mut go_on).unwrap();
            assert_eq!(done.updates, (3 * time * ROWS) as u64);
            assert_ne!(chains.tokens(), &before);
            let p = p(table, &chains);
            assert!(p > 1e-3 / tests, "p = {p} at time {time}");
        }
    }
}

/// 3 tests at the joint level 1e-3.
#[test]
fn repairs_leave_the_data_distribution_invariant_and_lead_to_it() {
    let table = table();
    let mixture = [(0.7, NoiseLaw::absorbing(3, 0).unwrap()), (0.3, NoiseLaw::uniform(3).unwrap())];
    let schedule = schedule(NoiseLaw::mixture(&mixture).unwrap());
    let conditional = table.conditional(&schedule).unwrap();
    let mut chains = exact_draws(&table);
    let before = chains.tokens().clone();
    let done =
        repair(&conditional, &mut chains, 2, DrawControls::default(), 1, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(done.updates, (2 * LEN * ROWS) as u64);
    assert_ne!(chains.tokens(), &before);
    assert!(p(&table, &chains) > 1e-3 / 3.0);
    // A clamped site stays; one sweep from a single sequence is not enough.
    let state = table.probabilities().iter().position(|&p| p > 0.0).unwrap();
    let mut chains = Chains::seeded(TokenBatch::from_rows(vec![table.sequence(state); ROWS]).unwrap(), 9);
    repair(&conditional, &mut chains, 1, DrawControls::default(), 2, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(p(&table, &chains) < 1e-9);
    chains.clamp(0, 1, chains.tokens().row(0)[1]).unwrap();
    let kept = chains.tokens().row(0)[1];
    repair(&conditional, &mut chains, 40, DrawControls::default(), 3, &mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(chains.tokens().row(0)[1], kept);
    assert!(p(&table, &chains) > 1e-3 / 3.0);
}

/// From one sequence, one sweep up and down: one round is not enough, twenty are.
#[test]
fn other_laws_move_to_the_data_distribution() {
    let table = table();
    let schedule = schedule(NoiseLaw::uniform(3).unwrap());
    let conditional = table.conditional(&schedule).unwrap();
    let sampler = ReverseSampler::new(&schedule, HeatBath::default());
    let state = table.probabilities().iter().position(|&p| p > 0.0).unwrap();
    let rows = vec![table.sequence(state); ROWS];
    let mut chains = Chains::seeded(TokenBatch::from_rows(rows).unwrap(), 9);
    sampler.redenoise(&conditional, &mut chains, LEN, 1, &mut go_on).unwrap();
    let early = p(&table, &chains);
    sampler.redenoise(&conditional, &mut chains, LEN, 19, &mut go_on).unwrap();
    let late = p(&table, &chains);
    assert!(early < 1e-9 && late > 1e-3, "{early} {late}");
}

#[test]
fn rounds_are_renoise_and_run_and_can_be_stopped() {
    let table = table();
    let schedule = schedule(NoiseLaw::uniform(3).unwrap());
    let conditional = table.conditional(&schedule).unwrap();
    let sampler = ReverseSampler::new(&schedule, HeatBath::default());
    let mut start = sampler.start(5, 1);
    sampler.sample(&conditional, &mut start).unwrap();
    start.clamp(2, 1, start.tokens().row(2)[1]).unwrap();

    let mut by_hand = start.clone();
    let mut sum = StepDiagnostics::default();
    for _ in 0..2 {
        by_hand.renoise(&schedule, 10).unwrap();
        sum += sampler.run(&conditional, &mut by_hand, 10, 0, &mut |_| ControlFlow::Continue(())).unwrap();
    }
    let mut chains = start.clone();
    let mut seen = Vec::new();
    let done = sampler.redenoise(&conditional, &mut chains, 10, 2, &mut |round, info| {
        seen.push((round, info.step, info.diagnostics));
        ControlFlow::Continue(())
    });
    assert_eq!((&chains, done.unwrap()), (&by_hand, sum));
    assert_eq!(seen.iter().map(|s| (s.0, s.1)).collect::<Vec<_>>(), [(0, 8), (0, 4), (0, 0), (1, 8), (1, 4), (1, 0)]);
    assert_eq!(seen[5].2, sum);
    assert_eq!(chains.tokens().row(2)[1], start.tokens().row(2)[1]);

    let mut stopped = start.clone();
    let mut calls = 0;
    let mut stop_in_second_round = |round, _: Progress<'_>| {
        calls += 1;
        if round == 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    sampler.redenoise(&conditional, &mut stopped, 10, 9, &mut stop_in_second_round).unwrap();
    assert_eq!(calls, 4);

    for (time, rounds) in [(0, 3), (10, 0)] {
        let mut chains = start.clone();
        let done = sampler.redenoise(&conditional, &mut chains, time, rounds, &mut go_on).unwrap();
        assert_eq!((chains.tokens(), done), (start.tokens(), StepDiagnostics::default()));
    }
    assert!(sampler.redenoise(&conditional, &mut start, 17, 1, &mut go_on).is_err());
}
