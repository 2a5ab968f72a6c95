//! `glauber-lab experiment couplings`: Ising couplings from heat-bath draws, beside the null model
//! and the Cramér–Rao bound (E17).
//!
//! The score is `−ln RMSE` over all `D²` entries of `J`, where `J = σA` of a torus: each bond counts
//! twice.

use std::time::Instant;

use clap::Args;
use glauber_chain::oracles::{Ising, Lattice};
use glauber_chain::statistics::Estimate;
use glauber_chain::{ChainRng, Chains, HeatBath, ReverseKernel};
use glauber_energy::{CouplingFit, Gibbs, coupling_score, cramer_rao_score};
use glauber_program::progress::say;
use glauber_run::check_count;
use glauber_schedule::{Boundary, SiteOrder};
use glauber_tokens::{Token, TokenBatch};

#[derive(Debug, Args)]
pub struct Flags {
    /// Draws of each model, each from its own chain
    #[arg(short = 'n', long, default_value_t = 2000)]
    pub samples: usize,
    /// Number of repetitions, each with its own draws
    #[arg(long, default_value_t = 4)]
    pub seeds: u64,
    /// Weight of the L1 penalty
    #[arg(long, default_value_t = 0.05, allow_negative_numbers = true)]
    pub penalty: f64,
    /// Drop couplings below this size before the refit. Default: 4.5 standard errors of a zero
    #[arg(long, allow_negative_numbers = true)]
    pub threshold: Option<f64>,
}

/// Side of a torus, σ, and sweeps of its chains.
const MODELS: [(usize, f64, usize); 7] =
    [(10, 0.1, 50), (10, 0.2, 200), (10, 0.3, 300), (10, 0.4, 300), (10, 0.5, 300), (9, -0.1, 50), (9, -0.2, 100)];

/// Draws, fits, and prints a Markdown table.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    check_count("--samples", flags.samples)?;
    check_count("--seeds", flags.seeds as usize)?;
    let fit = CouplingFit { penalty: flags.penalty, threshold: flags.threshold, ..CouplingFit::default() };
    let threshold = flags.threshold.map_or("4.5 standard errors".into(), |threshold| threshold.to_string());
    say(&format!(
        "{} chains of heat bath from uniform spins; penalty {}, threshold {threshold}; {} repetitions\n",
        flags.samples, flags.penalty, flags.seeds
    ));
    say("| torus | σ | sweeps | penalised | threshold, refit | ± | pairs (true) | J = 0 | known support | unknown | \
         seconds a fit |");
    say("|---|---|---|---|---|---|---|---|---|---|---|");
    for (side, sigma, sweeps) in MODELS {
        say(&row(side, sigma, sweeps, flags, &fit)?);
    }
    Ok(())
}

fn row(side: usize, sigma: f64, sweeps: usize, flags: &Flags, fit: &CouplingFit) -> anyhow::Result<String> {
    let (rows, seeds) = (flags.samples, flags.seeds);
    let lattice = Lattice::new(side, side, Boundary::Torus)?;
    let sites = lattice.sites();
    let mut truth = vec![0.0; sites * sites];
    for (a, b) in lattice.bonds() {
        (truth[a * sites + b], truth[b * sites + a]) = (sigma, sigma);
    }
    let bonds = lattice.bonds().count();
    let ising = Ising::new(lattice, 2.0 * sigma, 0.0)?; // each bond counts twice in J
    let order = SiteOrder::round_robin(sites, sweeps)?;
    let (mut penalised, mut refitted, mut pairs, mut seconds) = (Vec::new(), Vec::new(), Vec::new(), 0.0);
    for seed in 0..seeds {
        let mut starts = TokenBatch::filled(rows, sites, 0);
        let mut rng = ChainRng::new(seed, 1 << 40);
        starts.as_mut_slice().iter_mut().for_each(|spin| *spin = rng.below(2) as Token);
        let mut chains = Chains::seeded(starts, seed);
        HeatBath::default().run_parallel(&Gibbs(&ising), &mut chains, &order, 0..order.horizon())?;
        let start = Instant::now();
        let found = fit.run(chains.tokens())?;
        seconds += start.elapsed().as_secs_f64() / seeds as f64;
        penalised.push(coupling_score(&found.penalised, &truth)?);
        refitted.push(coupling_score(&found.couplings, &truth)?);
        pairs.push(found.pairs as f64);
    }
    let [first, second, pairs] = [&penalised, &refitted, &pairs].map(|values| Estimate::independent(values));
    let null = coupling_score(&vec![0.0; truth.len()], &truth)?;
    let known = cramer_rao_score(rows, sites, 2 * bonds)?;
    let unknown = cramer_rao_score(rows, sites, sites * sites)?;
    Ok(format!(
        "| {side}² | {sigma} | {sweeps} | {:.2} | {:.2} | {:.2} | {:.1} ({bonds}) | {null:.2} | {known:.2} | \
         {unknown:.2} | {seconds:.1} |",
        first.mean, second.mean, second.standard_error, pairs.mean
    ))
}
