//! `glauber-lab experiment ais`: annealed importance sampling, its Rao–Blackwellised form and particle filters on the
//! 16 × 16 Ising model, beside Kaufman's exact values.

use std::ops::ControlFlow;
use std::time::Instant;

use clap::Args;
use glauber_chain::oracles::{Ising, Lattice, kaufman_energy, kaufman_log_partition};
use glauber_chain::statistics::Estimate;
use glauber_chain::{Chains, HeatBath, MultiSpin, ReverseKernel};
use glauber_energy::{
    Annealed, Annealing, Increment, IsingBits, Levels, Mean, Model, Particles, ProductLaw, Study, StudySettings,
    SwendsenWang, Table, exact, random_layers, run_flow, two_sided, unwatched,
};
use glauber_program::progress::say;
use glauber_schedule::Boundary;
use glauber_tokens::TokenBatch;

/// Side of the torus.
const SIDE: usize = 16;
/// Couplings: high temperature, critical, low temperature.
const COUPLINGS: [f64; 3] = [0.28, 0.4407, 0.6];

#[derive(Debug, Args)]
pub struct Flags {
    /// Particles of a run, a multiple of 64
    #[arg(short = 'n', long, default_value_t = 256)]
    particles: usize,
    /// Runs per row of the table of errors. The table of intervals has ten times as many
    #[arg(long, default_value_t = 20)]
    runs: u64,
    /// Most sweeps of an annealing
    #[arg(long, default_value_t = 4096)]
    sweeps: usize,
}

const PLAIN: Annealing = Annealing { increment: Increment::Annealed, resample_below: None, seed: 0 };
const RAO: Annealing = Annealing { increment: Increment::RaoBlackwell, resample_below: None, seed: 0 };
const SMC: Annealing = Annealing { increment: Increment::RaoBlackwell, resample_below: Some(0.5), seed: 0 };

fn torus(coupling: f64) -> anyhow::Result<Ising> {
    Ok(Ising::new(Lattice::new(SIDE, SIDE, Boundary::Torus)?, coupling, 0.0)?)
}

fn annealed(
    settings: Annealing,
    ising: &Ising,
    particles: usize,
    levels: &Levels,
    seed: u64,
) -> anyhow::Result<Annealed> {
    let mut bits = IsingBits::new(ising, particles, seed)?;
    Ok(Annealing { seed, ..settings }.run(&mut bits, levels, &mut unwatched)?)
}

/// Prints the tables.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    say(&format!("Ising model, {SIDE} x {SIDE} torus, {} particles in multi-spin coding\n", flags.particles));
    increments(flags)?;
    errors(flags)?;
    coverage(flags)?;
    bounds(flags)?;
    chains()?;
    flows()?;
    speed(flags)
}

/// Sweeps 64, 256, 1024 … up to the most.
fn lengths(flags: &Flags) -> impl Iterator<Item = usize> {
    let most = flags.sweeps;
    (0..).map(|power| 64 << (2 * power)).take_while(move |&sweeps| sweeps <= most)
}

/// Effective share and variance by increment, linear levels.
fn increments(flags: &Flags) -> anyhow::Result<()> {
    say(
        "| coupling | sweeps | ESS: a level a sweep | a level a half-sweep | (E25) | Var log w: a level a sweep | (E25) | log Ẑ − log Z, (E25) |",
    );
    say("|---|---|---|---|---|---|---|---|");
    for coupling in COUPLINGS {
        let (ising, exact) = (torus(coupling)?, kaufman_log_partition(SIDE, SIDE, coupling)?);
        for sweeps in lengths(flags) {
            let levels = Levels::linear(sweeps)?;
            let of = |settings, levels: &Levels| annealed(settings, &ising, flags.particles, levels, 1);
            let [coarse, plain, rao] = [of(PLAIN, &levels.clone().by_sweep())?, of(PLAIN, &levels)?, of(RAO, &levels)?];
            let [a, b, c] = [&coarse, &plain, &rao].map(|found| found.log_partition.effective_share);
            let [first, last] = [&coarse, &rao].map(|found| variance(&found.log_weights));
            let off = rao.log_partition.estimate - exact;
            say(&format!("| {coupling} | {sweeps} | {a:.2} | {b:.2} | {c:.2} | {first:.3} | {last:.3} | {off:+.3} |"));
        }
    }
    Ok(())
}

/// Errors of importance sampling and of filters, linear and adapted levels.
fn errors(flags: &Flags) -> anyhow::Result<()> {
    say(&format!("\nRoot mean square error of log Z over {} seeds, (E25), nats:\n", flags.runs));
    say("| coupling | sweeps | AIS, linear | AIS, adapted | SMC, linear | SMC, adapted |");
    say("|---|---|---|---|---|---|");
    for coupling in COUPLINGS {
        let (ising, exact) = (torus(coupling)?, kaufman_log_partition(SIDE, SIDE, coupling)?);
        for sweeps in lengths(flags).filter(|&sweeps| sweeps <= 1024) {
            let linear = Levels::linear(sweeps)?;
            let adapted =
                Levels::from_pilot(&mut IsingBits::new(&ising, 256, 999)?, 0.99, 4096, sweeps, &mut unwatched)?;
            let mut cells = String::new();
            for settings in [RAO, SMC] {
                for levels in [&linear, &adapted] {
                    let mut sum = 0.0;
                    for seed in 0..flags.runs {
                        let found = annealed(settings, &ising, flags.particles, levels, seed)?;
                        sum += (found.log_partition.estimate - exact).powi(2);
                    }
                    cells += &format!(" {:.3} |", (sum / flags.runs as f64).sqrt());
                }
            }
            say(&format!("| {coupling} | {sweeps} |{cells}"));
        }
    }
    Ok(())
}

/// How often intervals of 95 % hold the exact value.
fn coverage(flags: &Flags) -> anyhow::Result<()> {
    let runs = 10 * flags.runs;
    say(&format!("\nIntervals of 95 % that hold the exact value, of {runs} runs:\n"));
    say("| coupling | sweeps | method | covers | mean width, nats |");
    say("|---|---|---|---|---|");
    for (coupling, sweeps, settings, name) in
        [(0.28, 64, RAO, "AIS"), (0.28, 64, SMC, "SMC"), (0.4407, 1024, RAO, "AIS"), (0.4407, 1024, SMC, "SMC")]
    {
        let (ising, exact) = (torus(coupling)?, kaufman_log_partition(SIDE, SIDE, coupling)?);
        let levels = Levels::linear(sweeps)?;
        let (mut covered, mut width) = (0, 0.0);
        for seed in 0..runs {
            let [low, high] = annealed(settings, &ising, flags.particles, &levels, 1000 + seed)?.log_partition.interval;
            covered += u64::from(low <= exact && exact <= high);
            width += (high - low) / runs as f64;
        }
        say(&format!(
            "| {coupling} | {sweeps} | {name} | {:.1} % | {width:.3} |",
            100.0 * covered as f64 / runs as f64
        ));
    }
    Ok(())
}

/// Bounds from both sides, the upper one from cluster updates.
fn bounds(flags: &Flags) -> anyhow::Result<()> {
    say("\nBounds from both sides, 256 chains each, 256 linear sweeps, (E25):\n");
    say("| coupling | lower | exactly | upper |");
    say("|---|---|---|---|");
    for coupling in COUPLINGS {
        let (ising, exact) = (torus(coupling)?, kaufman_log_partition(SIDE, SIDE, coupling)?);
        let samples = SwendsenWang::ising(&ising)?.sample(256, 100, 1);
        let (base, levels) = (ProductLaw::uniform(2, SIDE * SIDE), Levels::linear(256.min(flags.sweeps))?);
        let found = two_sided(&ising, &base, &samples, &levels, Increment::RaoBlackwell, 1)?;
        let show = |side: Estimate| format!("{:.3} ± {:.3}", side.mean, side.standard_error);
        say(&format!("| {coupling} | {} | {exact:.3} | {} |", show(found.lower()), show(found.upper())));
    }
    Ok(())
}

/// Means of heat bath through a target, beside Kaufman's energy and the means of cluster updates.
fn chains() -> anyhow::Result<()> {
    say(
        "\nHeat bath through a target, 32 chains of 20,000 sweeps, and 4000 cluster updates; deviations in standard errors:\n",
    );
    say("| coupling | energy a site | exactly | deviation | magnetisation² | by clusters | deviation |");
    say("|---|---|---|---|---|---|---|");
    let settings = StudySettings { particles: 256, sweeps: 256, chains: 32, burn_in: 500, ..StudySettings::default() };
    for coupling in COUPLINGS {
        let means = |sweeps: bool| -> anyhow::Result<Vec<Mean>> {
            let mut model = Model::ising(Lattice::new(SIDE, SIDE, Boundary::Torus)?, coupling, 0.0)?;
            if sweeps {
                model.moves = None;
            }
            let settings = StudySettings { updates: if sweeps { 20_000 } else { 4000 }, ..settings.clone() };
            Ok(Study::of(&model, &settings, &mut |_| ControlFlow::Continue(()))?.means)
        };
        let (sweeps, clusters) = (means(true)?, means(false)?);
        let (energy, square, other) = (&sweeps[0], &sweeps[2], &clusters[2]);
        let exact = kaufman_energy(SIDE, SIDE, coupling)?;
        let off = (energy.mean - exact) / energy.standard_error;
        let apart = (square.mean - other.mean) / square.standard_error.hypot(other.standard_error);
        let show = |mean: &Mean| format!("{:.4} ± {:.4}", mean.mean, mean.standard_error);
        say(&format!(
            "| {coupling} | {} | {exact:.4} | {off:+.1} | {} | {} | {apart:+.1} |",
            show(energy),
            show(square),
            show(other)
        ));
    }
    Ok(())
}

/// `E w / Z` of layers that have nothing to do with the target.
fn flows() -> anyhow::Result<()> {
    let target = Table::random(3, 4, 1.0, 1)?;
    let (base, log_z) = (ProductLaw::uniform(3, 4), exact::enumerate(&target)?.log_partition());
    say(
        "\nFlows of 12 random layers (heat bath, Metropolis, permutations) to a table of 3 tokens and 4 sites, 60,000 paths:\n",
    );
    say("| seed | mean of w / Z | deviation from 1 in standard errors |");
    say("|---|---|---|");
    for seed in 0..4 {
        let logs = run_flow(&base, &random_layers(3, 4, 12, seed)?, &target, 60_000, seed)?;
        let weights: Vec<f64> = logs.iter().map(|log| (log - log_z).exp()).collect();
        let found = Estimate::independent(&weights);
        say(&format!(
            "| {seed} | {:.4} ± {:.4} | {:+.1} |",
            found.mean,
            found.standard_error,
            found.deviation_from(1.0)
        ));
    }
    Ok(())
}

/// Site updates a second of annealed and plain chains, all cores.
fn speed(flags: &Flags) -> anyhow::Result<()> {
    let (ising, sweeps, particles) = (torus(0.4407)?, flags.sweeps.min(1024), 1024);
    let updates = (sweeps * particles * SIDE * SIDE) as f64;
    let levels = Levels::linear(sweeps)?;
    let timed = |act: &mut dyn FnMut() -> anyhow::Result<()>| -> anyhow::Result<f64> {
        let mut best = f64::INFINITY;
        for _ in 0..3 {
            let begun = Instant::now();
            act()?;
            best = best.min(begun.elapsed().as_secs_f64());
        }
        Ok(updates / best / 1e6)
    };
    say(&format!("\nMillion site updates a second, {particles} particles, {sweeps} sweeps, best of 3:\n"));
    say("| | plain chains | annealed, (E23) | annealed, (E25) |");
    say("|---|---|---|---|");
    let bits = timed(&mut || {
        MultiSpin::filled(&ising, particles, 1, 1)?.run_parallel(sweeps);
        Ok(())
    })?;
    let of_bits = |settings| timed(&mut || annealed(settings, &ising, particles, &levels, 1).map(drop));
    say(&format!("| one bit a spin | {bits:.0} | {:.0} | {:.0} |", of_bits(PLAIN)?, of_bits(RAO)?));
    let order = ising.lattice().order(sweeps)?;
    let tokens = timed(&mut || {
        let mut chains = Chains::seeded(TokenBatch::filled(particles, SIDE * SIDE, 1), 1);
        HeatBath::default().run_parallel(&ising, &mut chains, &order, 0..order.horizon())?;
        Ok(())
    })?;
    let base = ProductLaw::uniform(2, SIDE * SIDE);
    let of_tokens = |settings: Annealing| {
        timed(&mut || {
            let mut population = Particles::new(&ising, &base, particles, 1)?;
            settings.run(&mut population, &levels, &mut unwatched)?;
            Ok(())
        })
    };
    say(&format!("| one token a spin, any target | {tokens:.0} | {:.1} | {:.1} |", of_tokens(PLAIN)?, of_tokens(RAO)?));
    Ok(())
}

fn variance(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    Estimate::independent(values).standard_error.powi(2) * n
}
