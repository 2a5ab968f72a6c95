//! Site updates per second of the heat-bath chain on the two-dimensional Ising and Potts models, on one core and on all.
//!
//! `cargo run --release -p glauber-chain --example ising_speed [side] [chains]`

#![allow(clippy::disallowed_macros, clippy::disallowed_methods, reason = "a program")]

use std::time::{Duration, Instant};

use glauber_chain::oracles::{Ising, Lattice, Potts, critical_coupling};
use glauber_chain::{
    ChainError, Chains, HeatBath, MultiSpin, ReverseKernel, SiteConditional, StepDiagnostics, TokenRows,
};
use glauber_schedule::{Boundary, SiteOrder};
use glauber_tokens::{Site, Step, TokenBatch};

/// Other programs disturb: the fastest of the short stretches in a longer time counts.
const STRETCH: Duration = Duration::from_millis(1);
const TIME: Duration = Duration::from_secs(2);

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let argument = |at: usize, default: usize| -> Result<usize, std::num::ParseIntError> {
        std::env::args().nth(at).map_or(Ok(default), |text| text.parse())
    };
    let (side, chains) = (argument(1, 64)?, argument(2, 64)?);
    let cores = rayon::current_num_threads();
    println!(
        "{side} x {side} torus, millions of site updates per second: one core with one chain (64 in multi-spin coding),"
    );
    println!("and {cores} cores with {chains} chains ({} in multi-spin coding)", 64 * cores * 4);
    let lattice = Lattice::new(side, side, Boundary::Torus)?;
    let (one_site, classes) = (SiteOrder::round_robin(side * side, 1)?, lattice.order(1)?);
    let ising = Ising::new(lattice.clone(), critical_coupling(), 0.0)?;
    println!("Ising, one site a step, laws written out  {}", chain(&WrittenOut(&ising), &one_site, chains)?);
    println!("Ising, one site a step                    {}", chain(&ising, &one_site, chains)?);
    println!("Ising, colour classes, laws written out   {}", chain(&WrittenOut(&ising), &classes, chains)?);
    println!("Ising, colour classes                     {}", chain(&ising, &classes, chains)?);
    for colours in [3, 8] {
        let potts = Potts::new(lattice.clone(), colours, (1.0 + (colours as f64).sqrt()).ln())?;
        println!("Potts, {colours} colours, one site a step         {}", chain(&potts, &one_site, chains)?);
        println!("Potts, {colours} colours, colour classes          {}", chain(&potts, &classes, chains)?);
    }
    println!("Ising, multi-spin coding                  {}", multi_spin(&ising, cores)?);
    Ok(())
}

/// A model that hides its table of laws.
struct WrittenOut<'a, C>(&'a C);

impl<C: SiteConditional> SiteConditional for WrittenOut<'_, C> {
    fn vocab(&self) -> usize {
        self.0.vocab()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn log_conditionals(
        &self,
        rows: TokenRows<'_>,
        t: Step,
        sites: &[Site],
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        self.0.log_conditionals(rows, t, sites, out)
    }

    fn conditionals(&self, rows: TokenRows<'_>, t: Step, sites: &[Site], out: &mut [f64]) -> Result<(), ChainError> {
        self.0.conditionals(rows, t, sites, out)
    }
}

fn chain<C: SiteConditional + Sync>(model: &C, order: &SiteOrder, count: usize) -> Outcome<String> {
    let kernel = HeatBath::default();
    let start = |count| Chains::seeded(TokenBatch::filled(count, model.len(), 1), 1);
    let (mut one, mut many) = (start(1), start(count));
    let alone = rate(|| Ok(kernel.run(model, &mut one, order, 0..order.horizon())?))?;
    let together = rate(|| Ok(kernel.run_parallel(model, &mut many, order, 0..order.horizon())?))?;
    Ok(format!("{alone:>9.1} {together:>9.1}"))
}

fn multi_spin(ising: &Ising, cores: usize) -> Outcome<String> {
    let mut one = MultiSpin::filled(ising, 64, 1, 1)?;
    let mut many = MultiSpin::filled(ising, 64 * cores * 4, 1, 1)?;
    let alone = rate(|| Ok(one.run(10)))?;
    let together = rate(|| Ok(many.run_parallel(10)))?;
    Ok(format!("{alone:>9.1} {together:>9.1}"))
}

/// Millions of updates per second.
fn rate(mut run: impl FnMut() -> Outcome<StepDiagnostics>) -> Outcome<f64> {
    let (begin, mut best) = (Instant::now(), 0.0f64);
    while begin.elapsed() < TIME {
        let (start, mut updates) = (Instant::now(), 0);
        while start.elapsed() < STRETCH {
            updates += run()?.updates;
        }
        best = best.max(updates as f64 / start.elapsed().as_secs_f64());
    }
    Ok(best / 1e6)
}
