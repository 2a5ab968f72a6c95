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
use glauber_gflownet::{Acceptance, Criterion, Filling, FillingOrder, Flows, Paths, Policy, TrajectoryBalance, filled};
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
    #[arg(long, value_enum, default_value_t = Order::Learned)]
    order: Order,
    /// Steps of each network
    #[arg(long, default_value_t = 4000)]
    steps: usize,
    /// Paths of the sampler a step, and sequences of data in a step of the energy
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// Sequences of data, and as many negatives, in a step of the energy
    #[arg(long, default_value_t = 128)]
    rows: usize,
    /// Share of the sampler's paths that lead back from data, 0 to 1
    #[arg(long, default_value_t = 0.5)]
    rho: f64,
    /// Width of the sampler's hidden layers
    #[arg(long, default_value_t = 128)]
    width: usize,
    /// Number of the sampler's hidden layers
    #[arg(long, default_value_t = 2)]
    layers: usize,
    /// Width of the energy's hidden layers
    #[arg(long, default_value_t = 256)]
    energy_width: usize,
    /// Number of the energy's hidden layers
    #[arg(long, default_value_t = 3)]
    energy_layers: usize,
    /// Peak learning rate of the sampler
    #[arg(long, default_value_t = 1e-3)]
    rate: f64,
    /// Peak learning rate of the energy
    #[arg(long, default_value_t = 1e-3)]
    energy_rate: f64,
    /// Learning rate of log Z over that of the sampler
    #[arg(long, default_value_t = 100.0)]
    log_partition_rate: f64,
    /// Accept negatives by min(1, r) or by r / (1 + r)
    #[arg(long, value_enum, default_value_t = Accept::Metropolis)]
    accept: Accept,
    /// Share of the steps until negatives are built from nothing
    #[arg(long, default_value_t = 0.2)]
    warmup: f64,
    /// Decay of the moving average of the weights
    #[arg(long, default_value_t = 0.995)]
    average: f64,
    /// Number of trainings per set, with seeds 0, 1, …
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// Points that floor and NLL are taken over
    #[arg(long, default_value_t = 10_000_000)]
    draws: usize,
    #[arg(long)]
    adam: bool,
    #[arg(long, default_value_t = 0)]
    trace: usize,
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

/// Trains and prints a Markdown table.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    check_count("--seeds", flags.seeds as usize)?;
    check_count("--batch", flags.batch)?;
    ensure!(flags.draws > 0, "`--draws` is 0, expected at least 1");
    ensure!((0.0..=1.0).contains(&flags.rho), "`--rho` is {}, expected 0 to 1", flags.rho);
    ensure!((0.0..=1.0).contains(&flags.warmup), "`--warmup` is {}, expected 0 to 1", flags.warmup);
    let sets = if flags.sets.is_empty() { PlaneSet::ALL.to_vec() } else { flags.sets.clone() };
    say(&format!("{flags:?}\n"));
    say(
        "| set | seed | floor | NLL of the energy | NLL of the sampler | above the energy | error of log Z | accepted | seconds |",
    );
    say("|---|---|---|---|---|---|---|---|---|");
    for set in sets {
        let binned = Binned::of(set, flags);
        binned.null_rows(flags)?;
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

    /// `E[−log π]` over the points drawn, of a law of shape `[state]`.
    fn surprise(&self, law: &[f64]) -> f64 {
        self.law.iter().zip(law).filter(|(p, _)| **p > 0.0).map(|(p, q)| -p * q.ln()).sum()
    }

    fn null_rows(&self, flags: &Flags) -> anyhow::Result<()> {
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
            say(&format!("| {} | {name} | {:.4} | {nll:.4} | – | – | – | – | – |", self.set, self.floor));
        }
        let _ = flags;
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
        back,
        rows: flags.rows,
        acceptance: match flags.accept {
            Accept::Metropolis => Acceptance::Metropolis,
            Accept::Barker => Acceptance::Barker,
        },
        warmup: (flags.warmup * flags.steps as f64) as usize,
    };
    let hidden: [Vec<ParamId>; 2] =
        if flags.adam { Default::default() } else { [energy.hidden().collect(), sampler.hidden().collect()] };
    let data = |rng: &mut ChainRng| binned.points.tokens(binned.set.draw(rng));
    let mut joint = JointTraining {
        energy: trainer(flags, energy, hidden[0].clone(), flags.energy_rate, 2 * seed, &device),
        sampler: trainer(flags, sampler, hidden[1].clone(), flags.rate, 2 * seed + 1, &device),
        settings,
        data: &data,
    };
    let (begun, bar) = (Instant::now(), bar(flags.steps));
    while joint.energy.steps() < flags.steps {
        let found = joint.step()?;
        bar.inc(1);
        let step = joint.energy.steps();
        if flags.trace > 0 && (step % flags.trace == 0 || step == flags.steps) {
            bar.suspend(|| {
                report(flags, binned, &joint, seed, begun, &format!("{step} loss {:.3}", found.sampler.loss))
            })?;
        }
    }
    bar.finish_and_clear();
    report(flags, binned, &joint, seed, begun, "")
}

fn report(
    _flags: &Flags,
    binned: &Binned,
    joint: &JointTraining<'_, Perceptron>,
    seed: u64,
    begun: Instant,
    note: &str,
) -> anyhow::Result<()> {
    let seconds = begun.elapsed().as_secs_f64();
    let device = joint.energy.device();
    let environment =
        Filling { target: EnergyTarget::new(joint.energy.average().clone(), device), order: joint.settings.order };
    let listed = exact::enumerate(&environment.target)?;
    let nll = binned.surprise(listed.probabilities());
    let policy = NetworkPolicy { network: joint.sampler.average(), device, flows: Flows::Learned };
    let mut rngs = ChainRng::streams(1_000_000 + seed, POINTS * PATHS);
    let points: Vec<_> = rngs.iter_mut().step_by(PATHS).map(|rng| (joint.data)(rng)).collect();
    let ends: Vec<_> = points.iter().flat_map(|point| vec![filled(point); PATHS]).collect();
    let back = Paths::draw_back(&environment, &policy, &ends, &mut rngs);
    let ratios = policy.terms(&environment, &back)?.log_path_ratios();
    // What the sampler loses beside the energy, point by point.
    let lost: Vec<f64> = ratios
        .chunks_exact(PATHS)
        .zip(&points)
        .map(|(ratios, point)| {
            let log = log_sum_exp(ratios) - (PATHS as f64).ln();
            listed.probabilities()[state(point)].ln() - log
        })
        .collect();
    let lost = Estimate::independent(&lost);
    let error = Policy::<Filling<EnergyTarget>>::log_partition(&policy) - listed.log_partition();
    say(&format!(
        "| {} | {seed} {note} | {:.4} | {nll:.4} ({:+.4}) | {:.4} | {:+.4} ± {:.4} | {error:+.4} | | {seconds:.0} |",
        binned.set,
        binned.floor,
        nll - binned.floor,
        nll + lost.mean,
        lost.mean,
        lost.standard_error,
    ));
    Ok(())
}
