//! Simulates the two-dimensional Ising model by heat bath and compares it with exact results.
//!
//! `cargo run --release -p glauber-chain --example ising [side] [sweeps] [chains]`

#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "a program")]

use std::time::Instant;

use glauber_chain::oracles::{Ising, Lattice, critical_coupling, kaufman_energy, onsager_energy, yang_magnetisation};
use glauber_chain::statistics::{SeriesEstimate, series_estimate};
use glauber_chain::{Chains, HeatBath, ReverseKernel};
use glauber_schedule::Boundary;
use glauber_tokens::TokenBatch;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let argument = |at: usize, default: usize| -> Result<usize, std::num::ParseIntError> {
        std::env::args().nth(at).map_or(Ok(default), |text| text.parse())
    };
    let (side, sweeps, chains) = (argument(1, 64)?, argument(2, 10_000)?, argument(3, 16)?);
    println!("{side} x {side} torus, {chains} chains of {sweeps} sweeps after {} of burn-in", sweeps / 4);
    println!("     beta     energy ± error    infinite   {side:>4}-torus     |m| ± error      Yang  updates/s");
    for coupling in [0.2, 0.3, 0.4, critical_coupling(), 0.5, 0.6] {
        let lattice = Lattice::new(side, side, Boundary::Torus)?;
        let ising = Ising::new(lattice, coupling, 0.0)?;
        let (energy, magnetisation, rate) = simulate(&ising, sweeps, chains)?;
        println!(
            "{coupling:>9.6}  {:>9.6} ± {:.6}  {:>9.6}  {:>9.6}   {:.5} ± {:.5}   {:.5}  {:>6.1} M",
            energy.estimate.mean,
            energy.estimate.standard_error,
            onsager_energy(coupling),
            kaufman_energy(side, side, coupling)?,
            magnetisation.estimate.mean,
            magnetisation.estimate.standard_error,
            yang_magnetisation(coupling),
            rate / 1e6,
        );
    }
    Ok(())
}

/// Energy per spin and absolute magnetisation, each measured every few sweeps, and updates per second without the measurements.
fn simulate(
    ising: &Ising,
    sweeps: usize,
    count: usize,
) -> Result<(SeriesEstimate, SeriesEstimate, f64), Box<dyn std::error::Error>> {
    const BETWEEN: usize = 5;
    let spins = ising.lattice().sites();
    let order = ising.lattice().order(BETWEEN)?;
    let mut chains = Chains::seeded(TokenBatch::filled(count, spins, 1), 1);
    let mut energies = vec![Vec::new(); count];
    let mut magnetisations = vec![Vec::new(); count];
    let (mut updates, mut seconds) = (0, 0.0);
    for sweep in (0..sweeps + sweeps / 4).step_by(BETWEEN) {
        let start = Instant::now();
        let steps = 0..order.horizon();
        updates += HeatBath::default().run_parallel(ising, &mut chains, &order, steps)?.updates;
        seconds += start.elapsed().as_secs_f64();
        if sweep < sweeps / 4 {
            continue;
        }
        for (row, tokens) in chains.tokens().iter().enumerate() {
            energies[row].push(ising.bond_energy(tokens) / spins as f64);
            magnetisations[row].push(ising.magnetisation(tokens).abs());
        }
    }
    Ok((series_estimate(&energies), series_estimate(&magnetisations), updates as f64 / seconds))
}
