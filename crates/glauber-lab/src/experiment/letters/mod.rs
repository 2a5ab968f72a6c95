//! `glauber-lab experiment letters`: which choices write better letters for their training time?
//!
//! A plan lists trials: a name, and what is set of the configuration. Each is trained for the same time, and its bound, its samples and
//! its infills are judged on the same held-out windows, beside n-grams.

mod infills;
mod report;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use glauber_files::write_whole;
use glauber_program::device::device;
use glauber_program::progress::say;
use serde::{Deserialize, Serialize};

use self::report::{Measured, Row};
use self::trial::Field;

/// What is compared unless told otherwise.
const PLAN: &str = include_str!("../../../configs/letters.toml");
/// Orders of the n-grams.
const ORDERS: std::ops::RangeInclusive<usize> = 1..=7;

#[derive(Debug, Args)]
pub struct Flags {
    /// Text files, read as letters a to z and spaces
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    pub data: Vec<PathBuf>,
    /// Trials to compare, a TOML file like `crates/glauber-lab/configs/letters.toml`
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Only these trials of the plan
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub only: Vec<String>,
    /// Minutes that each run trains for: its steps follow from its speed
    #[arg(long, default_value_t = 10.0, conflicts_with = "steps")]
    pub minutes: f64,
    /// Train each run for so many steps instead
    #[arg(long)]
    pub steps: Option<usize>,
    /// Runs of each trial, seeds 0, 1, …
    #[arg(long, default_value_t = 1)]
    pub seeds: u64,
    /// Held-out windows of the bound, and samples
    #[arg(long, default_value_t = 512)]
    pub windows: usize,
    /// Steps drawn of each window for the bound
    #[arg(long, default_value_t = 64)]
    pub draws: usize,
    /// Held-out windows that gaps are filled in
    #[arg(long, default_value_t = 100)]
    pub infills: usize,
    /// Set a key of every run's configuration
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Where runs and tables go; finished runs that are there are not run again
    #[arg(long, value_name = "DIR", default_value = "runs/letters")]
    pub out: PathBuf,
    /// Where to compute: cpu, wgpu, cuda or cuda:INDEX; `glauber device list` tells which are here
    #[arg(long, default_value = "cpu")]
    pub device: String,
    /// Micro-batches computed side by side; by default as many as there are cores
    #[arg(long)]
    pub threads: Option<usize>,
}

/// Trials in the order of the table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plan {
    trial: Vec<Trial>,
}

/// One configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Trial {
    name: String,
    set: Vec<String>,
    /// Sweeps of repair that samples are drawn with.
    #[serde(default = "no_repair")]
    repair: Vec<usize>,
}

/// What decides the rows of a trial, besides its configuration's defaults.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Asked {
    set: Vec<String>,
    repair: Vec<usize>,
    steps: Option<usize>,
    /// Where the clock decides.
    minutes: Option<f64>,
    windows: usize,
    draws: usize,
    infills: usize,
}

impl Flags {
    fn asked(&self, trial: &Trial) -> Asked {
        let &Self { windows, draws, infills, steps, .. } = self;
        let minutes = steps.is_none().then_some(self.minutes);
        let set = trial.set.iter().chain(&self.set).cloned().collect();
        Asked { set, repair: trial.repair.clone(), steps, minutes, windows, draws, infills }
    }
}

fn no_repair() -> Vec<usize> {
    vec![0]
}

/// Trains and judges what is not there yet, and prints the table.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    ensure!(flags.windows > 1 && flags.infills > 1, "`--windows` and `--infills`: expected at least 2, for errors");
    ensure!(flags.minutes > 0.0, "`--minutes` is {}, expected a positive number", flags.minutes);
    let trials = trials(flags)?;
    fs::create_dir_all(&flags.out).with_context(|| flags.out.display().to_string())?;
    let letters = letters(flags)?;
    let field = Field::new(flags, &letters, device(&flags.device)?)?;
    let mut rows: Vec<Row> = vec![field.held_out()?];
    for order in ORDERS {
        rows.push(field.ngram(order)?);
    }
    for seed in 0..flags.seeds {
        for trial in &trials {
            let folder = flags.out.join(format!("{}-{seed}", trial.name));
            say(&format!("{}, seed {seed}", trial.name));
            rows.extend(field.trial(trial, seed, &folder)?);
            // The table so far: a comparison takes hours.
            Measured::new(&rows, flags).write(&flags.out)?;
        }
    }
    Measured::new(&rows, flags).print()
}

fn trials(flags: &Flags) -> anyhow::Result<Vec<Trial>> {
    let text = match &flags.plan {
        Some(path) => fs::read_to_string(path).with_context(|| format!("--plan {}", path.display()))?,
        None => PLAN.to_owned(),
    };
    let plan: Plan = toml::from_str(&text).context("the plan")?;
    let names: Vec<&str> = plan.trial.iter().map(|trial| trial.name.as_str()).collect();
    if let Some(unknown) = flags.only.iter().find(|name| !names.contains(&name.as_str())) {
        anyhow::bail!("`--only {unknown}`: the plan has {}", names.join(", "));
    }
    let asked = |trial: &Trial| flags.only.is_empty() || flags.only.contains(&trial.name);
    Ok(plan.trial.into_iter().filter(asked).collect())
}

/// The texts as letters a to z and single spaces, in a file.
fn letters(flags: &Flags) -> anyhow::Result<PathBuf> {
    let mut letters = String::new();
    for path in &flags.data {
        let text = fs::read_to_string(path).with_context(|| format!("--data {}", path.display()))?;
        let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
        for word in words {
            letters.push_str(&word.to_ascii_lowercase());
            letters.push(' ');
        }
    }
    let path = flags.out.join("letters.txt");
    // The same text keeps its file: runs are of it.
    if fs::read_to_string(&path).ok().as_deref() != Some(&letters) {
        write_whole(&path, letters).with_context(|| path.display().to_string())?;
    }
    Ok(std::path::absolute(Path::new(&path))?)
}
