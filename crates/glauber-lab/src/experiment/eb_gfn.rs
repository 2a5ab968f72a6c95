//! `glauber-lab experiment eb-gfn`: energies and their samplers, trained together on points of the plane as bits.

use std::time::Instant;

use anyhow::ensure;
use burn::module::{Module, ParamId};
use burn::tensor::Device;
use clap::{Args, ValueEnum};
use glauber_chain::ChainRng;
use glauber_chain::statistics::Estimate;
use glauber_descent::{LearningRateSchedule, OptimiserConstants, ParamGroups, Settings, Trainer, UpdateRule};
use glauber_energy::{PlanePoints, ProductLaw, Target, exact, log_sum_exp};
use glauber_gflownet::{
    Acceptance, BackAndForth, Criterion, Exploration, Filling, FillingOrder, Flows, Paths, Policy, StateSpace,
    TrajectoryBalance, filled, filled_tokens,
};
use glauber_neural::{
    EnergyConfig, EnergyNetwork, EnergyTarget, JointSettings, JointTraining, NetworkPolicy, Perceptron,
    PerceptronConfig,
};
use glauber_plane::PlaneSet;
use glauber_program::progress::{bar, say};
use glauber_run::check_count;
use glauber_tokens::Token;

#[derive(Debug, Args)]
pub struct Flags {
    /// Point sets: 2spirals, 8gaussians, circles, moons, pinwheel, swissroll, checkerboard. Default: all
    #[arg(long, value_name = "SET", num_args = 1..)]
    sets: Vec<PlaneSet>,
    /// Bits of a coordinate; twice as many are enumerated
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(2..=9))]
    bits: u64,
    /// The order in which the sampler fills bits
    #[arg(long, value_enum, default_value_t = Order::LeftToRight)]
    order: Order,
    /// Steps of each network
    #[arg(long, default_value_t = 2000)]
    steps: usize,
    /// Paths of the sampler a step
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// Sequences of data, and as many negatives, in a step of the energy
    #[arg(long, default_value_t = 128)]
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
    /// Points that floor and NLL are taken over
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

/// Points that the sampler's NLL is taken over, and paths back from each.
const POINTS: usize = 1000;
const PATHS: usize = 50;
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
    let sets = if flags.sets.is_empty() { PlaneSet::ALL.to_vec() } else { flags.sets.clone() };
    say(&format!(
        "Points of the plane in {0} bits, Gray code. Sampler: {1:?} order, {2} x {3}; {4} paths a step, {5:.0} % of them back from data, \
         {6:.0} % uniform bits in the others at first.\nEnergy: {7} x {8}; {9} sequences a step, accepted by {10:?}. {11} steps each, hidden matrices by {12}. \
         Nats. The floor is the entropy of {13} points (Miller and Madow).\n",
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
        flags.draws
    ));
    say(
        "| set | seed | floor | NLL of the energy | above the floor | sampler above the energy | error of log Z | accepted | seconds |",
    );
    say("|---|---|---|---|---|---|---|---|---|");
    for set in sets {
        let binned = Binned::of(set, flags);
        binned.null_rows()?;
        for seed in 0..flags.seeds {
            train(flags, &binned, seed)?;
        }
    }
    Ok(())
}

/// A set as bits, and how often each sequence was drawn.
struct Binned {
    set: PlaneSet,
    points: PlanePoints,
    /// Shape `[state]`, site 0 varying slowest; sums to 1.
    law: Vec<f64>,
    /// The entropy of the law that is drawn, by Miller and Madow.
    floor: f64,
}

impl Binned {
    fn of(set: PlaneSet, flags: &Flags) -> Self {
        let points = PlanePoints::new(set, flags.bits as usize);
        let mut counts = vec![0u32; 1 << (2 * flags.bits)];
        // Not the numbers of the training.
        let mut rng = ChainRng::new(u64::MAX, 0);
        (0..flags.draws).for_each(|_| counts[state(&points.tokens(set.draw(&mut rng)))] += 1);
        let law: Vec<f64> = counts.into_iter().map(|count| f64::from(count) / flags.draws as f64).collect();
        let seen: Vec<f64> = law.iter().copied().filter(|&p| p > 0.0).collect();
        let entropy: f64 = seen.iter().map(|p| -p * p.ln()).sum();
        Self { set, points, law, floor: entropy + (seen.len() - 1) as f64 / (2.0 * flags.draws as f64) }
    }

    fn draw(&self, rng: &mut ChainRng) -> Vec<Token> {
        self.points.tokens(self.set.draw(rng))
    }

    /// `E[−log π]` over the points drawn, of a law of shape `[state]`.
    fn surprise(&self, law: &[f64]) -> f64 {
        self.law.iter().zip(law).filter(|(p, _)| **p > 0.0).map(|(p, q)| -p * q.ln()).sum()
    }

    fn null_rows(&self) -> anyhow::Result<()> {
        let sites = self.points.len();
        let one = |site: usize| {
            let set = self.law.iter().enumerate().filter(|(state, _)| state >> (sites - 1 - site) & 1 == 1);
            set.map(|(_, p)| p).sum::<f64>()
        };
        // Never 0: a bit that no point has.
        let weights = (0..sites).map(one).map(|one| vec![1.0 - one + 1e-9, one + 1e-9]).collect::<Vec<_>>();
        for (name, law) in [("uniform", ProductLaw::uniform(2, sites)), ("independent bits", ProductLaw::new(&weights))]
        {
            let nll = self.surprise(exact::enumerate(&law)?.probabilities());
            say(&format!(
                "| {} | {name} | {:.4} | {nll:.4} | {:+.4} | – | – | – | – |",
                self.set,
                self.floor,
                nll - self.floor
            ));
        }
        Ok(())
    }
}

/// The place of a sequence of bits.
fn state(tokens: &[Token]) -> usize {
    tokens.iter().fold(0, |state, &bit| 2 * state + bit as usize)
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

fn train(flags: &Flags, binned: &Binned, seed: u64) -> anyhow::Result<()> {
    let (device, sites) = (Device::flex(), binned.points.len());
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
    let data = |rng: &mut ChainRng| binned.draw(rng);
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
            bar.suspend(|| report(binned, &joint, &format!("{seed}, step {step}"), begun))?;
        }
    }
    bar.finish_and_clear();
    report(binned, &joint, &seed.to_string(), begun)
}

/// What the sampler loses beside the energy, `Σ p log (π_φ / P_T)` over the points drawn.
fn lost(
    binned: &Binned,
    environment: &Filling<EnergyTarget>,
    policy: &NetworkPolicy<'_, Perceptron>,
    model: &[f64],
    seed: u64,
) -> anyhow::Result<Estimate> {
    if environment.order == FillingOrder::LeftToRight {
        let space = StateSpace::list(environment)?;
        let mut law = vec![0.0; model.len()];
        let places = space.ends().filter_map(|end| filled_tokens(end)).map(|tokens| state(&tokens));
        places.zip(space.terminal_law(environment, policy)).for_each(|(place, p)| law[place] = p);
        return Ok(Estimate { mean: binned.surprise(&law) - binned.surprise(model), standard_error: 0.0 });
    }
    let mut rngs = ChainRng::streams(REPORT + seed, POINTS * PATHS);
    let points: Vec<_> = rngs.iter_mut().step_by(PATHS).map(|rng| binned.draw(rng)).collect();
    let ends: Vec<_> = points.iter().flat_map(|point| vec![filled(point); PATHS]).collect();
    let back = Paths::draw_back(environment, policy, &ends, &mut rngs);
    let ratios = policy.terms(environment, &back)?.log_path_ratios();
    let each = ratios.chunks_exact(PATHS).zip(&points).map(|(ratios, point)| {
        let log = log_sum_exp(ratios) - (PATHS as f64).ln();
        model[state(point)].ln() - log
    });
    Ok(Estimate::independent(&each.collect::<Vec<_>>()))
}

fn report(binned: &Binned, joint: &JointTraining<'_, Perceptron>, note: &str, begun: Instant) -> anyhow::Result<()> {
    let seconds = begun.elapsed().as_secs_f64();
    let (device, order) = (joint.energy.device(), joint.settings.order);
    let environment = Filling { target: EnergyTarget::new(joint.energy.average().clone(), device), order };
    let listed = exact::enumerate(&environment.target)?;
    let nll = binned.surprise(listed.probabilities());
    let policy = NetworkPolicy { network: joint.sampler.average(), device, flows: Flows::Learned };
    let seed = joint.energy.settings().seed;
    let lost = lost(binned, &environment, &policy, listed.probabilities(), seed)?;
    let mut rngs = ChainRng::streams(2 * REPORT + seed, POINTS);
    let mut ends: Vec<_> = rngs.iter_mut().map(|rng| filled(&binned.draw(rng))).collect();
    let anew = BackAndForth { actions: binned.points.len(), acceptance: joint.settings.acceptance };
    let accepted = anew.step(&environment, &policy, &mut ends, &mut rngs)? as f64 / POINTS as f64;
    let log_partition = Policy::<Filling<EnergyTarget>>::log_partition(&policy);
    let error = match lost.standard_error {
        0.0 => String::new(),
        error => format!(" ± {error:.4}"),
    };
    say(&format!(
        "| {} | {note} | {:.4} | {nll:.4} | {:+.4} | {:+.4}{error} | {:+.4} | {accepted:.2} | {seconds:.0} |",
        binned.set,
        binned.floor,
        nll - binned.floor,
        lost.mean,
        log_partition - listed.log_partition(),
    ));
    Ok(())
}
