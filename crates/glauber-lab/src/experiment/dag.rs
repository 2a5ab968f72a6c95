//! `glauber-lab experiment dag`: posteriors of acyclic graphs on 5 nodes, beside the exact one over
//! 29,281 graphs.

use std::ops::ControlFlow;
use std::time::Instant;

use burn::tensor::Device;
use clap::Args;
use glauber_chain::{ChainRng, Chains, HeatBath, ReverseKernel};
use glauber_descent::{LearningRateSchedule, ParamGroups, Settings, Trainer, UpdateRule};
use glauber_energy::dag::{
    Bge, CachedScores, DagPairs, DagPosterior, DagTarget, Graph, LocalScores, RandomNetwork, StructureMcmc,
    UniformDags, auroc, edge_marginals, expected_shd, jensen_shannon, sum_over_dags,
};
use glauber_energy::{Annealing, Base, Gibbs, Levels, Particles, Target, systematic};
use glauber_gflownet::{Criterion, DagBuilding, DagState, DetailedBalance, Distance, Exploration, Flows, StateSpace};
use glauber_neural::{NetworkPolicy, PathTask, Perceptron, PerceptronConfig};
use glauber_program::progress::{bar, say};
use glauber_run::check_count;
use glauber_schedule::SiteOrder;
use glauber_tokens::{Token, TokenBatch};

#[derive(Debug, Args)]
pub struct Flags {
    /// Number of networks
    #[arg(long, default_value_t = 3)]
    pub seeds: u64,
    /// Expected number of edges of a network, 0 to 10
    #[arg(long, default_value_t = 5.0, allow_negative_numbers = true)]
    pub edges: f64,
    /// Rows of data
    #[arg(long, default_value_t = 100)]
    pub rows: usize,
    /// Variance of the noise. It is no standard deviation
    #[arg(long, default_value_t = 0.1, allow_negative_numbers = true)]
    pub noise_variance: f64,
    /// Samples of each of 50 chains
    #[arg(short = 'n', long, default_value_t = 400)]
    pub samples: usize,
    /// Training steps of the GFlowNet, of 32 graphs each; 0 leaves it out
    #[arg(long, default_value_t = 20_000)]
    pub steps: usize,
}

const NODES: usize = 5;
const CHAINS: usize = 50;

/// Samples and prints a Markdown table.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    check_count("--seeds", flags.seeds as usize)?;
    check_count("--samples", flags.samples)?;
    let rows = CHAINS * flags.samples;
    say(&format!(
        "{NODES} nodes, {} expected edges, {} rows, noise variance {}, BGe; {rows} samples ({CHAINS} chains of {}).\n\
         Heat bath: 50 sweeps, then 10 a sample. Structure MCMC: 500 steps, then 100 a sample.\n\
         Annealing: {rows} particles, 100 sweeps from uniform graphs, resampled once at the end. JSD in nats.\n",
        flags.edges, flags.rows, flags.noise_variance, flags.samples
    ));
    say("| seed | sampler | JSD | E-SHD | AUROC | expected edges | largest error of an edge | seconds |");
    say("|---|---|---|---|---|---|---|---|");
    (0..flags.seeds).try_for_each(|seed| network(flags, seed))
}

/// What samples are compared with.
struct Exact {
    seed: u64,
    truth: Graph,
    listed: DagPosterior,
}

impl Exact {
    fn report(&self, name: &str, tokens: &TokenBatch, start: Option<Instant>) -> anyhow::Result<()> {
        let divergence = jensen_shannon(&self.listed.shares(tokens)?, self.listed.probabilities())?;
        let marginals = edge_marginals(NODES, tokens, None)?;
        let exact = self.listed.edge_marginals();
        let error = marginals.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let distance = expected_shd(&self.truth, tokens, None)?;
        let seconds = start.map_or("–".into(), |start| format!("{:.1}", start.elapsed().as_secs_f64()));
        let line = self.line(name, &format!("{divergence:.4}"), distance, &marginals)?;
        say(&format!("{line} {error:.3} | {seconds} |"));
        Ok(())
    }

    fn line(&self, name: &str, divergence: &str, distance: f64, marginals: &[f64]) -> anyhow::Result<String> {
        let area = auroc(marginals, &self.truth)?.map_or("–".into(), |area| format!("{area:.3}"));
        let edges: f64 = marginals.iter().sum();
        Ok(format!("| {} | {name} | {divergence} | {distance:.2} | {area} | {edges:.2} |", self.seed))
    }
}

fn network(flags: &Flags, seed: u64) -> anyhow::Result<()> {
    let (rows, noise_variance) = (CHAINS * flags.samples, flags.noise_variance);
    let settings = RandomNetwork { nodes: NODES, edges: flags.edges, rows: flags.rows, noise_variance, seed };
    let simulated = settings.simulate()?;
    let scores = CachedScores::new(Bge::new(&simulated.data)?);
    let start = Instant::now();
    let listed = DagPosterior::enumerate(&scores)?;
    let seconds = start.elapsed().as_secs_f64();
    let exact = Exact { seed, truth: simulated.graph, listed };
    let (distance, marginals) = (exact.listed.expected_shd(&exact.truth)?, exact.listed.edge_marginals());
    say(&format!("{} 0 | {seconds:.2} |", exact.line("exact, 29,281 graphs", "0", distance, &marginals)?));
    exact.report("exact draws (the floor)", &exact.listed.sample(rows, 9), None)?;
    let uniform = UniformDags::new(NODES)?;
    let mut rng = ChainRng::new(seed, 1 << 40);
    let mut nothing = TokenBatch::filled(rows, uniform.len(), 0);
    (0..rows).for_each(|row| uniform.draw(&mut rng, nothing.row_mut(row)));
    exact.report("uniform graphs (null)", &nothing, None)?;
    chains(&exact, &scores, flags.samples)?;
    annealed(&exact, &scores, &uniform, rows)?;
    if flags.steps > 0 {
        gflownet(&exact, &scores, rows, flags.steps)?;
    }
    Ok(())
}

fn chains<S: LocalScores>(exact: &Exact, scores: &S, each: usize) -> anyhow::Result<()> {
    let (bits, pairs) = (DagTarget::new(scores)?, DagPairs::new(scores)?);
    let start = Instant::now();
    let found = heat_bath(&bits, each)?;
    exact.report("heat bath on bits", &found, Some(start))?;
    let start = Instant::now();
    let found = pairs.bits(&heat_bath(&pairs, each)?)?;
    exact.report("heat bath on pairs", &found, Some(start))?;
    let start = Instant::now();
    let settings = StructureMcmc { chains: CHAINS, burn_in: 500, samples: each, thin: 100, seed: 1 };
    let found = settings.run(&bits)?;
    exact.report(&format!("structure MCMC, {:.2} accepted", found.accepted), &found.tokens, Some(start))
}

fn annealed<S: LocalScores>(exact: &Exact, scores: &S, uniform: &UniformDags, rows: usize) -> anyhow::Result<()> {
    let target = DagTarget::new(scores)?;
    let start = Instant::now();
    let mut particles = Particles::new(&target, uniform, rows, 4)?;
    let go = &mut |_: usize, _: usize| ControlFlow::Continue(());
    let found = Annealing::default().run(&mut particles, &Levels::linear(100)?, go)?;
    let kept = systematic(&found.log_weights, 0.5);
    let tokens = TokenBatch::from_rows(kept.into_iter().map(|row| found.tokens.row(row)))?;
    let summed = sum_over_dags(scores)?.log_sum();
    let [low, high] = found.log_partition.interval.map(|end| end - summed);
    let share = found.log_partition.effective_share;
    let name = format!("annealed bits, ESS {share:.2}, log Z error within {low:+.4} to {high:+.4}");
    exact.report(&name, &tokens, Some(start))
}

/// A network that adds edges and stops, by modified detailed balance (E35; Deleu et al. 2022).
fn gflownet<S: LocalScores>(exact: &Exact, scores: &S, rows: usize, steps: usize) -> anyhow::Result<()> {
    let target = DagTarget::new(scores)?;
    let (building, device) = (DagBuilding::new(&target), Device::flex());
    let config = PerceptronConfig { width: 128, ..PerceptronConfig::default() };
    let network = Perceptron::new(&building, &config, exact.seed, &device);
    let groups = ParamGroups::all(&network, UpdateRule::AdamW);
    let learning_rate = LearningRateSchedule { peak: 1e-3, warmup_steps: 0, steps, minimum: 0.01 };
    let mut trainer = Trainer::new(network, groups, Settings::new(learning_rate, exact.seed), &device, 1);
    let (start, bar) = (Instant::now(), bar(steps));
    while trainer.steps() < steps {
        // Uniform actions at first, a tenth of them in the second half.
        let uniform = (1.0 - 1.8 * trainer.steps() as f64 / steps as f64).max(0.1);
        let task = PathTask::new(&building, &DetailedBalance(Criterion::Huber), 32, &device)
            .with_flows(Flows::OfStop)
            .with_exploration(Exploration::uniform(uniform));
        trainer.step(&task)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    let policy = NetworkPolicy { network: trainer.average(), device: &device, flows: Flows::OfStop };
    let paths = policy.draw(&building, Exploration::NONE, &mut ChainRng::streams(5, rows));
    let tokens = TokenBatch::from_rows(paths.ends().map(DagState::edges))?;
    let space = StateSpace::list(&building)?;
    let law = Distance::between(&space.terminal_law(&building, &policy), &space.target())?;
    exact.report(&format!("GFlowNet, its exact law {:.4}", law.jensen_shannon), &tokens, Some(start))
}

/// Samples, shape `[sample · chain, site]`, from empty graphs.
fn heat_bath(target: &impl Target, each: usize) -> anyhow::Result<TokenBatch> {
    let mut chains = Chains::seeded(TokenBatch::filled(CHAINS, target.len(), 0), 1);
    let mut run = |sweeps| -> anyhow::Result<TokenBatch> {
        let order = SiteOrder::round_robin(target.len(), sweeps)?;
        HeatBath::default().run_parallel(&Gibbs(target), &mut chains, &order, 0..order.horizon())?;
        Ok(chains.tokens().clone())
    };
    run(50)?;
    let mut drawn: Vec<Token> = Vec::with_capacity(CHAINS * each * target.len());
    for _ in 0..each {
        drawn.extend(run(10)?.into_vec());
    }
    Ok(TokenBatch::new(drawn, target.len())?)
}
