//! `glauber-lab experiment eb-gfn`: energies and their samplers, trained together on points of the plane as bits.

mod listed;
mod sampled;

use std::time::Instant;

use anyhow::ensure;
use burn::module::{Module, ParamId};
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use glauber_chain::ChainRng;
use glauber_descent::{LearningRateSchedule, OptimiserConstants, ParamGroups, Settings, Trainer, UpdateRule};
use glauber_energy::{PlanePoints, Target, log_sum_exp};
use glauber_gflownet::{
    Acceptance, Criterion, Exploration, Filling, FillingOrder, Flows, Paths, TrajectoryBalance, filled,
};
use glauber_neural::{
    EnergyConfig, EnergyNetwork, EnergyTarget, JointSettings, JointTraining, NetworkPolicy, NeuralError, Perceptron,
    PerceptronConfig,
};
use glauber_plane::PlaneSet;
use glauber_program::progress::{bar, say};
use glauber_run::check_count;
use glauber_tokens::Token;

use listed::Listed;
use sampled::Sampled;

#[derive(Debug, Args)]
pub struct Flags {
    /// Point sets: 2spirals, 8gaussians, circles, moons, pinwheel, swissroll, checkerboard. Default: all
    #[arg(long, value_name = "SET", num_args = 1..)]
    sets: Vec<PlaneSet>,
    /// Bits of a coordinate. Up to 9, all sequences are enumerated; 16 is the resolution of the published rows
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(2..=16))]
    bits: u64,
    /// The order in which the sampler fills bits
    #[arg(long, value_enum, default_value_t = Order::LeftToRight)]
    order: Order,
    /// Steps of each network
    #[arg(long, default_value_t = 2000)]
    steps: usize,
    /// Paths of the sampler a step
    #[arg(long, default_value_t = 512)]
    batch: usize,
    /// Sequences of data, and as many negatives, in a step of the energy
    #[arg(long, default_value_t = 512)]
    rows: usize,
    /// Share of the sampler's paths that lead back from data, 0 to 1
    #[arg(long, default_value_t = 0.25, allow_negative_numbers = true)]
    rho: f64,
    /// Width of the sampler's hidden layers
    #[arg(long, default_value_t = 128)]
    width: usize,
    /// Number of the sampler's hidden layers
    #[arg(long, default_value_t = 3)]
    layers: usize,
    /// Width of the energy's hidden layers
    #[arg(long, default_value_t = 128)]
    energy_width: usize,
    /// Number of the energy's hidden layers
    #[arg(long, default_value_t = 3)]
    energy_layers: usize,
    /// Peak learning rate of the sampler
    #[arg(long, default_value_t = 0.01, allow_negative_numbers = true)]
    rate: f64,
    /// Peak learning rate of the energy
    #[arg(long, default_value_t = 0.02, allow_negative_numbers = true)]
    energy_rate: f64,
    /// Learning rate of log Z over that of the sampler
    #[arg(long, default_value_t = 20.0, allow_negative_numbers = true)]
    log_partition_rate: f64,
    /// Accept negatives by min(1, r) or by r / (1 + r)
    #[arg(long, value_enum, default_value_t = Accept::Metropolis)]
    accept: Accept,
    /// Share of the steps until negatives are built from nothing
    #[arg(long, default_value_t = 0.2, allow_negative_numbers = true)]
    warmup: f64,
    /// Decay of the moving average of the weights
    #[arg(long, default_value_t = 0.995, allow_negative_numbers = true)]
    average: f64,
    /// Number of trainings per set, with seeds 0, 1, …
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Points that floor and NLL are taken over, where all sequences are enumerated
    #[arg(long, default_value_t = 10_000_000)]
    draws: usize,
    /// Probability of a uniform bit in the sampler's own paths at first, 0 to 1; it falls to a tenth
    #[arg(long, default_value_t = 0.05, allow_negative_numbers = true)]
    exploration: f64,
    /// Move the hidden matrices by AdamW. Default: by Muon
    #[arg(long)]
    adamw: bool,
    /// Also report after every so many steps. Default: at the end alone
    #[arg(long, value_name = "STEPS")]
    every: Option<usize>,
}

/// Which bit may be filled next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Order {
    /// Any; both policies choose it
    Learned,
    /// From the first to the last: the likelihood is exact
    LeftToRight,
}

/// When a negative is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Accept {
    /// With min(1, r)
    Metropolis,
    /// With r / (1 + r), as published
    Barker,
}

/// Bits of a coordinate of which all sequences are enumerated.
const ENUMERATED: u64 = 9;
/// Paths back from each point, where one is not all.
const PATHS: usize = 50;
/// Sequences whose paths are in memory together.
const CHUNK: usize = 1024;
/// Seeds of reports begin here.
const REPORT: u64 = 1 << 40;

/// Trains and prints a Markdown table.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    check_count("--seeds", flags.seeds as usize)?;
    let counts = [("--batch", flags.batch), ("--rows", flags.rows), ("--width", flags.width), ("--steps", flags.steps)];
    counts.into_iter().chain([("--energy-width", flags.energy_width)]).try_for_each(|(flag, count)| {
        ensure!(count > 0, "`{flag}` is 0, expected at least 1");
        Ok(())
    })?;
    ensure!(flags.draws > 0, "`--draws` is 0, expected at least 1");
    let shares = [("--rho", flags.rho), ("--warmup", flags.warmup), ("--average", flags.average)];
    shares.into_iter().chain([("--exploration", flags.exploration)]).try_for_each(|(flag, share)| {
        ensure!((0.0..=1.0).contains(&share), "`{flag}` is {share}, expected 0 to 1");
        Ok(())
    })?;
    let rates = [("--rate", flags.rate), ("--energy-rate", flags.energy_rate)];
    rates.into_iter().chain([("--log-partition-rate", flags.log_partition_rate)]).try_for_each(|(flag, rate)| {
        ensure!(rate > 0.0 && rate.is_finite(), "`{flag}` is {rate}, expected above 0");
        Ok(())
    })?;
    let listed = flags.bits <= ENUMERATED;
    let (note, columns) = match listed {
        true => (listed::note(flags.draws), listed::COLUMNS),
        false => (sampled::note(flags.order), sampled::COLUMNS),
    };
    let sets = if flags.sets.is_empty() { PlaneSet::ALL.to_vec() } else { flags.sets.clone() };
    say(&format!(
        "Points of the plane in {0} bits, Gray code. Sampler: {1:?} order, {2} x {3}; {4} paths a step, {5:.0} % of them back from data, \
         {6:.0} % uniform bits in the others at first.\nEnergy: {7} x {8}; {9} sequences a step, accepted by {10:?}. {11} steps each, hidden matrices by {12}. \
         Nats. {13}\n",
        2 * flags.bits,
        flags.order,
        flags.layers,
        flags.width,
        flags.batch,
        100.0 * flags.rho,
        100.0 * flags.exploration,
        flags.energy_layers,
        flags.energy_width,
        flags.rows,
        flags.accept,
        flags.steps,
        if flags.adamw { "AdamW" } else { "Muon" },
        note,
    ));
    say(&format!("| set | seed |{columns} seconds |"));
    say(&format!("|{}", "---|".repeat(3 + columns.matches('|').count())));
    for set in sets {
        let points = Points { set, code: PlanePoints::new(set, flags.bits as usize) };
        let judge: Box<dyn Judge> = match listed {
            true => Box::new(Listed::new(points, flags.draws)),
            false => Box::new(Sampled::new(points)),
        };
        judge.null_rows()?;
        for seed in 0..flags.seeds {
            train(flags, points, judge.as_ref(), seed)?;
        }
    }
    Ok(())
}

/// A set as bits.
#[derive(Clone, Copy)]
struct Points {
    set: PlaneSet,
    code: PlanePoints,
}

impl Points {
    fn draw(&self, rng: &mut ChainRng) -> Vec<Token> {
        self.code.tokens(self.set.draw(rng))
    }
}

/// What an energy and its sampler are compared with.
trait Judge {
    /// Prints the rows of laws that learn little or nothing.
    fn null_rows(&self) -> anyhow::Result<()>;

    /// The cells of a trained row, one for each column of the judge.
    fn cells(&self, trained: &Filling<EnergyTarget>, policy: &Sampler<'_>, joint: &Joint<'_>)
    -> anyhow::Result<String>;
}

type Joint<'a> = JointTraining<'a, Perceptron>;
type Sampler<'a> = NetworkPolicy<'a, Perceptron>;

/// `−log p` of the sampler at sequences, in nats. Each has one path from left to right; else the mean over [`PATHS`] paths back is an upper
/// bound in expectation.
fn surprises(
    environment: &Filling<EnergyTarget>,
    policy: &Sampler<'_>,
    sequences: &[Vec<Token>],
    rngs: &mut [ChainRng],
) -> Result<Vec<f64>, NeuralError> {
    let paths = if environment.order == FillingOrder::LeftToRight { 1 } else { PATHS };
    let mut all = Vec::with_capacity(sequences.len());
    for (sequences, rngs) in sequences.chunks(CHUNK).zip(rngs.chunks_mut(CHUNK * paths)) {
        let ends: Vec<_> = sequences.iter().flat_map(|tokens| vec![filled(tokens); paths]).collect();
        let back = Paths::draw_back(environment, policy, &ends, rngs);
        let ratios = policy.terms(environment, &back)?.log_path_ratios();
        all.extend(ratios.chunks_exact(paths).map(|ratios| (paths as f64).ln() - log_sum_exp(ratios)));
    }
    Ok(all)
}

/// A sequence of bits as a number: its place among all.
fn word(tokens: &[Token]) -> usize {
    tokens.iter().fold(0, |word, &bit| 2 * word + bit as usize)
}

fn trainer<M: Module + Sync>(
    flags: &Flags,
    network: M,
    hidden: Vec<ParamId>,
    peak: f64,
    seed: u64,
    device: &Device,
) -> Trainer<M> {
    let groups = ParamGroups::all(&network, UpdateRule::AdamW).with(hidden, UpdateRule::Muon);
    let rate = LearningRateSchedule { peak, warmup_steps: flags.steps / 50, steps: flags.steps, minimum: 0.01 };
    let constants = OptimiserConstants { beta_1: 0.9, beta_2: 0.99, weight_decay: 0.0 };
    let settings = Settings {
        average_decay: Some(flags.average),
        clip_norm: f64::INFINITY,
        constants,
        ..Settings::new(rate, seed)
    };
    Trainer::new(network, groups, settings, device, 1)
}

fn train(flags: &Flags, points: Points, judge: &dyn Judge, seed: u64) -> anyhow::Result<()> {
    let (device, sites) = (Device::flex(), points.code.len());
    let energy = EnergyConfig { width: flags.energy_width, layers: flags.energy_layers };
    let energy = EnergyNetwork::new(2, sites, &energy, 2 * seed, &device);
    let order = match flags.order {
        Order::Learned => FillingOrder::Any,
        Order::LeftToRight => FillingOrder::LeftToRight,
    };
    let environment = Filling { target: EnergyTarget::new(energy.clone(), &device), order };
    let config = PerceptronConfig {
        width: flags.width,
        layers: flags.layers,
        backward: flags.order == Order::Learned,
        log_partition_rate: flags.log_partition_rate,
    };
    let sampler = Perceptron::new(&environment, &config, 2 * seed + 1, &device);
    let back = (flags.rho * flags.batch as f64).round() as usize;
    let settings = JointSettings {
        order,
        objective: &TrajectoryBalance(Criterion::Square),
        own: flags.batch - back,
        exploration: Exploration::uniform(flags.exploration),
        back,
        rows: flags.rows,
        acceptance: match flags.accept {
            Accept::Metropolis => Acceptance::Metropolis,
            Accept::Barker => Acceptance::Barker,
        },
        warmup: (flags.warmup * flags.steps as f64) as usize,
    };
    let hidden: [Vec<ParamId>; 2] =
        if flags.adamw { Default::default() } else { [energy.hidden().collect(), sampler.hidden().collect()] };
    let data = |rng: &mut ChainRng| points.draw(rng);
    let mut joint = JointTraining {
        energy: trainer(flags, energy, hidden[0].clone(), flags.energy_rate, 2 * seed, &device),
        sampler: trainer(flags, sampler, hidden[1].clone(), flags.rate, 2 * seed + 1, &device),
        settings,
        data: &data,
    };
    let (begun, bar) = (Instant::now(), bar(flags.steps));
    while joint.energy.steps() < flags.steps {
        let left = 1.0 - joint.energy.steps() as f64 / flags.steps as f64;
        joint.settings.exploration = Exploration::uniform(flags.exploration * (0.1 + 0.9 * left));
        joint.step()?;
        bar.inc(1);
        let step = joint.energy.steps();
        if step < flags.steps && flags.every.is_some_and(|every| step.is_multiple_of(every)) {
            bar.suspend(|| report(points, judge, &joint, &format!("{seed}, step {step}"), begun))?;
        }
    }
    bar.finish_and_clear();
    report(points, judge, &joint, &seed.to_string(), begun)
}

fn report(points: Points, judge: &dyn Judge, joint: &Joint<'_>, note: &str, begun: Instant) -> anyhow::Result<()> {
    let seconds = begun.elapsed().as_secs_f64();
    let (device, order) = (joint.energy.device(), joint.settings.order);
    let environment = Filling { target: EnergyTarget::new(joint.energy.average().clone(), device), order };
    let policy = NetworkPolicy { network: joint.sampler.average(), device, flows: Flows::Learned };
    let cells = judge.cells(&environment, &policy, joint)?;
    say(&format!("| {} | {note} |{cells} {seconds:.0} |", points.set));
    Ok(())
}
