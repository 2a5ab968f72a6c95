//! `glauber-lab experiment hypergrid`: GFlowNets on hypergrids, with the exact law of their terminal states.

use std::sync::Arc;
use std::time::Instant;

use burn::tensor::Device;
use clap::Args;
use glauber_chain::ChainRng;
use glauber_chain::statistics::Estimate;
use glauber_descent::{LearningRateSchedule, OptimiserConstants, ParamGroups, Settings, Trainer, UpdateRule};
use glauber_energy::{Hypergrid, exact};
use glauber_gflownet::{
    Distance, Environment, Exploration, Flows, GridState, GridWalk, PathObjective, Paths, Policy, StateSpace,
    TableAdam, TablePolicy, UniformPolicy, objective,
};
use glauber_neural::{NetworkPolicy, PathTask, Perceptron, PerceptronConfig};
use glauber_program::progress::{bar, say};
use glauber_run::check_count;

#[derive(Debug, Args)]
pub struct Flags {
    /// Number of paths of a training
    #[arg(long, default_value_t = 32_000, value_parser = clap::value_parser!(u64).range(1..=1 << 40))]
    paths: u64,
    /// Number of trainings per row, with seeds 0, 1, …
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// Objectives on the 8 x 8 grid; the other grids take the first. Default: all but the two entropies
    #[arg(long, value_name = "NAME", num_args = 1..)]
    objectives: Vec<String>,
    /// Paths a step of networks
    #[arg(long, default_value_t = 16)]
    batch: usize,
    /// Final learning rate of networks, as a share of the first; torchgfn's tests have 1, and 128 paths a step
    #[arg(long, default_value_t = 0.01)]
    minimum_rate: f64,
    /// Share of uniform actions in drawn paths
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    exploration: f64,
    /// Leave the networks out
    #[arg(long)]
    tables_only: bool,
}

/// Sides, dimensions and `R0`; `R1` is .5 and `R2` 2.
const GRIDS: [(usize, usize, f64); 7] =
    [(8, 2, 0.1), (8, 2, 0.01), (8, 2, 0.001), (16, 2, 0.1), (16, 2, 0.01), (8, 4, 0.1), (16, 4, 0.1)];
const OBJECTIVES: [&str; 5] =
    ["trajectory-balance", "detailed-balance", "sub-trajectory-balance", "flow-matching", "log-variance"];
/// Draws of the sampling floor, as torchgfn takes them.
const DRAWS: usize = 200_000;
/// Paths a step of tables.
const TABLE_BATCH: usize = 16;

/// Trains and prints a Markdown table.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    check_count("--seeds", flags.seeds as usize)?;
    check_count("--batch", flags.batch)?;
    for (flag, share) in [("--minimum-rate", flags.minimum_rate), ("--exploration", flags.exploration)] {
        anyhow::ensure!((0.0..=1.0).contains(&share), "`{flag}` is {share}, expected a share from 0 to 1");
    }
    let names: Vec<&str> = match flags.objectives.is_empty() {
        true => OBJECTIVES.to_vec(),
        false => flags.objectives.iter().map(String::as_str).collect(),
    };
    let objectives = names.into_iter().map(objective).collect::<Result<Vec<_>, _>>()?;
    if let Some(found) = objectives.iter().find(|objective| objective.needs_ends()) {
        anyhow::bail!(
            "`--objectives {}` needs samples of the target, which `experiment ising-sampler` has",
            found.name()
        );
    }
    say(&format!(
        "{} paths, {} seeds, uniform backward policy. Tables: {TABLE_BATCH} paths a step, Adam at .05, falling to 0.\n\
         Networks: {} paths a step, two layers of 256, AdamW at .001 to {} of it, 100 times that for log Z.\n\
         L1 is exact, over all cells. The floor is the L1 that {DRAWS} exact draws would show.\n",
        flags.paths, flags.seeds, flags.batch, flags.minimum_rate
    ));
    say("| grid | R0 | policy | objective | exact L1 | JSD, nats | error of log Z | seconds | paths a second |");
    say("|---|---|---|---|---|---|---|---|---|");
    for (place, (side, dimensions, least)) in GRIDS.into_iter().enumerate() {
        let grid = GridWalk(Hypergrid::new(side, dimensions, [least, 0.5, 2.0])?);
        let space = Arc::new(StateSpace::list(&grid)?);
        let bench = Bench { flags, grid, space, name: format!("| {side}^{dimensions} | {least}") };
        bench.null_rows()?;
        let of_grid = if place == 0 { &objectives[..] } else { &objectives[..1] };
        for &objective in of_grid {
            bench.row("table", objective, |seed| bench.table(objective, seed))?;
            if !flags.tables_only {
                bench.row("network", objective, |seed| bench.network(objective, seed))?;
            }
        }
    }
    Ok(())
}

/// A grid, and what is exactly true of it.
struct Bench<'a> {
    flags: &'a Flags,
    grid: GridWalk<Hypergrid>,
    space: Arc<StateSpace<GridState>>,
    name: String,
}

/// What a training ended with.
struct Found {
    distance: Distance,
    log_partition: f64,
    seconds: f64,
}

impl Bench<'_> {
    fn null_rows(&self) -> anyhow::Result<()> {
        let target = self.space.target();
        let uniform = Distance::between(&self.space.terminal_law(&self.grid, &UniformPolicy), &target)?;
        let name = &self.name;
        say(&format!("{name} | uniform actions | – | {:.4} | {:.4} | – | – | – |", uniform.l1, uniform.jensen_shannon));
        say(&format!(
            "{name} | exact draws | – | floor {:.4} | – | – | – | – |",
            exact::empirical_floor(&target, DRAWS)
        ));
        Ok(())
    }

    fn row(
        &self,
        policy: &str,
        objective: &dyn PathObjective,
        train: impl Fn(u64) -> anyhow::Result<Found>,
    ) -> anyhow::Result<()> {
        let all = (0..self.flags.seeds).map(train).collect::<anyhow::Result<Vec<Found>>>()?;
        let estimate = |of: &dyn Fn(&Found) -> f64| Estimate::independent(&all.iter().map(of).collect::<Vec<_>>());
        let each: Vec<String> = all.iter().map(|found| format!("{:.2e}", found.distance.l1)).collect();
        let seconds = estimate(&|found| found.seconds).mean;
        say(&format!(
            "{} | {policy} | {} | {} | {:.1e} | {} | {seconds:.1} | {:.0} |",
            self.name,
            objective.name(),
            each.join(", "),
            estimate(&|found| found.distance.jensen_shannon).mean,
            // Without a flow of the source there is no sum to compare.
            match objective.name() {
                "log-variance" | "relative-entropy" | "cross-entropy" => "–".into(),
                _ => {
                    let error = |found: &Found| format!("{:+.1e}", found.log_partition - self.space.log_partition());
                    all.iter().map(error).collect::<Vec<_>>().join(", ")
                }
            },
            self.flags.paths as f64 / seconds
        ));
        Ok(())
    }

    fn found(&self, policy: &dyn Policy<GridWalk<Hypergrid>>, begun: Instant) -> anyhow::Result<Found> {
        let seconds = begun.elapsed().as_secs_f64();
        let distance = Distance::between(&self.space.terminal_law(&self.grid, policy), &self.space.target())?;
        Ok(Found { distance, log_partition: policy.log_partition(), seconds })
    }

    fn table(&self, objective: &dyn PathObjective, seed: u64) -> anyhow::Result<Found> {
        let steps = self.flags.paths.div_ceil(TABLE_BATCH as u64) as usize;
        let (begun, bar) = (Instant::now(), bar(steps));
        let mut policy = TablePolicy::uniform(&self.grid, Arc::clone(&self.space));
        let (mut adam, mut rngs) = (TableAdam::new(0.05, 0.05), ChainRng::streams(seed, TABLE_BATCH));
        for step in 0..steps {
            let left = 1.0 - step as f64 / steps as f64;
            (adam.rate, adam.log_partition_rate) = (0.05 * left, 0.05 * left);
            let paths = Paths::draw(&self.grid, &policy, Exploration::uniform(self.flags.exploration), &mut rngs);
            adam.step(&self.grid, &mut policy, objective, &paths)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        self.found(&policy, begun)
    }

    fn network(&self, objective: &dyn PathObjective, seed: u64) -> anyhow::Result<Found> {
        let batch = self.flags.batch;
        let steps = self.flags.paths.div_ceil(batch as u64) as usize;
        let device = Device::flex();
        let mut trainer = perceptron_trainer(&self.grid, steps, self.flags.minimum_rate, seed, &device);
        let task = PathTask::new(&self.grid, objective, batch, &device)
            .with_exploration(Exploration::uniform(self.flags.exploration));
        let (begun, bar) = (Instant::now(), bar(steps));
        while trainer.steps() < steps {
            trainer.step(&task)?;
            bar.inc(1);
        }
        bar.finish_and_clear();
        self.found(&NetworkPolicy { network: trainer.model(), device: &device, flows: Flows::Learned }, begun)
    }
}

/// A trainer of torchgfn's network: two layers of 256 at .001, and .1 for `log Z`. Rates fall to the share `minimum`.
pub fn perceptron_trainer<E: Environment>(
    environment: &E,
    steps: usize,
    minimum: f64,
    seed: u64,
    device: &Device,
) -> Trainer<Perceptron> {
    let network = Perceptron::new(environment, &PerceptronConfig::default(), seed, device);
    let groups = ParamGroups::all(&network, UpdateRule::AdamW);
    let rate = LearningRateSchedule { peak: 1e-3, warmup_steps: 0, steps, minimum };
    let constants = OptimiserConstants { beta_1: 0.9, beta_2: 0.999, weight_decay: 0.0 };
    let settings = Settings { average_decay: None, clip_norm: f64::INFINITY, constants, ..Settings::new(rate, seed) };
    Trainer::new(network, groups, settings, device, 1)
}
