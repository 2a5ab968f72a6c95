//! `glauber experiment sudoku`: does the chain respect constraints that nobody told it of?
//!
//! A network is trained on complete grids. Free chains should then draw valid grids, and chains with the clues of a puzzle clamped
//! should solve it. Both are counted exactly; a solution needs no judge.

mod chains;
mod report;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use burn::tensor::Device;
use clap::Args;
use glauber_chain::{DrawControls, HeatBath, Kernel, Lazy};
use glauber_model::Network;
use glauber_schedule::Schedule;
use glauber_sudoku::{Size, SolutionSource};
use glauber_train::{NetworkConditional, Objective, RunConfig, RunFolder, Trainer, TrainingState};

use self::chains::{Chainer, Redenoise};
use self::report::Report;
use crate::arguments::SudokuFlags;
use crate::device::{device, replicas};
use crate::progress::say;
use crate::train::sudoku::{sudoku_config, train_run};
use glauber_run::Rank;
use glauber_run::check_count;
use glauber_run::sudoku::{Grids, size, vocabulary};
use glauber_run::training::{new_run, resumed};

/// Steps of the pilot that measures the pace of training, after as many that warm up.
const PILOT_STEPS: usize = 20;

#[derive(Debug, Args)]
pub struct Flags {
    /// Where the run is, or is to be: a run that is there is evaluated, else one is trained
    #[command(flatten)]
    pub sudoku: SudokuFlags,
    /// Train for about so many minutes: the number of steps comes from the pace of the first few
    #[arg(long, value_name = "M", conflicts_with_all = ["steps", "resume"], allow_negative_numbers = true)]
    pub minutes: Option<f64>,
    /// Free samples for each kernel
    #[arg(long, default_value_t = 256)]
    pub samples: usize,
    /// Puzzles for each number of clues
    #[arg(long, default_value_t = 50)]
    pub puzzles: usize,
    /// Chains for each puzzle
    #[arg(long, value_name = "K", default_value_t = 8)]
    pub candidates: usize,
    /// Numbers of clues, for instance 4,6,8
    #[arg(long, value_delimiter = ',')]
    pub clues: Vec<usize>,
    /// Sweeps of the chains; by default those of training
    #[arg(long, value_name = "K")]
    pub sampling_sweeps: Option<usize>,
    /// Temperature of the heat-bath draws
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    pub temperature: f64,
    /// ReDeNoise: the time to which finished chains are noised again, as a share of the horizon
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, allow_negative_numbers = true)]
    pub redenoise_time: f64,
    /// ReDeNoise: how often
    #[arg(long, default_value_t = 4)]
    pub rounds: usize,
}

/// Trains or loads, draws, solves and reports.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    check(flags)?;
    let device = device(&flags.sudoku.train.device)?;
    let folder = match flags.sudoku.train.run.as_deref() {
        Some(run) if RunFolder::open(run).is_ok() && !flags.sudoku.train.resume => run.to_path_buf(),
        _ => train(flags, &device)?,
    };
    let trained = Trained::load(&folder, flags.sampling_sweeps, &device)?;
    let report = evaluate(&trained, flags)?;
    say(&report.text(&trained.describe()));
    report.write(&folder, &trained.describe())?;
    say(&format!("run folder: {}; the table is in sudoku.txt, the curves are in sudoku.svg", folder.display()));
    Ok(())
}

fn check(flags: &Flags) -> anyhow::Result<()> {
    check_count("--samples", flags.samples)?;
    check_count("--puzzles times --candidates", flags.puzzles.saturating_mul(flags.candidates))?;
    let share = flags.redenoise_time;
    ensure!((0.0..=1.0).contains(&share), "`--redenoise-time` is {share}, expected a number in 0..=1");
    if let Some(minutes) = flags.minutes {
        ensure!(minutes > 0.0 && minutes.is_finite(), "`--minutes` is {minutes}, expected a positive number");
    }
    Ok(())
}

/// A new run, or one to be continued, trained to its end.
fn train(flags: &Flags, device: &Device) -> anyhow::Result<PathBuf> {
    let train = &flags.sudoku.train;
    if train.resume {
        let (config, folder) = resumed(train.run.as_deref(), "sudoku", &Rank::alone())?;
        train_run(&config, &folder, device, train, &Rank::alone())?;
        return Ok(folder);
    }
    let mut config = sudoku_config(&flags.sudoku)?;
    let folder = new_run(train.run.as_deref(), &format!("sudoku-{}", flags.sudoku.side))?;
    if let Some(minutes) = flags.minutes {
        config.train.steps =
            steps_within(&config, 60.0 * minutes, &folder, device, replicas(train.threads, &train.device, 1))?;
    }
    train_run(&config, &folder, device, train, &Rank::alone())?;
    Ok(folder)
}

/// How many optimiser steps fit into some seconds, from a pilot in a scratch folder.
fn steps_within(
    config: &RunConfig,
    seconds: f64,
    folder: &Path,
    device: &Device,
    threads: usize,
) -> anyhow::Result<usize> {
    let size = size(config)?;
    let source = Grids(SolutionSource::new(size));
    let scratch = folder.with_extension("pace");
    let mut pilot = Trainer::begin(config.clone(), &vocabulary(size), None, &scratch, device, threads)?;
    for _ in 0..PILOT_STEPS {
        pilot.train_step(&source)?;
    }
    let started = std::time::Instant::now();
    for _ in 0..PILOT_STEPS {
        pilot.train_step(&source)?;
    }
    let pace = PILOT_STEPS as f64 / started.elapsed().as_secs_f64();
    drop(pilot);
    std::fs::remove_dir_all(&scratch).with_context(|| format!("removing {}", scratch.display()))?;
    Ok(((pace * seconds) as usize).max(config.train.warmup_steps + 1))
}

/// A run that was trained, for sampling.
pub struct Trained {
    size: Size,
    network: Network,
    config: RunConfig,
    state: TrainingState,
    schedule: Schedule,
    device: Device,
}

impl Trained {
    fn load(run: &Path, sweeps: Option<usize>, device: &Device) -> anyhow::Result<Self> {
        let folder = RunFolder::open(run)?;
        let config = folder.config()?;
        let size = size(&config).with_context(|| run.display().to_string())?;
        let (network, state) = folder.load_average(device)?;
        let schedule = folder.schedule()?;
        let schedule = sweeps.map(|sweeps| schedule.with_sweeps(sweeps)).transpose()?.unwrap_or(schedule);
        Ok(Self { size, network, config, state, schedule, device: device.clone() })
    }

    fn objective(&self) -> Objective {
        self.config.train.objective
    }

    fn conditional(&self) -> anyhow::Result<NetworkConditional<'_>> {
        Ok(NetworkConditional::new(&self.network, self.objective(), &self.schedule, &self.device)?)
    }

    /// What was trained, and how the chains run.
    fn describe(&self) -> String {
        format!(
            "{} grids; {:?} network, objective {}, trained for {} steps of {} grids in {:.0} s, clamped share {}; \
             chains of {} sweeps, {} steps",
            self.size,
            self.config.model.network,
            self.objective().name(),
            self.state.step,
            self.config.train.batch,
            self.state.seconds,
            self.config.train.clamped_share,
            self.schedule.sweeps(),
            self.schedule.horizon()
        )
    }
}

fn evaluate(trained: &Trained, flags: &Flags) -> anyhow::Result<Report> {
    let controls = DrawControls { temperature: flags.temperature, ..DrawControls::default() };
    let horizon = trained.schedule.horizon();
    let again = Redenoise { time: (flags.redenoise_time * horizon as f64).round() as usize, rounds: flags.rounds };
    let seed = flags.sudoku.train.seed.unwrap_or(0);
    let conditional = trained.conditional()?;
    let chainer = |kernel: Kernel| Chainer::new(trained.size, &trained.schedule, kernel, &conditional, again, seed);
    let heat_bath = chainer(HeatBath::new(controls)?.into());
    let lazy = chainer(Lazy::new(controls)?.into());
    let mut report = Report::new(trained.size, again, flags.candidates);
    for (name, chainer) in [("heat bath", &heat_bath), ("lazy", &lazy)] {
        say(&format!("free samples, {name}"));
        report.free.push((name, chainer.free(flags.samples)?));
    }
    let source = SolutionSource::new(trained.size);
    for clues in clue_counts(trained.size, &flags.clues) {
        say(&format!("puzzles of {clues} clues"));
        report.solved.push(heat_bath.solve(&source, clues, flags.puzzles, flags.candidates)?);
    }
    if let Some(tally) = report.solved.first() {
        report.film = heat_bath.film(&source, tally.clues)?;
    }
    Ok(report)
}

/// The numbers of clues asked for; by default from hard to easy.
fn clue_counts(size: Size, asked: &[usize]) -> Vec<usize> {
    match (asked, size) {
        ([], Size::Four) => (4..=10).collect(),
        ([], Size::Nine) => vec![24, 26, 28, 30, 35, 40, 50, 60],
        (asked, _) => asked.to_vec(),
    }
}
