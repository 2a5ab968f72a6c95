//! `glauber-lab compare`: models of one plan, trained alike and judged alike.
//!
//! A plan lists models, each with a name, configuration keys and samplers. All are trained for the same steps or time.
//! Bounds, samples and infills are evaluated on the same held-out windows, next to n-grams. Finished runs are stored as
//! rows.

mod course;
mod field;
mod infills;
mod passes;
mod plan;
mod report;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use glauber_program::device::device;
use glauber_program::progress::say;

use self::field::Field;
use self::plan::{Budget, Plan};
use self::report::{Measured, Row};

/// The plan of `experiment letters`.
const LETTERS: &str = include_str!("../../configs/letters.toml");
/// The plan of `experiment little-text`.
const LITTLE: &str = include_str!("../../configs/little-text.toml");
/// Characters that `experiment little-text` holds out.
const HELD_OUT: usize = 50_000;
/// Orders of the n-grams.
const ORDERS: std::ops::RangeInclusive<usize> = 1..=7;

/// Flags of `compare`.
#[derive(Debug, Args)]
pub struct CompareFlags {
    /// Plan: a TOML file of models, samplers and budget, e.g. `configs/compare-letters.toml`
    #[arg(value_name = "FILE")]
    plan: PathBuf,
    #[command(flatten)]
    flags: Flags,
}

/// Flags of `experiment letters`.
#[derive(Debug, Args)]
pub struct LettersFlags {
    /// Plan of the choices. Default: `crates/glauber-lab/configs/letters.toml`
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    #[command(flatten)]
    flags: Flags,
}

/// Flags of `experiment little-text`.
#[derive(Debug, Args)]
pub struct LittleFlags {
    /// Numbers of characters to train on, one comparison each
    #[arg(long, value_name = "COUNT", num_args = 1.., default_values_t = [100_000, 400_000])]
    characters: Vec<usize>,
    #[command(flatten)]
    flags: Flags,
}

/// Settings of a comparison; flags override the plan.
#[derive(Debug, Clone, Args)]
pub struct Flags {
    /// Text files
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    data: Vec<PathBuf>,
    /// Restrict the plan to these models
    #[arg(long, value_name = "NAME", num_args = 1..)]
    only: Vec<String>,
    /// Training minutes per run; the number of steps follows from its speed
    #[arg(long, conflicts_with = "steps")]
    minutes: Option<f64>,
    /// Train each run for this many steps, in place of minutes
    #[arg(long)]
    steps: Option<usize>,
    /// Runs per model, with seeds 0, 1, …
    #[arg(long)]
    seeds: Option<u64>,
    /// Number of held-out windows for the bound, and of samples
    #[arg(long)]
    windows: Option<usize>,
    /// Number of steps drawn per window for the bound
    #[arg(long)]
    draws: Option<usize>,
    /// Number of held-out windows for infilling; 0 skips infilling
    #[arg(long)]
    infills: Option<usize>,
    /// Also compute the bound at this many checkpoints, evenly spaced over the training; writes `course.svg`
    #[arg(long, value_name = "N")]
    checkpoints: Option<usize>,
    /// Set a configuration key in every run
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Output folder for runs, tables and plots
    #[arg(long, value_name = "DIR", default_value = "runs/compare")]
    out: PathBuf,
    /// Folder of finished rows, one file per run. Runs with a row are skipped, even if the run folder is gone. Default:
    /// `rows` in `--out`
    #[arg(long, value_name = "DIR")]
    rows: Option<PathBuf>,
    /// Device: cpu, wgpu, cuda or cuda:INDEX. `glauber device list` lists those available
    #[arg(long, default_value = "cpu")]
    device: String,
    /// Micro-batches computed in parallel. Default: one per core
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
            checkpoints: self.checkpoints.unwrap_or(of_plan.checkpoints),
        }
    }
}

/// Compares the models of a file.
pub fn compare(CompareFlags { plan, flags }: &CompareFlags) -> anyhow::Result<()> {
    let text = fs::read_to_string(plan).with_context(|| plan.display().to_string())?;
    let folder = plan.parent().unwrap_or(Path::new(""));
    run(&text, folder, flags).with_context(|| plan.display().to_string())
}

/// Compares choices for letters.
pub fn letters(LettersFlags { plan, flags }: &LettersFlags) -> anyhow::Result<()> {
    match plan {
        Some(plan) => {
            let text = fs::read_to_string(plan).with_context(|| format!("--plan {}", plan.display()))?;
            let folder = plan.parent().unwrap_or(Path::new(""));
            run(&text, folder, flags).with_context(|| format!("--plan {}", plan.display()))
        }
        None => run(LETTERS, Path::new(""), flags),
    }
}

/// Compares the models of a plan stored in a folder.
fn run(text: &str, folder: &Path, flags: &Flags) -> anyhow::Result<()> {
    compared(Plan::read(text, folder, &flags.only)?, flags)
}

/// Compares the models of a plan on little text, for each number of training characters. The held-out text is the same
/// for all. Each comparison has a folder in `--out`.
pub fn little(LittleFlags { characters, flags }: &LittleFlags) -> anyhow::Result<()> {
    for &count in characters {
        ensure!(count > 0, "`--characters` is 0, expected at least 1");
        let mut plan = Plan::read(LITTLE, Path::new(""), &flags.only)?;
        let all = count + HELD_OUT;
        plan.characters = Some(all);
        plan.set.push(format!("data.prepare.validation_fraction={}", HELD_OUT as f64 / all as f64));
        let rows = flags.rows.as_ref().map(|rows| rows.join(count.to_string()));
        say(&format!("{count} characters"));
        compared(plan, &Flags { out: flags.out.join(count.to_string()), rows, ..flags.clone() })?;
    }
    Ok(())
}

/// Trains and evaluates the missing runs, and prints the table.
fn compared(mut plan: Plan, flags: &Flags) -> anyhow::Result<()> {
    plan.set_budget(flags.budget(plan.budget()));
    plan.override_keys(&flags.set);
    plan.check()?;
    fs::create_dir_all(&flags.out).with_context(|| flags.out.display().to_string())?;
    let field = Field::new(&plan, flags, device(&flags.device)?)?;
    let mut rows: Vec<Row> = vec![field.held_out()?];
    for order in ORDERS {
        rows.push(field.ngram(order)?);
    }
    let mut elsewhere = Vec::new();
    for seed in 0..plan.budget().seeds {
        for model in &plan.models {
            let name = format!("{}, seed {seed}", model.name);
            say(&name);
            match field.rows_of(model, seed)? {
                Some(of_run) => rows.extend(of_run),
                None => elsewhere.push(name),
            }
            // The table so far: a comparison takes hours.
            Measured::new(&rows).write(&flags.out)?;
        }
    }
    Measured::new(&rows).print(&flags.out)?;
    if !elsewhere.is_empty() {
        say(&format!(
            "other processes work on {}; when they are done, this command prints all rows",
            elsewhere.join("; ")
        ));
    }
    Ok(())
}
