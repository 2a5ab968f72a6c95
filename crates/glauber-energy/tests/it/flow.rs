use glauber_chain::statistics::Estimate;
use glauber_energy::{
    AnnealedTarget, Annealing, EnergyError, HeatBathLayer, Increment, Layer, Levels, MetropolisLayer, Particles,
    Permutation, ProductLaw, Table, exact, random_layers, run_flow, unwatched,
};

/// `E w = Z` for random layers of every kind: the mean of `w / Z` within 4 standard errors of 1.
#[test]
fn weights_of_random_layers_have_mean_z() {
    let (vocab, len) = (3, 4);
    let target = Table::random(vocab, len, 1.0, 1).unwrap();
    let log_z = exact::enumerate(&target).unwrap().log_partition();
    for seed in 0..4 {
        let layers = random_layers(vocab, len, 12, seed).unwrap();
        let base = ProductLaw::uniform(vocab, len);
        let logs = run_flow(&base, &layers, &target, 60_000, seed).unwrap();
        let weights: Vec<f64> = logs.iter().map(|log| (log - log_z).exp()).collect();
        let found = Estimate::independent(&weights);
        assert!(found.standard_error < 0.2, "{found:?}");
        assert!(found.deviation_from(1.0).abs() < 4.0, "{found:?}");
    }
    assert!(Permutation::new(vec![vec![0, 0, 1]]).is_err());
}

/// Heat-bath layers with the same target in both directions are annealed importance sampling (E24): the same law of
/// weights as [`Annealing`] along the same levels.
#[test]
fn layers_of_one_target_are_importance_sampling() {
    let table = Table::random(3, 4, 1.5, 4).unwrap();
    let base = ProductLaw::uniform(3, 4);
    let levels = Levels::linear(2).unwrap();
    let layers: Vec<Box<dyn Layer + '_>> = levels
        .sweeps(4)
        .flatten()
        .map(|step| -> Box<dyn Layer> {
            let between = AnnealedTarget { target: &table, base: &base, level: step.to };
            Box::new(HeatBathLayer { site: step.block, forward: between, backward: between })
        })
        .collect();
    let n = 20_000;
    let flow = run_flow(&base, &layers, &table, n, 1).unwrap();
    let mut particles = Particles::new(&table, &base, n, 1).unwrap();
    let annealing = Annealing { increment: Increment::Annealed, ..Annealing::default() };
    let found = annealing.run(&mut particles, &levels, &mut unwatched).unwrap();
    // The same random numbers in the same order: path by path.
    for (flow, annealed) in flow.iter().zip(&found.log_weights) {
        assert!((flow - annealed).abs() < 1e-9, "{flow} for {annealed}");
    }
}

/// Layers whose targets forbid states: `E w = Z` still, summed over every path.
#[test]
fn layers_may_forbid_states() {
    let hard = || Table::new(2, 1, vec![f64::NEG_INFINITY, -1.0]).unwrap();
    let two = Table::new(2, 1, vec![0.0, 0.0]).unwrap();
    let layers: Vec<Box<dyn Layer>> = vec![Box::new(MetropolisLayer { site: 0, target: hard() })];
    let found = run_flow(&ProductLaw::uniform(2, 1), &layers, &two, 4000, 1).unwrap();
    // From the forbidden state nothing moves, and from the other one nothing is accepted: every weight is Z = 2.
    assert!(found.iter().all(|log| (log - 2f64.ln()).abs() < 1e-12));
    let backward = Table::new(2, 1, vec![f64::NEG_INFINITY; 2]).unwrap();
    let layers: Vec<Box<dyn Layer>> = vec![Box::new(HeatBathLayer { site: 0, forward: two.clone(), backward })];
    let failed = run_flow(&ProductLaw::uniform(2, 1), &layers, &two, 9, 1);
    assert!(matches!(failed, Err(EnergyError::NoLaw { row: 0, site: 0, mass: 0.0, .. })), "{failed:?}");
}
