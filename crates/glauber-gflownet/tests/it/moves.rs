//! Chains whose proposals a policy makes: the target is their stationary law.

use std::sync::Arc;

use glauber_chain::ChainRng;
use glauber_energy::exact;
use glauber_gflownet::{
    Acceptance, BackAndForth, Evidence, Exploration, Filling, GflownetError, IndependenceMetropolis, Paths, StateSpace,
    TablePolicy, UniformPolicy, filled,
};

use crate::{grid, table};

const CHAINS: usize = 10_000;

/// Shares of states among terminal states, against the exact law, by χ² over its degrees of freedom.
fn chi_square(ends: &[Vec<Option<u32>>]) -> f64 {
    let space = StateSpace::list(&table()).unwrap();
    let places: std::collections::HashMap<_, _> = space.ends().cloned().zip(0..).collect();
    let mut counts = vec![0.0; places.len()];
    ends.iter().for_each(|end| counts[places[end]] += 1.0);
    let expected = space.target();
    let each = counts.iter().zip(&expected).map(|(n, p)| (n - p * ends.len() as f64).powi(2) / (p * ends.len() as f64));
    each.sum::<f64>() / (counts.len() - 1) as f64
}

#[test]
fn taking_apart_and_completing_keeps_the_target() {
    let environment = table();
    let exact = exact::enumerate(&environment.target).unwrap().sample(CHAINS, 3);
    let space = Arc::new(StateSpace::list(&environment).unwrap());
    let policy = TablePolicy::exact(&Filling::any_order(&environment.target), Arc::clone(&space));
    for acceptance in [Acceptance::Metropolis, Acceptance::Barker] {
        for actions in 1..=4 {
            let mut ends: Vec<_> = exact.iter().map(filled).collect();
            let mut rngs = ChainRng::streams(7 + actions as u64, CHAINS);
            let moves = BackAndForth { actions, acceptance };
            let accepted = moves.step(&environment, &UniformPolicy, &mut ends, &mut rngs).unwrap();
            assert!(accepted > CHAINS / 10 && accepted < CHAINS, "{accepted}");
            // 80 degrees of freedom: the standard deviation is .16.
            let found = chi_square(&ends);
            assert!(found < 1.7, "{acceptance:?} of {actions}: {found}");
        }
    }
    // With the exact policy as proposal nothing is refused.
    let mut ends: Vec<_> = exact.iter().take(100).map(filled).collect();
    let moves = BackAndForth { actions: 4, acceptance: Acceptance::Metropolis };
    let filling = Filling::any_order(&environment.target);
    assert_eq!(moves.step(&filling, &policy, &mut ends, &mut ChainRng::streams(1, 100)).unwrap(), 100);
}

#[test]
fn a_wrong_start_is_forgotten() {
    let environment = table();
    let mut ends = vec![vec![Some(0); 4]; CHAINS];
    let mut rngs = ChainRng::streams(2, CHAINS);
    let moves = BackAndForth { actions: 3, acceptance: Acceptance::Metropolis };
    assert!(chi_square(&ends) > 100.0);
    for _ in 0..80 {
        moves.step(&environment, &UniformPolicy, &mut ends, &mut rngs).unwrap();
    }
    assert!(chi_square(&ends) < 1.7, "{}", chi_square(&ends));
}

#[test]
fn independent_proposals_reach_the_target() {
    let environment = table();
    let mut rngs = ChainRng::streams(5, CHAINS);
    let mut draw = || {
        let paths = Paths::draw(&environment, &UniformPolicy, Exploration::NONE, &mut rngs);
        let terms = paths.terms(&environment, &UniformPolicy).unwrap();
        (paths, terms)
    };
    let (paths, terms) = draw();
    let mut chains = IndependenceMetropolis::new(&paths, &terms);
    let mut numbers = ChainRng::streams(6, CHAINS);
    let (mut accepted_late, mut expected) = (0.0, 0.0);
    for round in 0..80 {
        let (paths, terms) = draw();
        let accepted = chains.propose(&paths, &terms, &mut numbers);
        assert!(accepted > 0 && accepted < CHAINS);
        if round >= 40 {
            accepted_late += accepted as f64 / CHAINS as f64 / 40.0;
            expected += Evidence::new(&terms.log_weights(), None).acceptance / 40.0;
        }
    }
    assert!((accepted_late - expected).abs() < 0.005, "{accepted_late} for {expected}");
    assert_eq!(Evidence::new(&[f64::NEG_INFINITY; 3], None).acceptance, 0.0);
    assert!(chi_square(&chains.ends) < 1.7, "{}", chi_square(&chains.ends));
}

#[test]
fn paths_of_other_lengths_are_refused() {
    let walk = grid(4, 0.1);
    let mut ends = vec![(vec![3, 3], true); 20];
    let moves = BackAndForth { actions: 3, acceptance: Acceptance::Metropolis };
    let error = moves.step(&walk, &UniformPolicy, &mut ends, &mut ChainRng::streams(1, 20)).unwrap_err();
    assert!(matches!(error, GflownetError::Mismatch { .. }), "{error}");
}
