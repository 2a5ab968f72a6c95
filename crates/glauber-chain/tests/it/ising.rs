//! Glauber dynamics of the two-dimensional Ising and Potts models against exact results.

use crate::significance::chi_square_p;
use glauber_chain::oracles::{Ising, Lattice, Potts, kaufman_energy, onsager_energy, yang_magnetisation};
use glauber_chain::statistics::{ChiSquare, SeriesEstimate, series_estimate};
use glauber_chain::{Chains, HeatBath, ReverseKernel, SiteConditional, TokenRows};
use glauber_schedule::{Boundary, SiteOrder};
use glauber_tokens::TokenBatch;

const SIDE: usize = 64;
const CHAINS: usize = 8;

/// Energy per spin and absolute magnetisation, measured every 4 sweeps. Chains start ordered.
fn simulate(coupling: f64, burn_in: usize, sweeps: usize) -> (SeriesEstimate, SeriesEstimate) {
    let lattice = Lattice::new(SIDE, SIDE, Boundary::Torus).unwrap();
    let ising = Ising::new(lattice, coupling, 0.0).unwrap();
    let order = ising.lattice().order(4).unwrap();
    let spins = SIDE * SIDE;
    let mut chains = Chains::seeded(TokenBatch::filled(CHAINS, spins, 1), 2024);
    let mut energies = vec![Vec::new(); CHAINS];
    let mut magnetisations = vec![Vec::new(); CHAINS];
    for sweep in (0..burn_in + sweeps).step_by(4) {
        HeatBath::default().run_parallel(&ising, &mut chains, &order, 0..order.horizon()).unwrap();
        if sweep < burn_in {
            continue;
        }
        for (row, tokens) in chains.tokens().iter().enumerate() {
            energies[row].push(ising.bond_energy(tokens) / spins as f64);
            magnetisations[row].push(ising.magnetisation(tokens).abs());
        }
    }
    (series_estimate(&energies), series_estimate(&magnetisations))
}

#[test]
fn energy_agrees_with_onsager_and_kaufman_away_from_criticality() {
    for coupling in [0.3, 0.6] {
        let (energy, magnetisation) = simulate(coupling, 1000, 4000);
        let estimate = energy.estimate;
        assert!(estimate.standard_error < 1e-3, "{energy:?}");
        let infinite = onsager_energy(coupling);
        assert!(estimate.deviation_from(infinite).abs() < 3.0, "{energy:?} against {infinite}");
        let torus = kaufman_energy(SIDE, SIDE, coupling).unwrap();
        assert!(estimate.deviation_from(torus).abs() < 3.0, "{energy:?} against {torus}");
        // The test can fail: a coupling 1% off is seen.
        assert!(estimate.deviation_from(onsager_energy(1.01 * coupling)).abs() > 3.0);
        if coupling > 0.5 {
            let yang = yang_magnetisation(coupling);
            let deviation = magnetisation.estimate.deviation_from(yang);
            assert!(deviation.abs() < 3.0, "{magnetisation:?} against {yang}");
        }
    }
}

/// Near the critical point the torus differs visibly from the infinite lattice: the finite formula is the reference.
#[test]
fn energy_agrees_with_kaufman_at_criticality() {
    let coupling = 0.4406868;
    let (energy, _) = simulate(coupling, 6000, 24_000);
    let torus = kaufman_energy(SIDE, SIDE, coupling).unwrap();
    assert!(energy.estimate.deviation_from(torus).abs() < 3.0, "{energy:?} against {torus}");
    assert!(energy.estimate.standard_error < 5e-3, "{energy:?}");
    // Slower than far from the critical point, in units of 4 sweeps.
    assert!(energy.autocorrelation_time > 10.0, "{energy:?}");
}

/// Heat bath on a 2 × 3 lattice against the listed law, at level 1e-3, for orders of single sites and of blocks.
#[test]
fn small_lattices_follow_their_listed_law() {
    for boundary in [Boundary::Open, Boundary::Torus] {
        let lattice = Lattice::new(2, 3, boundary).unwrap();
        let ising = Ising::new(lattice.clone(), 0.4, 0.2).unwrap();
        let weight = |tokens: &[u32]| ising.log_weight(tokens).exp();
        let p = listed_fit(&ising, &ising.lattice().order(40).unwrap(), weight);
        assert!(p > 1e-3, "{p}");
        let potts = Potts::new(lattice, 3, 0.7).unwrap();
        let weight = |tokens: &[u32]| (-potts.coupling() * potts.bond_energy(tokens)).exp();
        let order = SiteOrder::permutation(6, 40, 3).unwrap();
        assert!(listed_fit(&potts, &order, weight) > 1e-3);
        // The test can fail: another coupling is rejected.
        let wrong = |tokens: &[u32]| (-0.6 * potts.bond_energy(tokens)).exp();
        assert!(listed_fit(&potts, &order, wrong) < 1e-9);
    }
}

fn listed_fit<C: SiteConditional + Sync>(model: &C, order: &SiteOrder, weight: impl Fn(&[u32]) -> f64) -> f64 {
    let (vocab, len) = (model.vocab(), model.len());
    let mut chains = Chains::seeded(TokenBatch::filled(20_000, len, 0), 6);
    HeatBath::default().run_parallel(model, &mut chains, order, 0..order.horizon()).unwrap();
    let states = vocab.pow(len as u32);
    let sequence =
        |state: usize| -> Vec<u32> { (0..len).map(|site| (state / vocab.pow(site as u32) % vocab) as u32).collect() };
    let weights: Vec<f64> = (0..states).map(|state| weight(&sequence(state))).collect();
    let sum: f64 = weights.iter().sum();
    let law: Vec<f64> = weights.iter().map(|w| w / sum).collect();
    let mut counts = vec![0; states];
    for row in chains.tokens().iter() {
        counts[row.iter().rev().fold(0, |state, &a| state * vocab + a as usize)] += 1;
    }
    chi_square_p(ChiSquare::goodness_of_fit(&counts, &law).unwrap())
}

#[test]
fn two_colours_are_the_ising_model_at_half_the_coupling() {
    let lattice = Lattice::new(4, 5, Boundary::Open).unwrap();
    let potts = Potts::new(lattice.clone(), 2, 0.8).unwrap();
    let ising = Ising::new(lattice, 0.4, 0.0).unwrap();
    let tokens: Vec<u32> = (0..20).map(|site| (site * 7 % 3) & 1).collect();
    let sites: Vec<usize> = (0..20).collect();
    let (mut a, mut b) = (vec![0.0; 40], vec![0.0; 40]);
    let rows = TokenRows::new(&tokens, 20);
    potts.log_conditionals(rows, 0, &sites, &mut a).unwrap();
    ising.log_conditionals(rows, 0, &sites, &mut b).unwrap();
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-12));
    ising.conditionals(rows, 0, &sites, &mut a).unwrap();
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b.exp()).abs() < 1e-12));
}
