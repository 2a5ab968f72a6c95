use glauber_chain::oracles::{Ising, Lattice, Potts, kaufman_energy};
use glauber_chain::statistics::{ChiSquare, series_estimate};
use glauber_energy::{SwendsenWang, correlation, exact};
use glauber_schedule::Boundary;

/// Every state of a small torus as often as it should.
#[test]
fn cluster_updates_keep_the_law() {
    let lattice = Lattice::new(3, 3, Boundary::Torus).unwrap();
    let potts = Potts::new(lattice, 2, 0.5).unwrap();
    let exact = exact::enumerate(&potts).unwrap();
    let samples = SwendsenWang::potts(&potts).unwrap().sample(50_000, 20, 1);
    let mut counts = vec![0u64; exact.probabilities().len()];
    samples.iter().for_each(|row| counts[exact.state(row)] += 1);
    let found = ChiSquare::goodness_of_fit(&counts, exact.probabilities()).unwrap();
    let degrees = found.degrees as f64;
    assert!(found.statistic < degrees + 4.0 * (2.0 * degrees).sqrt(), "{found:?}");
}

/// The row "Energy" of energies.md in small: energy within 4 standard errors of Kaufman, and the published order
/// parameters, at three temperatures.
#[test]
fn energies_and_order_parameters_are_those_of_the_references() {
    for (coupling, magnetisation, squared, far) in
        [(0.28, 0.1196, 0.0223, 0.0002), (0.4407, 0.7167, 0.549, 0.531), (0.6, 0.9734, 0.9479, 0.9475)]
    {
        let ising = Ising::new(Lattice::new(16, 16, Boundary::Torus).unwrap(), coupling, 0.0).unwrap();
        let clusters = SwendsenWang::ising(&ising).unwrap();
        let close = |f: &(dyn Fn(&[u32]) -> f64 + Sync), expected: f64, slack: f64| {
            let found = series_estimate(&clusters.series(4, 100, 1000, 2, f)).estimate;
            let off = (found.mean - expected).abs();
            assert!(off < 4.0 * found.standard_error + slack, "{coupling}: {found:?} for {expected}");
        };
        close(&|x| ising.bond_energy(x) / 256.0, kaufman_energy(16, 16, coupling).unwrap(), 0.0);
        // The references have errors of their own, three of which are allowed for.
        close(&|x| ising.magnetisation(x).abs(), magnetisation, 0.0126);
        close(&|x| ising.magnetisation(x).powi(2), squared, 0.015);
        close(&|x| correlation(ising.lattice(), x, 8), far, 0.015);
    }
}

#[test]
fn what_clusters_cannot_do_is_refused() {
    let lattice = Lattice::new(4, 4, Boundary::Torus).unwrap();
    assert!(SwendsenWang::ising(&Ising::new(lattice.clone(), 0.4, 0.1).unwrap()).is_err());
    assert!(SwendsenWang::ising(&Ising::new(lattice, -0.4, 0.0).unwrap()).is_err());
}
