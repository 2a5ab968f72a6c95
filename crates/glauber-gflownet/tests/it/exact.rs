//! Exact flows, and the laws that they give.

use std::sync::Arc;

use glauber_chain::ChainRng;
use glauber_chain::statistics::Estimate;
use glauber_energy::dag::{DagPosterior, DagTarget, DataTable, LinearGaussian};
use glauber_energy::{Hypergrid, Table, Target, Tempered, exact};
use glauber_gflownet::{
    CrossEntropy, DagBuilding, Decisions, DetailedBalance, Distance, Environment, Evidence, Exploration, Filling,
    FillingState, Flows, GflownetError, GridState, GridWalk, Paths, Policy, StateSpace, TablePolicy, Terms,
    TrajectoryBalance, UniformPolicy, filled, filled_tokens, filling_probability, objectives,
};

use crate::{grid, table, wandering};

/// Paths and the terms of the exact policy along them.
fn exactly<E: Environment>(environment: &E) -> (TablePolicy<E>, Arc<StateSpace<E::State>>) {
    let space = Arc::new(StateSpace::list(environment).unwrap());
    (TablePolicy::exact(environment, Arc::clone(&space)), space)
}

/// At the exact flows, every balance holds on every path, whoever drew it, and the terminal law is the target.
fn balances<E: Environment>(environment: &E) {
    let (policy, space) = exactly(environment);
    assert!((policy.log_partition() - space.log_partition()).abs() < 1e-12);
    let paths = wandering(environment, 50, 3);
    for objective in objectives() {
        if ["relative-entropy", "cross-entropy", "likelihood"].contains(&objective.name()) {
            continue; // their least is not 0
        }
        let groups = if objective.reads_parents() { paths.parents(environment) } else { paths.clone() };
        let terms = groups.terms(environment, &policy).unwrap();
        let mut gradient = Terms::zeros(groups.offsets());
        let loss = objective.loss(&terms, &mut gradient);
        // Residuals are squared in the loss.
        assert!(loss < 1e-24, "{}: {loss}", objective.name());
    }
    let distance = Distance::between(&space.terminal_law(environment, &policy), &space.target()).unwrap();
    assert!(distance.l1 < 1e-12 && distance.jensen_shannon < 1e-12, "{distance:?}");
}

#[test]
fn exact_flows_balance_everywhere() {
    balances(&table());
    balances(&Filling::left_to_right(Table::random(3, 4, 2.0, 2).unwrap()));
    balances(&grid(8, 0.1));
    balances(&GridWalk(Hypergrid::new(4, 3, [0.01, 0.5, 2.0]).unwrap()));
}

#[test]
fn uniform_orders_cancel() {
    // (E12): log F(s) = ln Σ_{x ⊇ s} γ(x) − ln C(L, |s|).
    let (policy, space) = exactly(&table());
    let target = &table().target;
    let exact = exact::enumerate(target).unwrap();
    let decided = policy.decide(&table(), space.states());
    for (state, flow) in space.states().iter().zip(&decided.flow) {
        let agrees =
            |x: &[u32]| state.iter().zip(x).all(|(filled, token)| filled.is_none_or(|filled| filled == *token));
        let mass: f64 = exact.mean(|x| f64::from(agrees(x))) * exact.log_partition().exp();
        let orders = [1.0f64, 4.0, 6.0, 4.0, 1.0][state.iter().flatten().count()];
        assert!((flow - (mass / orders).ln()).abs() < 1e-12, "{state:?}");
    }
    // A step of the exact policy is the conditional of the target, over the number of empty sites.
    let state = vec![Some(1), None, Some(2), None];
    let law = policy.decide(&table(), std::slice::from_ref(&state));
    let with = |token: u32| exact.mean(|x| f64::from(x[0] == 1 && x[2] == 2 && x[1] == token));
    let all: f64 = (0..3).map(with).sum();
    for token in 0..3 {
        let expected = with(token as u32) / all / 2.0;
        assert!((law.forward_at(0)[3 + token].exp() - expected).abs() < 1e-12);
    }
}

/// The conditionals of a table by enumeration, in uniform orders, without a look at flows.
struct Conditionals(exact::Enumeration);

impl Policy<Filling<Table>> for Conditionals {
    fn decide(&self, environment: &Filling<Table>, states: &[FillingState]) -> Decisions {
        let law = |state: &FillingState| -> Vec<f64> {
            let fits = |x: &[u32]| state.iter().zip(x).all(|(known, token)| known.is_none_or(|known| known == *token));
            let with = |action: usize| self.0.mean(|x| f64::from(fits(x) && x[action / 3] as usize == action % 3)).ln();
            (0..environment.actions()).map(with).collect()
        };
        let logits = states.iter().flat_map(law).collect();
        Decisions::of_logits(environment, states, logits, None, vec![0.0; states.len()])
    }
}

#[test]
fn exact_conditionals_in_any_order_end_on_the_target() {
    let environment = Filling::any_order(Table::random(3, 4, 2.0, 9).unwrap());
    let listed = exact::enumerate(&environment.target).unwrap();
    let (space, policy) = (StateSpace::list(&environment).unwrap(), Conditionals(listed.clone()));
    let law = space.terminal_law(&environment, &policy);
    for (at, (found, end)) in law.iter().zip(space.ends()).enumerate() {
        let tokens = filled_tokens(end).unwrap();
        let expected = listed.probabilities()[listed.state(&tokens)];
        assert!((found - expected).abs() < 1e-13);
        if at % 10 == 0 {
            assert!((filling_probability(&environment, &policy, &tokens).unwrap() - expected).abs() < 1e-13);
        }
    }
    assert!(filling_probability(&environment, &policy, &[0, 1]).is_err());
}

/// A policy that fills each order of sites in another way.
struct Crooked;

impl Policy<Filling<Table>> for Crooked {
    fn decide(&self, environment: &Filling<Table>, states: &[FillingState]) -> Decisions {
        let number = |state: &FillingState| state.iter().fold(0, |n, token| 5 * n + token.map_or(0, |token| token + 1));
        let logits = states.iter().flat_map(|state| (1..=12).map(|action| f64::from(number(state) * action).sin()));
        Decisions::of_logits(environment, states, logits.collect(), None, vec![0.0; states.len()])
    }
}

#[test]
fn paths_back_from_a_sequence_say_how_likely_it_is() {
    let (environment, policy) = (table(), Crooked);
    let tokens = [2, 0, 1, 1];
    let paths = Paths::draw_back(&environment, &policy, &vec![filled(&tokens); 4000], &mut ChainRng::streams(1, 4000));
    let ratios = paths.terms(&environment, &policy).unwrap().log_path_ratios();
    let found = Estimate::independent(&ratios.iter().map(|log| log.exp()).collect::<Vec<_>>());
    let exact = filling_probability(&environment, &policy, &tokens).unwrap();
    assert!(found.standard_error > 1e-3 * exact && found.standard_error < 0.1 * exact, "{found:?}");
    assert!((found.mean - exact).abs() < 4.0 * found.standard_error, "{found:?} for {exact}");
}

/// The flows of the uniform backward policy on a grid, by hand.
struct Flows8(Vec<f64>);

fn parents(x: usize, y: usize) -> f64 {
    f64::from(u8::from(x > 0) + u8::from(y > 0))
}

impl Policy<GridWalk<Hypergrid>> for Flows8 {
    fn decide(&self, environment: &GridWalk<Hypergrid>, states: &[GridState]) -> Decisions {
        let law = |(at, _): &GridState| {
            let (x, y) = (at[0] as usize, at[1] as usize);
            let cell = 8 * x + y;
            let up = if x < 7 { self.0[cell + 8] / parents(x + 1, y) } else { 0.0 };
            let right = if y < 7 { self.0[cell + 1] / parents(x, y + 1) } else { 0.0 };
            [up, right, environment.0.log_density(at).exp()].map(f64::ln)
        };
        let logits = states.iter().flat_map(law).collect();
        Decisions::of_logits(environment, states, logits, None, vec![0.0; states.len()])
    }
}

/// A walk on the grid by these flows ends on the target.
#[test]
fn the_flows_of_a_grid_end_on_it() {
    let walk = grid(8, 0.1);
    let listed = exact::enumerate(&walk.0).unwrap();
    // F(s) = γ(s) + Σ_children F(c) / parents(c), from the far corner back.
    let mut flow = vec![0.0; 64];
    for cell in (0..64).rev() {
        let (x, y) = (cell / 8, cell % 8);
        flow[cell] = walk.0.log_density(&[x as u32, y as u32]).exp();
        if x < 7 {
            flow[cell] += flow[cell + 8] / parents(x + 1, y);
        }
        if y < 7 {
            flow[cell] += flow[cell + 1] / parents(x, y + 1);
        }
    }
    assert!((flow[0].ln() - walk.0.log_partition()).abs() < 1e-12);
    let space = StateSpace::list(&walk).unwrap();
    assert_eq!((space.states().len(), space.ends().len()), (128, 64));
    let law = space.terminal_law(&walk, &Flows8(flow));
    for (found, (cell, _)) in law.iter().zip(space.ends()) {
        assert!((found - listed.probabilities()[listed.state(cell)]).abs() < 1e-14);
    }
}

#[test]
fn dags_balance_with_flows_of_stopping() {
    // The data of §8 of the design: every graph of three nodes.
    let wave = |n: f64| (1.0 + 0.9 * n).sin();
    let row = |n: f64| [wave(n), 0.8 * wave(n) + 0.5 * (2.3 * n).cos(), (0.37 * n * n).cos()];
    let values = (0..20).flat_map(|n| row(f64::from(n))).collect();
    let data = DataTable::new(["a", "b", "c"].map(String::from).to_vec(), values).unwrap();
    let target = DagTarget::new(LinearGaussian::new(&data, 0.1, 1.0).unwrap()).unwrap();
    let building = DagBuilding::new(&target);
    balances(&building);
    let (policy, space) = exactly(&building);
    assert_eq!(space.ends().len(), 25);
    // F(s) = R(s) / P(stop|s) holds at the exact policy, so the modified balance (E35) does too.
    let modified = policy.copied().with_flows(Flows::OfStop);
    let paths = wandering(&building, 50, 5);
    let [learned, of_stop] = [&policy, &modified].map(|policy| paths.terms(&building, policy).unwrap());
    assert!(learned.flow.iter().zip(&of_stop.flow).all(|(a, b)| (a - b).abs() < 1e-10));
    let mut gradient = Terms::zeros(paths.offsets());
    assert!(glauber_gflownet::PathObjective::loss(&DetailedBalance::default(), &of_stop, &mut gradient) < 1e-20);
    // And the law is the enumerated posterior.
    let posterior = DagPosterior::enumerate(target.scores()).unwrap();
    let law = space.terminal_law(&building, &policy);
    for (p, end) in law.iter().zip(space.ends()) {
        let graph = glauber_energy::dag::Graph::from_tokens(3, end.edges()).unwrap();
        let place = posterior.place(&graph).unwrap();
        assert!((p - posterior.probabilities()[place]).abs() < 1e-12);
    }
    let filling = Filling::any_order(&target);
    assert!(matches!(paths_of_stop(&filling), Err(GflownetError::NoStop)));
}

fn paths_of_stop<T: Target>(filling: &Filling<T>) -> glauber_gflownet::Result<Terms> {
    struct OfStop;
    impl<E: Environment> Policy<E> for OfStop {
        fn decide(&self, environment: &E, states: &[E::State]) -> glauber_gflownet::Decisions {
            UniformPolicy.decide(environment, states)
        }
        fn flows(&self) -> Flows {
            Flows::OfStop
        }
    }
    wandering(filling, 2, 1).terms(filling, &OfStop)
}

#[test]
fn weights_of_any_policy_have_mean_z_and_bound_log_z() {
    let (environment, count) = (table(), 40_000);
    let space = StateSpace::list(&environment).unwrap();
    let log_z = space.log_partition();
    let own = wandering(&environment, count, 9).terms(&environment, &UniformPolicy).unwrap().log_weights();
    let ratios: Vec<f64> = own.iter().map(|log| (log - log_z).exp()).collect();
    let mean = ratios.iter().sum::<f64>() / count as f64;
    let variance = ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum::<f64>() / count as f64;
    let error = (variance / count as f64).sqrt();
    assert!((mean - 1.0).abs() < 4.0 * error, "{mean} ± {error}");
    // Back from exact samples: ELBO ≤ log Z ≤ EUBO, and the gap is the symmetric divergence of paths.
    let samples = exact::enumerate(&environment.target).unwrap().sample(count, 4);
    let ends: Vec<_> = samples.iter().map(filled).collect();
    let mut rngs = ChainRng::streams(5, count);
    let back = Paths::draw_back(&environment, &UniformPolicy, &ends, &mut rngs);
    assert!(back.ends().zip(&ends).all(|(found, end)| found == end));
    let back = back.terms(&environment, &UniformPolicy).unwrap().log_weights();
    let evidence = Evidence::new(&own, Some(&back));
    let exact = space.target();
    // A uniform policy draws every sequence alike, with p = 3⁻⁴.
    let [kl, reverse] = [0.0, 0.0];
    let (kl, reverse) = exact.iter().fold((kl, reverse), |(kl, reverse), p| {
        let uniform = 1.0 / 81.0f64;
        (kl + p * (p / uniform).ln(), reverse + uniform * (uniform / p).ln())
    });
    assert!((log_z - evidence.lower - reverse).abs() < 0.05, "{evidence:?}");
    assert!((evidence.upper.unwrap() - log_z - kl).abs() < 0.05, "{evidence:?}");
    let expected = (2.0 * log_z).exp() / exact.iter().map(|p| 81.0 * (p * log_z.exp()).powi(2)).sum::<f64>();
    assert!((evidence.effective_share - expected).abs() < 0.03, "{} for {expected}", evidence.effective_share);
}

#[test]
fn relative_balance_is_zero_at_the_posterior() {
    // (E11): the prior is one exact sampler, the likelihood a function c; the posterior has γ = prior · c.
    let (prior_table, likelihood) = (Table::random(3, 4, 1.0, 7).unwrap(), Table::random(3, 4, 1.0, 8).unwrap());
    let prior = Filling::any_order(&prior_table);
    let (prior_policy, prior_space) = exactly(&prior);
    let logs = |x: &[u32]| prior_table.log_density(x) - prior_space.log_partition() + likelihood.log_density(x);
    let product = Filling::any_order(Table::new(3, 4, every(3, 4).map(|x| logs(&x)).collect()).unwrap());
    let (posterior, _) = exactly(&product);
    let paths = wandering(&product, 40, 2);
    let of_prior = paths.terms(&prior, &prior_policy).unwrap();
    let (mut decisions, likelihood) = (posterior.decide(&product, paths.states()), Filling::any_order(&likelihood));
    decisions.flow.fill(0.0);
    let (log_z, flows) = (Policy::<Filling<Table>>::log_partition(&posterior), Flows::Learned);
    let relative = paths.terms_of(&likelihood, &decisions, log_z, flows).unwrap().relative_to(&of_prior);
    let mut gradient = Terms::zeros(paths.offsets());
    let loss = glauber_gflownet::PathObjective::loss(&TrajectoryBalance::default(), &relative, &mut gradient);
    assert!(loss < 1e-24, "{loss}");
}

/// Every sequence, site 0 varying slowest.
fn every(vocab: u32, len: u32) -> impl Iterator<Item = Vec<u32>> {
    (0..vocab.pow(len)).map(move |state| (0..len).map(|site| state / vocab.pow(len - 1 - site) % vocab).collect())
}

#[test]
fn cross_entropy_weighs_paths_by_their_share_of_the_target() {
    // The uniform policy draws all 8 paths of two sites of two tokens alike, so that all of them once are its expectation.
    let environment = Filling::any_order(Table::random(2, 2, 1.0, 3).unwrap());
    let (_, space) = exactly(&environment);
    let all =
        Paths::of(every(2, 2).flat_map(|x| [[0, 1], [1, 0]].map(|order| (x.clone(), order))).map(|(x, order)| {
            let mut states = vec![environment.source()];
            let actions: Vec<usize> = order.iter().map(|&site| 2 * site + x[site] as usize).collect();
            actions.iter().for_each(|&action| states.push(environment.take(&states[states.len() - 1], action)));
            (states, actions)
        }));
    let terms = all.terms(&environment, &UniformPolicy).unwrap();
    let rewards: Vec<f64> = all.ends().map(|end| environment.log_reward(end).unwrap()).collect();
    for power in [1.0, 0.5] {
        let partition = rewards.iter().map(|log| (power * log).exp()).sum::<f64>();
        let mut gradient = Terms::zeros(all.offsets());
        let loss = glauber_gflownet::PathObjective::loss(&CrossEntropy { power }, &terms, &mut gradient);
        // Every path has probability 1/8.
        assert!((loss - 8f64.ln()).abs() < 1e-12, "{loss}");
        for (path, log) in rewards.iter().enumerate() {
            let share = (power * log).exp() / partition;
            assert!(
                gradient.group(path).forward.iter().all(|g| (g + share).abs() < 1e-12),
                "path {path}, power {power}"
            );
        }
    }
    let log_z = (rewards.iter().map(|log| log.exp()).sum::<f64>() / 2.0).ln();
    assert!((log_z - space.log_partition()).abs() < 1e-12);
}

#[test]
fn what_is_wrong_is_named() {
    let large = GridWalk(Hypergrid::new(64, 5, [0.1, 0.5, 2.0]).unwrap());
    let error = StateSpace::list(&large).unwrap_err().to_string();
    assert!(error.contains("too many to list"), "{error}");
    let target = Table::random(2, 2, 1.0, 1).unwrap();
    let nan = Filling::left_to_right(Tempered { target, inverse_temperature: f64::NAN });
    let error = StateSpace::list(&nan).unwrap_err().to_string();
    assert!(error.contains("NaN"), "{error}");
    let error = wandering(&nan, 1, 1).terms(&nan, &UniformPolicy).unwrap_err().to_string();
    assert!(error.contains("NaN"), "{error}");
    let error = glauber_gflownet::objective("balance").unwrap_err().to_string();
    assert!(error.contains("balance") && error.contains("trajectory-balance"), "{error}");
}

#[test]
fn explored_paths_have_the_law_asked_for() {
    let environment = table();
    let (policy, _) = exactly(&environment);
    let count = 60_000;
    let first = policy.decide(&environment, &[environment.source()]);
    let exploration = Exploration { uniform: 0.2, temperature: 2.0 };
    let mut rngs = ChainRng::streams(8, count);
    let paths = Paths::draw(&environment, &policy, exploration, &mut rngs);
    let warm: Vec<f64> = first.forward_at(0).iter().map(|log| (log / 2.0).exp()).collect();
    let mass: f64 = warm.iter().sum();
    for (action, weight) in warm.iter().enumerate() {
        let expected = 0.8 * weight / mass + 0.2 / 12.0;
        let found = (0..count).filter(|&path| paths.actions_of(path)[0] == action).count() as f64 / count as f64;
        let error = (expected * (1.0 - expected) / count as f64).sqrt();
        assert!((found - expected).abs() < 4.5 * error, "{action}: {found} for {expected}");
    }
}
