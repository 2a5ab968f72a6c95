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

    /// `ln P(x_i = a | the others) = −E(x with x_i = a) + const`, shape `[row, requested site, token]`.
    /// The step does not matter here.
    fn log_conditionals(&self, xs: TokenRows<'_>, _: Step, sites: &[Site], out: &mut [f64]) -> Result<(), ChainError> {
        let asked = xs.iter().flat_map(|x| sites.iter().map(move |&site| (x, site)));
        for ((x, site), law) in asked.zip(out.chunks_exact_mut(TOKENS)) {
            let mut x = x.to_vec();
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

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut chains = Chains::seeded(TokenBatch::filled(50_000, SITES, 0), 1); // all beads in state 0, seed 1
    let order = SiteOrder::round_robin(SITES, 30)?; // 30 sweeps
    HeatBath::default().run_parallel(&Ring, &mut chains, &order, 0..order.horizon())?;
    let found = chains.tokens().iter().map(energy).sum::<f64>() / chains.rows() as f64;
    let (mut partition, mut sum) = (0.0, 0.0);
    for state in 0..TOKENS.pow(SITES as u32) {
        let x: Vec<Token> = (0..SITES).map(|i| (state / TOKENS.pow(i as u32) % TOKENS) as Token).collect();
        partition += (-energy(&x)).exp();
        sum += energy(&x) * (-energy(&x)).exp();
    }
    println!("mean energy: {found:.4} sampled, {:.4} by enumeration", sum / partition);
    assert!((found - sum / partition).abs() < 0.03);
    Ok(())
}
