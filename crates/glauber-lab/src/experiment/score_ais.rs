//! `glauber-lab experiment score-ais`: annealing whose backward kernels are learned, beside its closed form and the limit.

use std::time::Instant;

use burn::tensor::Device;
use clap::Args;
use glauber_chain::oracles::{Ising, Lattice, critical_coupling, kaufman_log_partition};
use glauber_chain::statistics::Estimate;
use glauber_descent::{LearningRateSchedule, Settings, Trainer};
use glauber_energy::{
    Annealing, Gibbs, Levels, Particles, ProductLaw, Table, Target, effective_particles, exact, unwatched,
};
use glauber_model::{Conditioning, ModelConfig, Network, Positions, Preset};
use glauber_neural::{AnnealedUpdates, BackwardTask, annealed_weights};
use glauber_program::progress::{bar, say};
use glauber_run::check_count;
use glauber_schedule::Boundary;
use glauber_train::OptimiserKind;

#[derive(Debug, Args)]
pub struct Flags {
    /// Updates of the chains on a random table of 3 tokens and 4 sites; without numbers, no table
    #[arg(long, num_args = 0.., default_values_t = [4, 16, 64])]
    updates: Vec<usize>,
    /// Sweeps of the chains on critical Ising models; without numbers, no such model
    #[arg(long, num_args = 0.., default_values_t = [4, 16, 64])]
    sweeps: Vec<usize>,
    /// Sides of the critical Ising models. Up to 4, the limit is enumerated
    #[arg(long, num_args = 1.., default_values_t = [4, 8])]
    sides: Vec<usize>,
    /// Training steps on the table
    #[arg(long, default_value_t = 3000)]
    steps: usize,
    /// Training steps on an Ising model
    #[arg(long, default_value_t = 1000)]
    lattice_steps: usize,
    /// Peak learning rate
    #[arg(long, default_value_t = 5e-3)]
    rate: f64,
    /// Paths of a report
    #[arg(long, default_value_t = 10_000)]
    paths: usize,
    /// Seed
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Sweeps of annealing alone.
const ALONE: [usize; 3] = [16, 256, 4096];

/// Sites of the largest Ising model whose states are listed.
const LISTED: usize = 16;
/// Examples of a training step: on the table, and on an Ising model.
const EXAMPLES: [usize; 2] = [1024, 256];

/// Trains and prints two Markdown tables.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    flags.updates.iter().try_for_each(|&updates| check_count("--updates", updates))?;
    flags.sweeps.iter().try_for_each(|&sweeps| check_count("--sweeps", sweeps))?;
    anyhow::ensure!(flags.paths > 1, "`--paths` is {}, expected at least 2, for variances", flags.paths);
    say(
        "Gap: log Z less the mean of log w, in nats. Limit: the best backward kernels, whose gap is the divergence of the last law.\n",
    );
    say(
        "| target | updates | gap: annealing (E23) | closed form (E25) | learned (E26) | limit | Var log w: annealing | closed | learned | limit | ESS: annealing | closed | learned | paths | seconds |",
    );
    say("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|");
    let table = Table::random(3, 4, 2.0, flags.seed)?;
    let log_partition = exact::enumerate(&table)?.log_partition();
    for &updates in &flags.updates {
        let chain = AnnealedUpdates { target: table.clone(), base: ProductLaw::uniform(3, 4), updates };
        let limit = Some(limit(&chain)?);
        row(flags, "table 3^4", &chain, [flags.steps, EXAMPLES[0]], Positions::Line, log_partition, limit)?;
    }
    if !flags.updates.is_empty() {
        annealing_alone(flags, "table 3^4", &table, log_partition)?;
    }
    for &side in if flags.sweeps.is_empty() { &[] } else { &flags.sides[..] } {
        critical_ising(flags, side)?;
    }
    Ok(())
}

fn critical_ising(flags: &Flags, side: usize) -> anyhow::Result<()> {
    let ising = Ising::new(Lattice::new(side, side, Boundary::Torus)?, critical_coupling(), 0.0)?;
    let log_partition = kaufman_log_partition(side, side, critical_coupling())?;
    let (sites, name) = (side * side, format!("Ising {side} x {side}"));
    for &sweeps in &flags.sweeps {
        let (target, base) = (ising.clone(), ProductLaw::uniform(2, sites));
        let chain = AnnealedUpdates { target, base, updates: sweeps * sites };
        let limit = if sites <= LISTED { Some(limit(&chain)?) } else { None };
        let positions = Positions::Grid { columns: side };
        row(flags, &name, &chain, [flags.lattice_steps, EXAMPLES[1]], positions, log_partition, limit)?;
    }
    annealing_alone(flags, &name, &ising, log_partition)
}

/// Mean and variance of `−log(π / law of x_M)` under that law, by enumeration: the gap and the variance of log-weights that the best
/// backward kernels leave (E26).
fn limit<T: Target>(chain: &AnnealedUpdates<T, ProductLaw>) -> anyhow::Result<[f64; 2]> {
    let exact = exact::enumerate(&chain.target)?;
    let states = exact.probabilities().len();
    let mut law = vec![1.0 / states as f64; states];
    for update in 0..chain.updates {
        law = exact::edit_law(&Gibbs(chain.annealed(update + 1)), &law, &[(0, update % chain.target.len())])?;
    }
    let moment =
        |power: i32| -> f64 { law.iter().zip(exact.probabilities()).map(|(p, q)| p * (p / q).ln().powi(power)).sum() };
    Ok([moment(1), moment(2) - moment(1).powi(2)])
}

fn row<T: Target>(
    flags: &Flags,
    name: &str,
    chain: &AnnealedUpdates<T, ProductLaw>,
    [steps, examples]: [usize; 2],
    positions: Positions,
    log_partition: f64,
    limit: Option<[f64; 2]>,
) -> anyhow::Result<()> {
    let device = Device::flex();
    let model = ModelConfig {
        width: 32,
        layers: 2,
        heads: 2,
        condition_width: 32,
        conditioning: Conditioning::Step,
        positions,
        site_vectors: true,
        ..Preset::Tiny.config()
    };
    let network = Network::new(&model, chain.target.vocab(), chain.target.len(), flags.seed, &device)?;
    let groups = OptimiserKind::Muon.groups(&network);
    let learning_rate = LearningRateSchedule { peak: flags.rate, warmup_steps: 20, steps, minimum: 0.01 };
    let mut trainer = Trainer::new(network, groups, Settings::new(learning_rate, flags.seed), &device, 1);
    // As many examples a step whatever the length: every update of some paths, or a few of many.
    let stride = (chain.updates / 16).max(1);
    let task = BackwardTask::new(chain, examples.div_ceil(chain.updates.min(16)), stride);
    let (begun, bar) = (Instant::now(), bar(steps));
    while trainer.steps() < steps {
        trainer.step(&task)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let seconds = begun.elapsed().as_secs_f64();
    // A long chain has as many updates in all as a short one.
    let paths = flags.paths.min((1 << 20) / chain.updates).max(64);
    let weights = annealed_weights(chain, trainer.average(), paths, flags.seed + 1, &device)?;
    let cells = [&weights.annealed, &weights.closed, &weights.learned].map(|logs| cells(logs, log_partition));
    let [gaps, variances, shares] =
        [0, 1, 2].map(|column| cells.each_ref().map(|row| row[column].as_str()).join(" | "));
    let [gap, variance] =
        limit.map_or(["–", "–"].map(String::from), |limit| limit.map(|found| format!("{found:.4}")));
    say(&format!(
        "| {name} | {} | {gaps} | {gap} | {variances} | {variance} | {shares} | {paths} | {seconds:.0} |",
        chain.updates
    ));
    Ok(())
}

/// The gap of log-weights with its error, their variance, and the effective share.
fn cells(logs: &[f64], log_partition: f64) -> [String; 3] {
    let mean = Estimate::independent(logs);
    let gap = format!("{:.4} ± {:.4}", log_partition - mean.mean, mean.standard_error);
    let variance = mean.standard_error.powi(2) * logs.len() as f64;
    [gap, format!("{variance:.3}"), format!("{:.3}", effective_particles(logs) / logs.len() as f64)]
}

/// Rows of annealing alone, by the closed form.
fn annealing_alone<T: Target>(flags: &Flags, name: &str, target: &T, log_partition: f64) -> anyhow::Result<()> {
    let base = ProductLaw::uniform(target.vocab(), target.len());
    for sweeps in ALONE {
        let begun = Instant::now();
        let mut particles = Particles::new(target, &base, flags.paths, flags.seed + 2)?;
        let found = Annealing::default().run(&mut particles, &Levels::linear(sweeps)?, &mut unwatched)?;
        let [gap, variance, share] = cells(&found.log_weights, log_partition);
        let (paths, seconds) = (flags.paths, begun.elapsed().as_secs_f64());
        say(&format!(
            "| {name}, by sweeps (E25) | {sweeps} sweeps | – | {gap} | – | – | – | {variance} | – | – | – | {share} | – | {paths} | {seconds:.2} |"
        ));
    }
    Ok(())
}
