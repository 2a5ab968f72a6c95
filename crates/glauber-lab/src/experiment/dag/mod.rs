//! `glauber-lab experiment dag`: posteriors of acyclic graphs on 5 nodes, beside the exact one over
//! 29,281 graphs; and on any table, beside the exact probabilities of edges.

mod builder;
mod joint;
mod table;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, ValueEnum};
use glauber_chain::{ChainRng, Chains, HeatBath, ReverseKernel};
use glauber_energy::dag::{
    Bge, CachedScores, DagPairs, DagPosterior, DagTarget, Graph, LinearGaussian, LocalScores, RandomNetwork,
    StructureMcmc, UniformDags, WeightLaw, auroc, edge_marginals, expected_shd, jensen_shannon, sum_over_dags,
};
use glauber_energy::{Annealing, Base, Gibbs, Levels, Particles, Target, systematic};
use glauber_program::progress::say;
use glauber_run::check_count;
use glauber_schedule::SiteOrder;
use glauber_tokens::{Token, TokenBatch};

use builder::{Builder, Law};
use joint::Joint;

#[derive(Debug, Args)]
pub struct Flags {
    /// Number of networks
    #[arg(long, default_value_t = 3)]
    pub seeds: u64,
    /// Sample the posterior of this table instead, as CSV: a line of names, then numbers
    #[arg(long, value_name = "FILE.csv", conflicts_with_all = ["nodes", "seeds", "edges", "rows", "score", "rounds"])]
    pub data: Option<PathBuf>,
    /// Nodes of a network. With more or fewer than 5, one network of seed 0 is a table like one of `--data`
    #[arg(long, default_value_t = NODES)]
    pub nodes: usize,
    /// Draw the probabilities of edges by the GFlowNet; with `--data` or `--nodes`
    #[arg(long, value_name = "FILE.svg")]
    pub picture: Option<PathBuf>,
    /// Expected number of edges of a network
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
    /// Training steps of a GFlowNet, of 32 graphs each; 0 leaves it out
    #[arg(long, default_value_t = 20_000)]
    pub steps: usize,
    /// What scores a graph. With linear-gaussian the weights of edges are judged too, VBG among the rows
    #[arg(long, value_enum, default_value_t = Score::Bge)]
    pub score: Score,
    /// Times that VBG fits its weights to graphs of the GFlowNet, at least 1
    #[arg(long, default_value_t = 10)]
    pub rounds: usize,
}

/// What scores a graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Score {
    /// The evidence under a normal–Wishart prior; no weights
    Bge,
    /// The evidence of linear equations with the noise of the data, weights from N(0, 1)
    LinearGaussian,
}

const NODES: usize = 5;
const CHAINS: usize = 50;

/// Samples and prints a Markdown table.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    check_count("--seeds", flags.seeds as usize)?;
    check_count("--samples", flags.samples)?;
    check_count("--rounds", flags.rounds)?;
    if let Some(path) = &flags.data {
        return table::run(flags, &table::read(path)?);
    }
    let settings = RandomNetwork {
        nodes: flags.nodes,
        edges: flags.edges,
        rows: flags.rows,
        noise_variance: flags.noise_variance,
        seed: 0,
    };
    if flags.nodes != NODES {
        anyhow::ensure!(
            flags.score == Score::Bge,
            "`--score linear-gaussian` is compared on {NODES} nodes alone: leave out `--nodes`, or `--score`"
        );
        return table::run(flags, &settings.simulate()?.data);
    }
    anyhow::ensure!(flags.picture.is_none(), "`--picture` draws one table: add `--data FILE.csv`, or other `--nodes`");
    let (score, columns) = match flags.score {
        Score::Bge => ("BGe", ""),
        Score::LinearGaussian => ("linear-Gaussian", joint::COLUMNS),
    };
    let rows = CHAINS * flags.samples;
    say(&format!(
        "{NODES} nodes, {} expected edges, {} rows, noise variance {}, {score}; {rows} samples ({CHAINS} chains of {}).\n\
         Heat bath: 50 sweeps, then 10 a sample. Structure MCMC: 500 steps, then 100 a sample.\n\
         Annealing: {rows} particles, 100 sweeps from uniform graphs, resampled once at the end. JSD in nats.\n",
        flags.edges, flags.rows, flags.noise_variance, flags.samples
    ));
    say(&format!(
        "| seed | sampler | JSD | E-SHD | AUROC | expected edges | largest error of an edge | seconds |{columns}"
    ));
    say(&format!("|---|---|---|---|---|---|---|---|{}", columns.replace(|c| c != '|', "").replace('|', "---|")));
    (0..flags.seeds).try_for_each(|seed| network(flags, RandomNetwork { seed, ..settings }))
}

/// What samples are compared with.
struct Exact {
    seed: u64,
    truth: Graph,
    listed: DagPosterior,
    /// With the weights of edges, where the score has such.
    joint: Option<Joint>,
}

impl Exact {
    fn report(&self, name: &str, tokens: &TokenBatch, start: Option<Instant>) -> anyhow::Result<()> {
        let cells = self.joint.as_ref().map(|joint| joint.cells(tokens, &joint.scores, None)).transpose()?;
        self.report_with(name, tokens, start, &cells.unwrap_or_default())
    }

    /// As a sampler with its own laws of weights, and with a lower bound of the evidence.
    fn report_bound(
        &self,
        name: &str,
        tokens: &TokenBatch,
        start: Instant,
        law: &dyn WeightLaw,
        bound: f64,
    ) -> anyhow::Result<()> {
        let cells = self.joint.as_ref().map(|joint| joint.cells(tokens, law, Some(bound))).transpose()?;
        self.report_with(name, tokens, Some(start), &cells.unwrap_or_default())
    }

    fn report_with(&self, name: &str, tokens: &TokenBatch, start: Option<Instant>, cells: &str) -> anyhow::Result<()> {
        let divergence = jensen_shannon(&self.listed.shares(tokens)?, self.listed.probabilities())?;
        let marginals = edge_marginals(NODES, tokens, None)?;
        let exact = self.listed.edge_marginals();
        let error = marginals.iter().zip(&exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let distance = expected_shd(&self.truth, tokens, None)?;
        let seconds = start.map_or("–".into(), |start| format!("{:.1}", start.elapsed().as_secs_f64()));
        let line = self.line(name, &format!("{divergence:.4}"), distance, &marginals)?;
        say(&format!("{line} {error:.3} | {seconds} |{cells}"));
        Ok(())
    }

    fn line(&self, name: &str, divergence: &str, distance: f64, marginals: &[f64]) -> anyhow::Result<String> {
        let area = auroc(marginals, &self.truth)?.map_or("–".into(), |area| format!("{area:.3}"));
        let edges: f64 = marginals.iter().sum();
        Ok(format!("| {} | {name} | {divergence} | {distance:.2} | {area} | {edges:.2} |", self.seed))
    }
}

fn network(flags: &Flags, settings: RandomNetwork) -> anyhow::Result<()> {
    let (simulated, seed) = (settings.simulate()?, settings.seed);
    match flags.score {
        Score::Bge => compared(flags, seed, simulated.graph, &CachedScores::new(Bge::new(&simulated.data)?), None),
        Score::LinearGaussian => {
            let scores = LinearGaussian::new(&simulated.data, flags.noise_variance, 1.0)?;
            compared(flags, seed, simulated.graph, &CachedScores::new(&scores), Some(&scores))
        }
    }
}

/// Compares samplers of a posterior. `weights` are those of the score, where it has such.
fn compared<S: LocalScores>(
    flags: &Flags,
    seed: u64,
    truth: Graph,
    scores: &S,
    weights: Option<&LinearGaussian>,
) -> anyhow::Result<()> {
    let rows = CHAINS * flags.samples;
    let start = Instant::now();
    let listed = DagPosterior::enumerate(scores)?;
    let seconds = start.elapsed().as_secs_f64();
    let joint = weights.map(|weights| Joint::new(weights, &listed)).transpose()?;
    let exact = Exact { seed, truth, listed, joint };
    let (distance, marginals) = (exact.listed.expected_shd(&exact.truth)?, exact.listed.edge_marginals());
    let zeros = if weights.is_some() { joint::ZEROS } else { "" };
    say(&format!("{} 0 | {seconds:.2} |{zeros}", exact.line("exact, 29,281 graphs", "0", distance, &marginals)?));
    exact.report("exact draws (the floor)", &exact.listed.sample(rows, 9), None)?;
    let uniform = UniformDags::new(NODES)?;
    let mut rng = ChainRng::new(seed, 1 << 40);
    let mut nothing = TokenBatch::filled(rows, uniform.len(), 0);
    (0..rows).for_each(|row| uniform.draw(&mut rng, nothing.row_mut(row)));
    exact.report("uniform graphs (null)", &nothing, None)?;
    chains(&exact, scores, flags.samples)?;
    annealed(&exact, scores, &uniform, rows)?;
    if flags.steps > 0 {
        gflownet(&exact, scores, rows, flags.steps)?;
    }
    if let Some(joint) = &exact.joint {
        joint::shared(&exact, joint, &nothing)?;
        if flags.steps > 0 {
            joint::shared_by_network(&exact, joint, &nothing, flags)?;
        }
    }
    Ok(())
}

/// A network that learns to build graphs.
fn gflownet<S: LocalScores>(exact: &Exact, scores: &S, rows: usize, steps: usize) -> anyhow::Result<()> {
    let target = DagTarget::new(scores)?;
    let start = Instant::now();
    let mut builder = Builder::new(&target, exact.seed, steps);
    if exact.joint.is_some() {
        builder = builder.heated();
    }
    builder.train(&target, steps)?;
    let tokens = builder.draw(&target, rows)?;
    let law = builder.law(&target)?;
    let name = format!("GFlowNet, its exact law {:.4}", law.distance.jensen_shannon);
    let Some(joint) = &exact.joint else { return exact.report(&name, &tokens, Some(start)) };
    // With the posterior of weights for each parent set, VBG's reward is the evidence.
    let named = |name: &str, law: &Law| {
        format!("{name}: VBG; {:.0e} of it on graphs below 1e-9, which cost {:.3} nats", law.rare[0], law.rare[1])
    };
    exact.report_bound(&named(&name, &law), &tokens, start, &joint.scores, law.bound)?;
    // The same network on exact draws: what it can represent.
    let start = Instant::now();
    let mut fitted = Builder::new(&target, exact.seed, steps);
    fitted.fit(&target, &exact.listed.sample(1 << 16, 11), steps)?;
    let law = fitted.law(&target)?;
    let name =
        format!("its network by the likelihood of exact draws, its exact law {:.4}", law.distance.jensen_shannon);
    exact.report_bound(&named(&name, &law), &fitted.draw(&target, rows)?, start, &joint.scores, law.bound)
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
