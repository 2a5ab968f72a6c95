//! `glauber-lab experiment ising-sampler`: networks that learn to sample an Ising model, beside annealing without a network.

use std::time::Instant;

use burn::tensor::Device;
use clap::{Args, ValueEnum};
use glauber_chain::ChainRng;
use glauber_chain::oracles::{Ising, Lattice, kaufman_log_partition};
use glauber_chain::statistics::Estimate;
use glauber_descent::{LearningRateSchedule, ParamGroups, Settings, Trainer, UpdateRule};
use glauber_energy::{AnnealedTarget, Annealing, Levels, Particles, ProductLaw, SwendsenWang, exact, unwatched};
use glauber_gflownet::{
    Buffer, Distance, Evidence, Exploration, Filling, FillingOrder, Flows, PathObjective, StateSpace, filled,
    filled_tokens, objective,
};
use glauber_model::{Conditioning, ModelConfig, NetworkKind, Positions, Preset, Role};
use glauber_neural::{FillingNetwork, NetworkPolicy, PathTask};
use glauber_program::progress::{bar, say};
use glauber_schedule::Boundary;
use glauber_tokens::{Token, TokenBatch};

#[derive(Debug, Args)]
pub struct Flags {
    /// Side of the torus
    #[arg(long, default_value_t = 4)]
    side: usize,
    /// Couplings
    #[arg(long, num_args = 1.., default_values_t = [0.28, 0.4407, 0.6])]
    coupling: Vec<f64>,
    /// Field, over the coupling. Exact values of larger lattices need 0
    #[arg(long, default_value_t = 0.1, allow_negative_numbers = true)]
    field: f64,
    /// Objective: trajectory-balance, log-variance, relative-entropy, cross-entropy; likelihood of `--replay`
    #[arg(long, default_value = "log-variance")]
    objective: String,
    /// Network: hollow, which fills in any order, or autoregressive, from the first site to the last
    #[arg(long, value_enum, default_value_t = Which::Autoregressive)]
    network: Which,
    /// Let the hollow network learn which site is filled next. By default all empty sites are alike
    #[arg(long)]
    learned_order: bool,
    /// Training steps
    #[arg(long, default_value_t = 400)]
    steps: usize,
    /// Paths a step, an even number
    #[arg(long, default_value_t = 256)]
    paths: usize,
    /// Share of the steps over which the target is annealed from uniform tokens; 0 for none
    #[arg(long, default_value_t = 0.5)]
    anneal: f64,
    /// Keep so many ends of own paths with their weights. Half of the paths then lead back from them, drawn by weight; heat bath
    /// moves some every 10 steps
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    replay: usize,
    /// Power of the weights of own paths in `--replay`; below 1 they are proximal
    #[arg(long, default_value_t = 1.0)]
    power: f64,
    /// Width of the network
    #[arg(long, default_value_t = 32)]
    width: usize,
    /// Peak learning rate
    #[arg(long, default_value_t = 5e-3)]
    rate: f64,
    /// Number of trainings per coupling, with seeds 0, 1, …
    #[arg(long, default_value_t = 1)]
    seeds: u64,
}

/// Which network fills the sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Any order; a pass for each state of a path
    Hollow,
    /// From the first site to the last; a pass for each path
    Autoregressive,
}

/// Paths of a report.
const PATHS: usize = 4096;
/// Particles of the annealing that is compared.
const PARTICLES: usize = 4096;

/// Trains and prints a Markdown table.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    anyhow::ensure!(
        (0.0..=1.0).contains(&flags.anneal),
        "`--anneal` is {}, expected a share from 0 to 1",
        flags.anneal
    );
    let needs_ends = objective(&flags.objective)?.needs_ends();
    anyhow::ensure!(
        !needs_ends || flags.replay > 0,
        "`--objective {}` learns from ends that are kept: add `--replay 4096`",
        flags.objective
    );
    anyhow::ensure!(
        !flags.learned_order || matches!(flags.network, Which::Hollow),
        "`--learned-order` needs a network that fills in any order: add `--network hollow`"
    );
    say(&format!(
        "Ising model, {0} x {0} torus, field {1} of the coupling; {6:?} network of width {2}, {3}, {4} steps of {5} paths, the target \
         annealed over {7} of them.\n\
         Nats; log Z is subtracted. Bounds and effective share of {PATHS} paths. Annealing: {PARTICLES} particles, at most as long as the training.\n",
        flags.side, flags.field, flags.width, flags.objective, flags.steps, flags.paths, flags.network, flags.anneal
    ));
    say(
        "| coupling | seed | sampler | log Z | lower bound | upper bound | log Z estimated | effective share | TV from the first site on, exact | seconds |",
    );
    say("|---|---|---|---|---|---|---|---|---|---|");
    for &coupling in &flags.coupling {
        let lattice = Lattice::new(flags.side, flags.side, Boundary::Torus)?;
        let ising = Ising::new(lattice, coupling, coupling * flags.field)?;
        let known = Known::of(&ising, flags, coupling)?;
        for seed in 0..flags.seeds {
            let seconds = network(flags, coupling, &ising, &known, seed)?;
            annealing(coupling, &ising, &known, seed, seconds)?;
        }
    }
    Ok(())
}

/// What is exactly true of a model.
struct Known {
    log_partition: f64,
    /// `π`, shape `[state]`, of a model small enough to list.
    law: Option<Vec<f64>>,
    /// Exact samples.
    samples: TokenBatch,
}

impl Known {
    fn of(ising: &Ising, flags: &Flags, coupling: f64) -> anyhow::Result<Self> {
        if flags.side * flags.side <= 16 {
            let listed = exact::enumerate(ising)?;
            let (law, samples) = (listed.probabilities().to_vec(), listed.sample(PATHS, 1));
            return Ok(Self { log_partition: listed.log_partition(), law: Some(law), samples });
        }
        anyhow::ensure!(flags.field == 0.0, "`--field` is {}, expected 0 on more than 16 sites", flags.field);
        let log_partition = kaufman_log_partition(flags.side, flags.side, coupling)?;
        Ok(Self { log_partition, law: None, samples: SwendsenWang::ising(ising)?.sample(PATHS, 200, 1) })
    }
}

fn row(coupling: f64, seed: u64, sampler: &str, known: &Known, cells: &[String], seconds: f64) {
    say(&format!(
        "| {coupling} | {seed} | {sampler} | {:.6} | {} | {seconds:.1} |",
        known.log_partition,
        cells.join(" | ")
    ));
}

/// Trains a network; the seconds it took.
fn network(flags: &Flags, coupling: f64, ising: &Ising, known: &Known, seed: u64) -> anyhow::Result<f64> {
    let order = match flags.network {
        Which::Hollow => FillingOrder::Any,
        Which::Autoregressive => FillingOrder::LeftToRight,
    };
    let (environment, device) = (Filling { target: ising, order }, Device::flex());
    let mut trainer = trainer(flags, ising, seed, &device)?;
    let (begun, bar, base) = (Instant::now(), bar(flags.steps), ProductLaw::uniform(2, known.samples.len()));
    let objective = objective(&flags.objective)?;
    let mut replay = Replay { capacity: flags.replay, power: flags.power, buffer: None };
    while trainer.steps() < flags.steps {
        replay.collect(&environment, trainer.model(), &device, (trainer.steps(), seed))?;
        let level = (trainer.steps() as f64 / (flags.anneal * flags.steps as f64)).min(1.0);
        let annealed = Filling { target: AnnealedTarget { target: ising, base: &base, level }, order };
        let [own, back] = replay.shares(flags.paths.div_ceil(2), objective);
        let task = PathTask::new(&annealed, objective, own, &device);
        let task = match &replay.buffer {
            Some(buffer) => task.with_ends(back, |rng| filled(buffer.draw(rng))),
            None => task,
        };
        trainer.step(&task)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let seconds = begun.elapsed().as_secs_f64();
    let policy = NetworkPolicy { network: trainer.average(), device: &device, flows: Flows::Learned };
    let mut rngs = ChainRng::streams(seed + 100, PATHS);
    let own = policy.terms(&environment, &policy.draw(&environment, Exploration::NONE, &mut rngs))?;
    let ends: Vec<_> = known.samples.iter().map(filled).collect();
    let back = policy.draw_back(&environment, &ends, &mut rngs);
    let back = policy.terms(&environment, &back)?;
    let [own, back] = [own, back].map(|terms| terms.log_weights());
    let evidence = Evidence::new(&own, Some(&back));
    let minus = |value: f64| format!("{:+.4}", value - known.log_partition);
    let error = |logs: &[f64]| Estimate::independent(logs).standard_error;
    let estimate = glauber_energy::LogPartition::new(&own, seed).estimate;
    let tv = match &known.law {
        Some(law) if !flags.learned_order => format!("{:.4}", raster_variation(ising, &policy, law)?),
        _ => "–".into(),
    };
    let cells = [
        format!("{} ± {:.4}", minus(evidence.lower), error(&own)),
        format!("{} ± {:.4}", minus(evidence.upper.unwrap_or(f64::NAN)), error(&back)),
        minus(estimate),
        format!("{:.3}", evidence.effective_share),
        tv,
    ];
    row(coupling, seed, "network", known, &cells, seconds);
    Ok(seconds)
}

/// Ends of own paths, drawn in proportion to their weights.
struct Replay {
    capacity: usize,
    /// Of weights of own paths.
    power: f64,
    buffer: Option<Buffer>,
}

impl Replay {
    /// Steps between two collections, paths of one, and sweeps of heat bath.
    const EVERY: usize = 10;
    const PATHS: usize = 256;
    const SWEEPS: usize = 4;

    /// Adds own paths with their weights, and ends that heat bath has moved.
    fn collect(
        &mut self,
        environment: &Filling<&Ising>,
        network: &FillingNetwork,
        device: &Device,
        (step, seed): (usize, u64),
    ) -> anyhow::Result<()> {
        if self.capacity == 0 || !step.is_multiple_of(Self::EVERY) {
            return Ok(());
        }
        let policy = NetworkPolicy { network, device, flows: Flows::Learned };
        let seed = (seed << 32) + step as u64;
        let paths = policy.draw(environment, Exploration::NONE, &mut ChainRng::streams(!seed, Self::PATHS));
        let weights = policy.terms(environment, &paths)?.log_weights();
        let buffer = match &mut self.buffer {
            Some(buffer) => buffer,
            empty => empty.insert(Buffer::new(self.capacity)?),
        };
        let weights = weights.into_iter().map(|log| self.power * log);
        buffer.extend(paths.ends().filter_map(|end| filled_tokens(end)).zip(weights))?;
        Ok(buffer.refresh(environment.target, Self::PATHS, Self::SWEEPS, seed)?)
    }

    /// Own paths of so many, and those that lead back from ends.
    fn shares(&self, paths: usize, objective: &dyn PathObjective) -> [usize; 2] {
        match &self.buffer {
            None => [paths, 0],
            Some(_) if objective.needs_ends() => [0, paths],
            Some(_) => [paths - paths / 2, paths / 2],
        }
    }
}

/// The total variation of the sampler that fills from the first site to the last, over all states. With the exact
/// conditionals every order has the target's law, and a mixture of orders is no farther than its parts are on average.
fn raster_variation<'a>(
    ising: &'a Ising,
    policy: &NetworkPolicy<'_, FillingNetwork>,
    law: &[f64],
) -> anyhow::Result<f64> {
    let environment: Filling<&'a Ising> = Filling::left_to_right(ising);
    let space = StateSpace::list(&environment)?;
    let found = space.terminal_law(&environment, policy);
    // In the order of the law: site 0 varies slowest.
    let place = |state: &Vec<Option<Token>>| state.iter().flatten().fold(0, |place, &token| 2 * place + token as usize);
    let mut ordered = vec![0.0; law.len()];
    space.ends().zip(found).for_each(|(state, p)| ordered[place(state)] = p);
    Ok(Distance::between(&ordered, law)?.l1 / 2.0)
}

fn trainer(flags: &Flags, ising: &Ising, seed: u64, device: &Device) -> anyhow::Result<Trainer<FillingNetwork>> {
    let model = ModelConfig {
        width: flags.width,
        network: match flags.network {
            Which::Hollow => NetworkKind::Hollow,
            Which::Autoregressive => NetworkKind::Autoregressive,
        },
        layers: 2,
        heads: 2,
        condition_width: 16,
        conditioning: Conditioning::None,
        positions: Positions::Grid { columns: flags.side },
        site_vectors: true,
        ..Preset::Tiny.config()
    };
    let network = FillingNetwork::configured(ising, &model, 100.0, seed, device)?;
    let network = if flags.learned_order { network.with_learned_order() } else { network };
    let hidden = network.network().roles().into_iter().filter(|(_, role)| *role == Role::Hidden);
    let groups = ParamGroups::all(&network, UpdateRule::AdamW).with(hidden.map(|(id, _)| id), UpdateRule::Muon);
    let learning_rate =
        LearningRateSchedule { peak: flags.rate, warmup_steps: flags.steps / 20, steps: flags.steps, minimum: 0.01 };
    let settings = Settings {
        average_decay: Some(0.98),
        micro_batches: 2,
        clip_norm: f64::INFINITY,
        ..Settings::new(learning_rate, seed)
    };
    Ok(Trainer::new(network, groups, settings, device, 2))
}

/// Anneals with twice as many sweeps again and again, until that takes as long as the training, or hardly anything is lost.
fn annealing(coupling: f64, ising: &Ising, known: &Known, seed: u64, seconds: f64) -> anyhow::Result<()> {
    let base = ProductLaw::uniform(2, known.samples.len());
    let mut sweeps = 16;
    let (found, taken) = loop {
        let begun = Instant::now();
        let mut particles = Particles::new(ising, &base, PARTICLES, seed)?;
        let found = Annealing::default().run(&mut particles, &Levels::linear(sweeps)?, &mut unwatched)?;
        let taken = begun.elapsed().as_secs_f64();
        if found.log_partition.effective_share > 0.999 || 2.0 * taken > seconds {
            break (found, taken);
        }
        sweeps *= 2;
    };
    let minus = |value: f64| format!("{:+.4}", value - known.log_partition);
    let mean = Estimate::independent(&found.log_weights);
    let cells = [
        format!("{} ± {:.4}", minus(mean.mean), mean.standard_error),
        "–".into(),
        minus(found.log_partition.estimate),
        format!("{:.3}", found.log_partition.effective_share),
        "–".into(),
    ];
    row(coupling, seed, &format!("annealing, {sweeps} sweeps"), known, &cells, taken);
    Ok(())
}
