//! Gradients of objectives against differences, and how objectives are related.

use std::sync::Arc;

use glauber_chain::ChainRng;
use glauber_gflownet::{
    Criterion, DetailedBalance, Exploration, Filling, LogVariance, PathObjective, Paths, RelativeEntropy, StateSpace,
    SubTrajectoryBalance, TablePolicy, Terms, TrajectoryBalance, objectives,
};

use crate::{table, wandering};

/// Terms of a policy that is wrong everywhere.
fn terms(parents: bool) -> Terms {
    let paths = wandering(&table(), 5, 11);
    let groups = if parents { paths.parents(&table()) } else { paths };
    let mut terms = Terms::zeros(groups.offsets());
    let mut rng = ChainRng::new(4, 0);
    let lists = [&mut terms.forward, &mut terms.backward, &mut terms.flow];
    lists.into_iter().flatten().for_each(|term| *term = 3.0 * rng.uniform() - 2.0);
    terms
}

fn numbers(terms: &mut Terms) -> [&mut Vec<f64>; 3] {
    [&mut terms.forward, &mut terms.backward, &mut terms.flow]
}

#[test]
fn gradients_are_those_of_the_loss() {
    let huber = TrajectoryBalance(Criterion::Huber);
    let others: [&dyn PathObjective; 3] = [
        &huber,
        &DetailedBalance(Criterion::Huber),
        &SubTrajectoryBalance { lambda: 1.7, criterion: Criterion::Square },
    ];
    for objective in objectives().into_iter().chain(others) {
        // Their gradients are by where paths go, or hold weights fixed, and are tested below and in `exact`.
        if ["relative-entropy", "cross-entropy"].contains(&objective.name()) {
            continue;
        }
        let terms = terms(objective.reads_parents());
        let loss = |terms: &Terms| objective.loss(terms, &mut Terms::zeros(terms.offsets()));
        let mut gradient = Terms::zeros(terms.offsets());
        objective.loss(&terms, &mut gradient);
        for list in 0..3 {
            for at in 0..numbers(&mut gradient)[list].len() {
                let moved = |by: f64| {
                    let mut terms = terms.clone();
                    numbers(&mut terms)[list][at] += by;
                    loss(&terms)
                };
                let expected = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                let found = numbers(&mut gradient)[list][at];
                assert!((found - expected).abs() < 1e-6, "{objective:?} {list} {at}: {found} for {expected}");
            }
        }
    }
}

#[test]
fn sub_trajectories_lie_between_the_two_balances() {
    let terms = terms(false);
    let loss = |objective: &dyn PathObjective| objective.loss(&terms, &mut Terms::zeros(terms.offsets()));
    let part = |lambda| loss(&SubTrajectoryBalance { lambda, criterion: Criterion::Square });
    assert!((part(1e-9) - loss(&DetailedBalance::default())).abs() < 1e-6);
    assert!((part(1e9) - loss(&TrajectoryBalance::default())).abs() < 1e-6);
}

#[test]
fn on_own_paths_balance_and_variance_have_twice_the_gradient_of_relative_entropy() {
    // With log Z_θ at the batch's mean they agree path by path, not only in expectation.
    let environment = table();
    let policy = TablePolicy::uniform(&environment, Arc::new(StateSpace::list(&environment).unwrap()));
    let paths = Paths::draw(&environment, &policy, Exploration::NONE, &mut ChainRng::streams(3, 20));
    let mut terms = paths.terms(&environment, &policy).unwrap();
    let weights = terms.log_weights();
    let mean = weights.iter().sum::<f64>() / 20.0;
    let starts: Vec<usize> = terms.offsets()[..20].to_vec();
    starts.into_iter().for_each(|start| terms.flow[start] = mean);
    let gradient = |objective: &dyn PathObjective| {
        let mut gradient = Terms::zeros(terms.offsets());
        objective.loss(&terms, &mut gradient);
        gradient.forward
    };
    let [half, balance, variance] =
        [gradient(&RelativeEntropy), gradient(&TrajectoryBalance::default()), gradient(&LogVariance)];
    for ((half, balance), variance) in half.iter().zip(balance).zip(variance) {
        assert!((2.0 * half - balance).abs() < 1e-12 && (2.0 * half - variance).abs() < 1e-12);
    }
}

#[test]
fn parents_of_a_filled_sequence_are_all_sequences_with_one_site_less() {
    let environment = table();
    let paths = wandering(&environment, 1, 2);
    let parents = paths.parents(&environment);
    assert_eq!(parents.count(), 4);
    for group in 0..4 {
        assert_eq!(parents.actions_of(group).len(), group + 1);
        let child = parents.states_of(group).last().unwrap();
        assert_eq!(child, &paths.states_of(0)[group + 1]);
        assert!(parents.states_of(group)[..group + 1].iter().all(|parent| filled(parent) == group));
    }
    let prefix = Filling::left_to_right(&environment.target);
    assert!((0..4).all(|group| wandering(&prefix, 1, 2).parents(&prefix).actions_of(group).len() == 1));
}

fn filled(state: &[Option<u32>]) -> usize {
    state.iter().flatten().count()
}
