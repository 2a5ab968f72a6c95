//! `log Z` of the Ising model by annealing, beside Kaufman's exact value.
//!
//! `cargo run --release -p glauber-energy --example ising_log_z [side] [sweeps] [particles]`

#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "a program")]

use std::time::Instant;

use glauber_chain::oracles::{Ising, Lattice, kaufman_log_partition};
use glauber_energy::{Annealing, IsingBits, Levels, unwatched};
use glauber_schedule::Boundary;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let argument = |at: usize, default: usize| -> Result<usize, std::num::ParseIntError> {
        std::env::args().nth(at).map_or(Ok(default), |text| text.parse())
    };
    let (side, sweeps, particles) = (argument(1, 16)?, argument(2, 1024)?, argument(3, 1024)?);
    println!("{side} x {side} torus, {particles} particles, {sweeps} sweeps");
    println!("  beta      exactly        found   95 % interval              effective   seconds");
    for coupling in [0.28, 0.4407, 0.6] {
        let ising = Ising::new(Lattice::new(side, side, Boundary::Torus)?, coupling, 0.0)?;
        let begun = Instant::now();
        let mut pilot = IsingBits::new(&ising, 256, 7)?;
        let levels = Levels::from_pilot(&mut pilot, 0.99, sweeps, sweeps, &mut unwatched)?;
        let settings = Annealing { resample_below: Some(0.5), ..Annealing::default() };
        let mut bits = IsingBits::new(&ising, particles, 1)?;
        let found = settings.run(&mut bits, &levels, &mut unwatched)?.log_partition;
        println!(
            "{coupling:>6}  {:>11.4}  {:>11.4}   {:>11.4} {:>11.4}      {:>6.1} %  {:>8.2}",
            kaufman_log_partition(side, side, coupling)?,
            found.estimate,
            found.interval[0],
            found.interval[1],
            100.0 * found.effective_share,
            begun.elapsed().as_secs_f64(),
        );
    }
    Ok(())
}
