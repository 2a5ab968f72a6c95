use glauber_chain::oracles::{Ising, Lattice};
use glauber_chain::{Chains, HeatBath, ReverseKernel};
use glauber_energy::{CouplingFit, Gibbs, coupling_score, cramer_rao_score};
use glauber_schedule::{Boundary, SiteOrder};
use glauber_tokens::TokenBatch;

/// Heat-bath draws of a torus with `J = σA`, and `J`: the Ising model at `β = 2σ`.
fn torus(side: usize, sigma: f64, rows: usize, sweeps: usize) -> (TokenBatch, Vec<f64>) {
    let lattice = Lattice::new(side, side, Boundary::Torus).unwrap();
    let sites = side * side;
    let mut couplings = vec![0.0; sites * sites];
    for (a, b) in lattice.bonds() {
        couplings[a * sites + b] += sigma;
        couplings[b * sites + a] += sigma;
    }
    let ising = Ising::new(lattice, 2.0 * sigma, 0.0).unwrap();
    let mut chains = Chains::seeded(TokenBatch::filled(rows, sites, 0), 7);
    let order = SiteOrder::round_robin(sites, sweeps).unwrap();
    HeatBath::default().run_parallel(&Gibbs(&ising), &mut chains, &order, 0..order.horizon()).unwrap();
    (chains.tokens().clone(), couplings)
}

/// Of 6² at σ = .1 and 5² at −.1: near the bound with known support (E17), far above the null
/// model.
#[test]
fn couplings_of_small_tori_are_recovered() {
    for (side, sigma) in [(6, 0.1), (5, -0.1)] {
        let sites = side * side;
        let (samples, truth) = torus(side, sigma, 2000, 60);
        let fit = CouplingFit::default().run(&samples).unwrap();
        let score = coupling_score(&fit.couplings, &truth).unwrap();
        let bound = cramer_rao_score(2000, sites, 4 * sites).unwrap();
        assert!((score - bound).abs() < 0.25, "{score} beside {bound}");
        assert_eq!(fit.pairs, 2 * sites);
        assert!(coupling_score(&fit.penalised, &truth).unwrap() < score);
        assert!(coupling_score(&vec![0.0; sites * sites], &truth).unwrap() < score - 1.0);
        for i in 0..sites {
            assert_eq!(fit.couplings[i * sites + i], 0.0);
            (0..i).for_each(|j| assert_eq!(fit.couplings[i * sites + j], fit.couplings[j * sites + i]));
        }
        assert!(fit.iterations.iter().all(|&n| n < 200), "{:?}", fit.iterations);
    }
}

/// At the optimum no direction improves the penalised loss: the subgradient condition, by
/// differences of the pseudo-log-likelihood of fits that start and stop at given couplings.
#[test]
fn fits_are_optimal_and_do_not_depend_on_threads() {
    let (samples, _) = torus(4, 0.15, 1000, 40);
    let settings = CouplingFit { penalty: 0.0, refit: false, threshold: Some(0.0), ..CouplingFit::default() };
    let free = settings.run(&samples).unwrap();
    // The logarithm of the best pseudo-likelihood falls with the penalty, and couplings shrink.
    let mut last = free.clone();
    for penalty in [0.05, 0.2, 1.0, 5.0] {
        let fit = CouplingFit { penalty, ..settings }.run(&samples).unwrap();
        let size = |fit: &[f64]| fit.iter().map(|j| j.abs()).sum::<f64>();
        assert!(fit.pseudo_log_likelihood < last.pseudo_log_likelihood);
        assert!(size(&fit.couplings) < size(&last.couplings));
        last = fit;
    }
    // Beyond the largest gradient at 0 nothing is left: |−(4/N) Σ s_i s_j| ≤ 4.
    assert!(last.couplings.iter().all(|&j| j == 0.0) && last.pairs == 0);
    assert!((last.pseudo_log_likelihood + 16.0 * 2f64.ln()).abs() < 1e-12);
    // Moments match where the fit is free (Besag): Σ_n s_j (s_i − tanh h_i) is antisymmetric in i
    // and j.
    let sites = 16;
    let mut excess = vec![0.0; sites * sites];
    for row in samples.iter() {
        let s: Vec<f64> = row.iter().map(|&token| 2.0 * f64::from(token) - 1.0).collect();
        for i in 0..sites {
            let h: f64 = (0..sites).map(|j| 2.0 * free.couplings[i * sites + j] * s[j]).sum();
            (0..sites).for_each(|j| excess[i * sites + j] += s[j] * (s[i] - h.tanh()) / 1000.0);
        }
    }
    for i in 0..sites {
        (0..i).for_each(|j| assert!((excess[i * sites + j] + excess[j * sites + i]).abs() < 1e-4));
    }
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(one.install(|| settings.run(&samples).unwrap()), free);
}

/// (E17) at the sizes of the benchmark, and the null rows.
#[test]
fn bounds_and_null_rows_have_the_numbers_of_the_design() {
    let near = |found: f64, expected: f64| assert!((found - expected).abs() < 6e-3, "{found} for {expected}");
    near(cramer_rao_score(2000, 100, 400).unwrap(), 6.10);
    near(cramer_rao_score(2000, 100, 400).unwrap(), 0.5 * (2000f64 * 100.0).ln());
    near(cramer_rao_score(2000, 100, 10_000).unwrap(), 4.49);
    near(cramer_rao_score(2000, 100, 10_000).unwrap(), (2.0 * 2000f64.sqrt()).ln());
    for (side, sigma, null) in [(10, 0.1, 3.91), (10, 0.2, 3.22), (10, 0.5, 2.30), (9, -0.1, 3.81), (9, -0.2, 3.11)] {
        let (_, truth) = torus(side, sigma, 1, 1);
        near(coupling_score(&vec![0.0; truth.len()], &truth).unwrap(), null);
    }
    assert!(cramer_rao_score(0, 1, 1).is_err() && coupling_score(&[0.0], &[0.0, 1.0]).is_err());
}

#[test]
fn bad_samples_and_settings_are_refused() {
    let refused = |fit: CouplingFit, samples: &TokenBatch| fit.run(samples).unwrap_err().to_string();
    let fit = CouplingFit::default();
    let good = TokenBatch::filled(3, 2, 1);
    assert!(refused(fit, &TokenBatch::filled(1, 2, 0)).contains("`samples` is 1"));
    assert!(refused(fit, &TokenBatch::filled(3, 1, 0)).contains("`sites` is 1"));
    assert!(refused(fit, &TokenBatch::filled(3, 2, 2)).contains("`token of a spin` is 2"));
    assert!(refused(CouplingFit { penalty: -1.0, ..fit }, &good).contains("`penalty` is -1"));
    assert!(refused(CouplingFit { threshold: Some(f64::NAN), ..fit }, &good).contains("`threshold` is NaN"));
    // Samples that are all alike have no finite optimum without a penalty; the fit still ends.
    let found = CouplingFit { penalty: 0.0, iterations: 50, ..fit }.run(&good).unwrap();
    assert!(found.couplings.iter().all(|j| j.is_finite()));
}
