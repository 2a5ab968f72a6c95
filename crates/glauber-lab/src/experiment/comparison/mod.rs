//! Many short runs, each under the same clock, and the table of them.

mod contest;
mod curves;
mod flags;
mod letters;
mod report;
mod source;
mod stopwatch;

use std::path::Path;

use anyhow::{Context, ensure};
use burn::tensor::Device;
use glauber_model::{ModelConfig, Network};
use glauber_run::RunConfig;

pub use self::contest::Contestant;
use self::contest::{Rules, Run};
pub use self::flags::Flags;
use self::report::{Entry, Section};
use self::source::Source;
use glauber_program::device::{device, replicas};
use glauber_program::outputs::check_report;
use glauber_program::progress::say;

/// Sizes of two networks that count as equal: within this share.
const EQUAL: f64 = 0.1;

/// Sets up the contestants of a source: given the common configuration and how networks are counted.
pub type Line<'a> = dyn Fn(&RunConfig, &Counter<'_>) -> anyhow::Result<Vec<Contestant>> + 'a;

/// Runs every contestant on every source and writes the report.
pub fn compare(name: &str, heading: &str, flags: &Flags, contestants: &Line<'_>) -> anyhow::Result<()> {
    flags.check()?;
    let device = device(&flags.device)?;
    let out = flags.out(name);
    check_report(("--out", &out), &format!("{name}.md"), &format!("# {heading}"))?;
    check_report(("--out", &out), &format!("{name}.svg"), "<svg")?;
    std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    let rules = Rules {
        seconds: flags.seconds,
        bound_sequences: flags.bound_sequences,
        device: &device,
        threads: replicas(flags.threads, &flags.device, 1),
    };
    let mut sources = vec![Source::markov()?];
    if !flags.data.is_empty() {
        sources.push(Source::letters(&flags.data)?);
    }
    let mut sections = Vec::new();
    for source in sources {
        say(&source.title);
        let config = flags.config(source.data.clone())?;
        let counter = Counter { vocab: source.vocabulary(false).size, length: source.length, device: &device };
        let mut entries = Vec::new();
        for contestant in contestants(&config, &counter)? {
            let folder = out.join(source.name).join(&contestant.slug);
            let runs = seeds(&rules, &contestant, &source, &config, flags.seeds, &folder)?;
            entries.push(Entry { contestant, runs });
        }
        sections.push(Section { source, entries });
    }
    say(&report::write(name, &out, heading, &sections, flags.seconds)?);
    say(&format!("{} has this as {name}.md, the curves as {name}.svg, and every run", out.display()));
    Ok(())
}

fn seeds(
    rules: &Rules<'_>,
    contestant: &Contestant,
    source: &Source,
    config: &RunConfig,
    seeds: u64,
    folder: &Path,
) -> anyhow::Result<Vec<Run>> {
    let run = |seed: u64| {
        let run = rules.run(contestant, source, config, seed, &folder.join(format!("seed-{seed}")))?;
        if let Some(last) = run.lines.last() {
            say(&format!(
                "{}, {}, seed {seed}: {} steps in {:.1} s, step cross-entropy {:.4}, bound {:.4} ± {:.4} nats per site",
                contestant.objective.name(),
                contestant.network,
                last.step,
                last.seconds,
                last.step_cross_entropy,
                run.outcome.bound,
                run.outcome.bound_error
            ));
        }
        Ok(run)
    };
    (0..seeds).map(run).collect()
}

/// Counts the weights of networks, so that contestants are of equal size.
pub struct Counter<'a> {
    vocab: usize,
    length: usize,
    device: &'a Device,
}

impl Counter<'_> {
    pub fn count(&self, model: &ModelConfig) -> anyhow::Result<usize> {
        Ok(Network::count_parameters(model, self.vocab, self.length, self.device)?)
    }

    /// The candidate whose number of weights is nearest to a network's.
    pub fn nearest(
        &self,
        to: &ModelConfig,
        candidates: impl Iterator<Item = ModelConfig>,
    ) -> anyhow::Result<ModelConfig> {
        let target = self.count(to)?;
        let mut best = None;
        for candidate in candidates {
            let off = self.count(&candidate)?.abs_diff(target);
            if best.as_ref().is_none_or(|(least, _)| off < *least) {
                best = Some((off, candidate));
            }
        }
        let (off, model) = best.context("no candidate network")?;
        ensure!(
            off as f64 <= EQUAL * target as f64,
            "a {:?} network of {} parameters is the nearest to {target}: choose another `--set model.width`",
            model.network,
            self.count(&model)?
        );
        Ok(model)
    }
}
