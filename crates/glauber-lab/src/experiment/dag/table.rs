//! The posterior of a table of any number of columns, by a GFlowNet and by structure MCMC.

use std::fs::File;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, ensure};
use glauber_energy::dag::{
    Bge, CachedScores, DagTarget, DataTable, StructureMcmc, UniformDags, edge_marginals, edge_picture, sum_over_dags,
};
use glauber_files::write_whole;
use glauber_program::outputs::check_picture;
use glauber_program::progress::say;
use glauber_program::screen::remark;
use glauber_tokens::TokenBatch;

use super::{Builder, CHAINS, Flags};

/// The most columns whose graphs are summed exactly: some seconds.
const EXACT_NODES: usize = 14;

/// Edges that are listed.
const LISTED: usize = 10;

/// Reads the table of `--data`, each column shifted and scaled to mean 0 and variance 1.
pub fn read(path: &Path) -> anyhow::Result<DataTable> {
    let named = || path.display().to_string();
    let table = DataTable::from_csv(File::open(path).with_context(named)?).with_context(named)?;
    Ok(table.standardised())
}

/// Samples the posterior of a table and prints Markdown tables.
pub fn run(flags: &Flags, table: &DataTable) -> anyhow::Result<()> {
    if let Some(path) = &flags.picture {
        let read: Vec<_> = flags.data.iter().map(|data| ("--data", data.as_path())).collect();
        check_picture(("--picture", path), true, &read)?;
    }
    ensure!(flags.steps > 0, "`--steps` is 0, expected at least 1, the training steps of the GFlowNet");
    let scores = CachedScores::new(Bge::new(table)?);
    let (target, nodes) = (DagTarget::new(&scores)?, table.columns());
    let rows = CHAINS * flags.samples;
    say(&format!("{nodes} columns, {} rows, BGe; {rows} samples; nats.\n", table.rows()));
    let begun = Instant::now();
    let exact = (nodes <= EXACT_NODES).then(|| sum_over_dags(&scores)).transpose()?;
    let seconds = begun.elapsed().as_secs_f64();
    say("| sampler | expected edges | largest error of an edge | mean error | log evidence, at least | seconds |");
    say("|---|---|---|---|---|---|");
    let count: f64 = UniformDags::new(nodes)?.log_count();
    let mut report = Report { nodes, exact: exact.as_ref().map(|sum| sum.edge_marginals().to_vec()) };
    if let Some(sum) = &exact {
        let edges: f64 = sum.edge_marginals().iter().sum();
        say(&format!("| exact, all graphs | {edges:.2} | 0 | 0 | {:.4} | {seconds:.1} |", sum.log_sum() - count));
    }
    let begun = Instant::now();
    let steps = nodes * nodes;
    let chains =
        StructureMcmc { chains: CHAINS, burn_in: 100 * steps, samples: flags.samples, thin: 10 * steps, seed: 1 };
    let found = chains.run(&target)?;
    let by_chains =
        report.line(&format!("structure MCMC, {:.2} accepted", found.accepted), &found.tokens, "–", begun)?;
    // Without an exact sum, long chains are what others are compared with.
    report.exact.get_or_insert(by_chains);
    let begun = Instant::now();
    let mut builder = Builder::new(&target, 0, flags.steps).heated();
    builder.train(&target, flags.steps)?;
    let (tokens, bound) = builder.draw_weighed(&target, rows)?;
    let by_network = report.line("GFlowNet", &tokens, &format!("{:.4}", bound - count), begun)?;
    list(table, &by_network, report.exact.as_deref().unwrap_or(&by_network));
    if let Some(path) = &flags.picture {
        let svg = edge_picture(table.names(), &by_network)?;
        write_whole(path, svg).with_context(|| format!("--picture {}", path.display()))?;
        remark(&format!("edges drawn in {}", path.display()));
    }
    Ok(())
}

/// What samplers are compared with: the probabilities of edges, shape `[source · sink]`.
struct Report {
    nodes: usize,
    exact: Option<Vec<f64>>,
}

impl Report {
    /// Prints the row of a sampler; its probabilities of edges.
    fn line(&self, name: &str, tokens: &TokenBatch, bound: &str, begun: Instant) -> anyhow::Result<Vec<f64>> {
        let marginals = edge_marginals(self.nodes, tokens, None)?;
        let edges: f64 = marginals.iter().sum();
        let [largest, mean] = match &self.exact {
            None => ["–".into(), "–".into()],
            Some(exact) => {
                let errors: Vec<f64> = marginals.iter().zip(exact).map(|(a, b)| (a - b).abs()).collect();
                let pairs = (self.nodes * (self.nodes - 1)) as f64;
                let largest = errors.iter().copied().fold(0.0, f64::max);
                [format!("{largest:.3}"), format!("{:.4}", errors.iter().sum::<f64>() / pairs)]
            }
        };
        let seconds = begun.elapsed().as_secs_f64();
        say(&format!("| {name} | {edges:.2} | {largest} | {mean} | {bound} | {seconds:.1} |"));
        Ok(marginals)
    }
}

/// Prints the most probable edges.
fn list(table: &DataTable, found: &[f64], exact: &[f64]) {
    let nodes = table.columns();
    let mut order: Vec<usize> = (0..nodes * nodes).collect();
    order.sort_by(|&a, &b| exact[b].total_cmp(&exact[a]));
    say("\n| edge | GFlowNet | exact, or by structure MCMC |\n|---|---|---|");
    for edge in order.into_iter().take(LISTED) {
        let [source, sink] = [edge / nodes, edge % nodes].map(|node| &table.names()[node]);
        say(&format!("| {source} → {sink} | {:.3} | {:.3} |", found[edge], exact[edge]));
    }
}
