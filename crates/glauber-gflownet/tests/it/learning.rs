//! Tables learn what they should.

use std::sync::Arc;

use glauber_chain::ChainRng;
use glauber_gflownet::{
    Buffer, Distance, Environment, Exploration, Flows, PathObjective, Paths, Policy, StateSpace, TableAdam,
    TablePolicy, UniformPolicy, filled, filled_tokens, objectives,
};

use crate::{grid, table};

/// Trains a table on its own paths; its distance from the target, and the error of `log Z_θ`.
fn train<E: Environment>(
    environment: &E,
    objective: &dyn PathObjective,
    flows: Flows,
    exploration: Exploration,
    steps: usize,
) -> (Distance, f64) {
    let space = Arc::new(StateSpace::list(environment).unwrap());
    let mut policy = TablePolicy::uniform(environment, Arc::clone(&space)).with_flows(flows);
    let (mut adam, mut rngs) = (TableAdam::new(0.05, 0.1), ChainRng::streams(1, 16));
    for step in 0..steps {
        // A falling rate takes out the noise of the last steps.
        adam.rate = 0.05 * (1.0 - step as f64 / steps as f64);
        let paths = Paths::draw(environment, &policy, exploration, &mut rngs);
        adam.step(environment, &mut policy, objective, &paths).unwrap();
    }
    let distance = Distance::between(&space.terminal_law(environment, &policy), &space.target()).unwrap();
    (distance, policy.log_partition() - space.log_partition())
}

#[test]
fn every_objective_learns_a_random_table() {
    for objective in objectives().into_iter().filter(|objective| !objective.needs_ends()) {
        // The two entropies hold on own paths alone.
        let own = ["relative-entropy", "cross-entropy"].contains(&objective.name());
        let exploration = if own { Exploration::NONE } else { Exploration::uniform(0.1) };
        let (found, log_z) = train(&table(), objective, Flows::Learned, exploration, 2500);
        let most = if objective.name() == "cross-entropy" { 0.1 } else { 0.01 };
        assert!(found.l1 < most, "{}: {found:?}", objective.name());
        let learns_sum = !own && objective.name() != "log-variance";
        assert!(!learns_sum || log_z.abs() < 0.01, "{}: {log_z}", objective.name());
    }
}

/// Own paths of the uniform policy with weights `w^½`, all 81 of them: their law is `√π`, half-way from the policy to the target.
/// With `w` it is the target's.
#[test]
fn likelihood_learns_the_law_of_its_ends() {
    let environment = table();
    let space = Arc::new(StateSpace::list(&environment).unwrap());
    let likelihood = glauber_gflownet::objective("likelihood").unwrap();
    for power in [0.5, 1.0] {
        let mut buffer = Buffer::new(81).unwrap();
        let ends = space.ends().map(|end| (filled_tokens(end).unwrap(), power * environment.log_reward(end).unwrap()));
        buffer.extend(ends).unwrap();
        let mut policy = TablePolicy::uniform(&environment, Arc::clone(&space));
        let (mut adam, mut rngs) = (TableAdam::new(0.05, 0.1), ChainRng::streams(1, 64));
        for step in 0..1500 {
            adam.rate = 0.05 * (1.0 - f64::from(step) / 1500.0);
            let ends: Vec<_> = rngs.iter_mut().map(|rng| filled(buffer.draw(rng))).collect();
            let paths = Paths::draw_back(&environment, &UniformPolicy, &ends, &mut rngs);
            adam.step(&environment, &mut policy, likelihood, &paths).unwrap();
        }
        let powers: Vec<f64> = space.target().iter().map(|p| p.powf(power)).collect();
        let expected: Vec<f64> = powers.iter().map(|p| p / powers.iter().sum::<f64>()).collect();
        let law = space.terminal_law(&environment, &policy);
        let [aim, other] = [&expected, &space.target()].map(|law_of| Distance::between(&law, law_of).unwrap().l1);
        assert!(aim < 0.04, "{power}: {aim}");
        assert!(power == 1.0 || other > 0.2, "{power}: {other}");
    }
}

#[test]
fn balance_learns_a_grid_and_its_sum() {
    let balance = glauber_gflownet::objective("trajectory-balance").unwrap();
    let (found, log_z) = train(&grid(8, 0.1), balance, Flows::Learned, Exploration::NONE, 2000);
    assert!(found.l1 < 1e-3, "{found:?}");
    assert!(log_z.abs() < 1e-3, "{log_z}");
}

#[test]
fn flows_of_stopping_learn_a_grid_without_a_sum() {
    let balance = glauber_gflownet::objective("detailed-balance").unwrap();
    let (found, _) = train(&grid(4, 0.1), balance, Flows::OfStop, Exploration::uniform(0.2), 1500);
    assert!(found.l1 < 0.01, "{found:?}");
}

#[test]
fn a_learned_backward_policy_balances_too() {
    let environment = table();
    let space = Arc::new(StateSpace::list(&environment).unwrap());
    let mut policy = TablePolicy::uniform(&environment, Arc::clone(&space)).with_learned_backward();
    let (mut adam, mut rngs) = (TableAdam::new(0.05, 0.1), ChainRng::streams(1, 16));
    let balance = glauber_gflownet::objective("trajectory-balance").unwrap();
    for step in 0..2000 {
        adam.rate = 0.05 * (1.0 - f64::from(step) / 2000.0);
        let paths = Paths::draw(&environment, &policy, Exploration::uniform(0.1), &mut rngs);
        adam.step(&environment, &mut policy, balance, &paths).unwrap();
    }
    let found = Distance::between(&space.terminal_law(&environment, &policy), &space.target()).unwrap();
    assert!(found.l1 < 0.03, "{found:?}");
    let uniform = TablePolicy::uniform(&environment, space);
    let last = vec![Some(0); 4];
    let [learned, uniform] = [&policy, &uniform].map(|policy| policy.decide(&environment, std::slice::from_ref(&last)));
    assert_ne!(learned.backward_at(0), uniform.backward_at(0));
}
