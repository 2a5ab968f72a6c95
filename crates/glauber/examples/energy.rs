//! A target given by an energy: heat bath samples it, with nothing learned and no data.
//!
//! `cargo run --release -p glauber --example energy`

use glauber::chain::{ChainError, Chains, HeatBath, ReverseKernel, SiteConditional, TokenRows};
use glauber::schedule::SiteOrder;
use glauber::tokens::{Site, Step, Token, TokenBatch};

const SITES: usize = 6;
const TOKENS: usize = 3;

/// Six beads on a ring, each in one of three states: `P(x) ∝ exp(−E(x))`.
struct Ring;

fn energy(x: &[Token]) -> f64 {
    let bond = |i: usize| if x[i] == x[(i + 1) % SITES] { -0.8 } else { 0.0 };
    (0..SITES).map(|i| bond(i) + 0.3 * f64::from(x[i])).sum()
}

impl SiteConditional for Ring {
    fn vocab(&self) -> usize {
        TOKENS
    }

    fn len(&self) -> usize {
        SITES
    }

    /// `ln P(x_i = a | the others) = −E(x with x_i = a) + const`, shape `[row, asked site, token]`. The step does not matter here.
    fn log_conditionals(
        &self,
        rows: TokenRows<'_>,
        _: Step,
        sites: &[Site],
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        let asked = rows.iter().flat_map(|row| sites.iter().map(move |&site| (row, site)));
        for ((row, site), law) in asked.zip(out.chunks_exact_mut(TOKENS)) {
            let mut x = row.to_vec();
            for (token, log) in law.iter_mut().enumerate() {
                x[site] = token as Token;
                *log = -energy(&x);
            }
            let mass: f64 = law.iter().map(|log| log.exp()).sum();
            law.iter_mut().for_each(|log| *log -= mass.ln());
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (chains_run, sweeps) = (50_000, 30);
    let mut chains = Chains::seeded(TokenBatch::filled(chains_run, SITES, 0), 1); // all beads in state 0, seed 1
    let order = SiteOrder::round_robin(SITES, sweeps)?;
    HeatBath::default().run_parallel(&Ring, &mut chains, &order, 0..order.horizon())?;
    let found = chains.tokens().iter().map(energy).sum::<f64>() / chains_run as f64;

    let states = TOKENS.pow(SITES as u32);
    let sequence =
        |state: usize| (0..SITES).map(|i| (state / TOKENS.pow(i as u32) % TOKENS) as Token).collect::<Vec<_>>();
    let energies: Vec<f64> = (0..states).map(|state| energy(&sequence(state))).collect();
    let partition: f64 = energies.iter().map(|e| (-e).exp()).sum();
    let exact = energies.iter().map(|e| e * (-e).exp()).sum::<f64>() / partition;
    println!("mean energy: {found:.4} sampled, {exact:.4} by enumeration of {states} states");
    assert!((found - exact).abs() < 0.03);
    Ok(())
}
