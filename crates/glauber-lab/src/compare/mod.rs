//! `glauber-lab compare`: models of one plan, trained alike and judged alike.
//!
//! A plan lists models: a name, what is set of the configuration, and the samplers. Each is trained for the same steps or time, and its
//! bound, its samples and its infills are judged on the same held-out windows, beside n-grams. What is finished is kept as rows.

mod field;
mod infills;
mod plan;
mod report;

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use glauber_program::device::device;
use glauber_program::progress::say;

use self::field::Field;
use self::plan::{Budget, Plan};
use self::report::{Measured, Row};

/// The plan of `experiment letters`.
const LETTERS: &str = include_str!("../../configs/letters.toml");
/// Orders of the n-grams.
const ORDERS: std::ops::RangeInclusive<usize> = 1..=7;

/// What is compared.
#[derive(Debug, Args)]
pub struct CompareFlags {
    /// The models, how they are sampled, and the budget: a TOML file like `configs/compare-letters.toml`
    #[arg(value_name = "FILE")]
    plan: PathBuf,
    #[command(flatten)]
    flags: Flags,
}

/// What choices for letters are compared.
#[derive(Debug, Args)]
pub struct LettersFlags {
    /// The choices, in place of `crates/glauber-lab/configs/letters.toml`
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

/// How models are compared; what is given overrides the plan.
#[derive(Debug, Args)]
pub struct Flags {
    /// Text files
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    data: Vec<PathBuf>,
    /// Only these models of the plan
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// Minutes that each run trains for: its steps follow from its speed
    #[arg(long, conflicts_with = "steps")]
    minutes: Option<f64>,
    /// Train each run for so many steps instead
    #[arg(long)]
    steps: Option<usize>,
    /// Runs of each model, seeds 0, 1, …
    #[arg(long)]
    seeds: Option<u64>,
    /// Held-out windows of the bound, and samples
    #[arg(long)]
    windows: Option<usize>,
    /// Steps drawn of each window for the bound
    #[arg(long)]
    draws: Option<usize>,
    /// Held-out windows that gaps are filled in; 0 fills none
    #[arg(long)]
    infills: Option<usize>,
    /// Set a key of every run's configuration
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Where runs, tables and pictures go
    #[arg(long, value_name = "DIR", default_value = "runs/compare")]
    out: PathBuf,
    /// Where finished rows are kept, a file a run; those that are there are not run again, whether or not the run itself is. By default
    /// `rows` in `--out`
    #[arg(long, value_name = "DIR")]
    rows: Option<PathBuf>,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX; `glauber device list` tells which are here
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Micro-batches computed side by side; by default as many as there are cores
    #[arg(long)]
    threads: Option<usize>,
}

impl Flags {
    /// The budget of a plan, overridden.
    fn budget(&self, of_plan: Budget) -> Budget {
        Budget {
            // One of the two decides.
            steps: self.steps.or(of_plan.steps.filter(|_| self.minutes.is_none())),
            minutes: self.minutes.unwrap_or(of_plan.minutes),
            seeds: self.seeds.unwrap_or(of_plan.seeds),
            windows: self.windows.unwrap_or(of_plan.windows),
            draws: self.draws.unwrap_or(of_plan.draws),
            infills: self.infills.unwrap_or(of_plan.infills),
        }
    }
}

/// Compares the models of a file.
pub fn compare(CompareFlags { plan, flags }: &CompareFlags) -> anyhow::Result<()> {
    let text = fs::read_to_string(plan).with_context(|| plan.display().to_string())?;
    run(&text, flags).with_context(|| plan.display().to_string())
}

/// Compares choices for letters.
pub fn letters(LettersFlags { plan, flags }: &LettersFlags) -> anyhow::Result<()> {
    match plan {
        Some(plan) => {
            let text = fs::read_to_string(plan).with_context(|| format!("--plan {}", plan.display()))?;
            run(&text, flags).with_context(|| format!("--plan {}", plan.display()))
        }
        None => run(LETTERS, flags),
    }
}

/// Trains and judges what is not there yet, and prints the table.
fn run(text: &str, flags: &Flags) -> anyhow::Result<()> {
    let mut plan = Plan::read(text, &flags.only)?;
    plan.budget = flags.budget(plan.budget);
    plan.override_keys(&flags.set);
    plan.check()?;
    fs::create_dir_all(&flags.out).with_context(|| flags.out.display().to_string())?;
    let field = Field::new(&plan, flags, device(&flags.device)?)?;
    let mut rows: Vec<Row> = vec![field.held_out()?];
    for order in ORDERS {
        rows.push(field.ngram(order)?);
    }
    for seed in 0..plan.budget.seeds {
        for model in &plan.models {
            say(&format!("{}, seed {seed}", model.name));
            rows.extend(field.rows_of(model, seed)?);
            // The table so far: a comparison takes hours.
            Measured::new(&rows).write(&flags.out)?;
        }
    }
    Measured::new(&rows).print(&flags.out)
}
