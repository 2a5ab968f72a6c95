//! `glauber-lab experiment sudoku`: does the chain learn constraints from examples alone?
//!
//! A network is trained on complete grids. Free chains should then draw valid grids, and chains with the clues of a puzzle clamped
//! should solve it. Both are counted exactly; a solution needs no judge.

mod chains;
mod report;

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use burn::tensor::Device;
use clap::Args;
use glauber_chain::{DrawControls, HeatBath, Lazy, ReverseKernel};
use glauber_program::device::device;
use glauber_program::progress::say;
use glauber_program::{TrainFlags, sudoku, training};
use glauber_run::sudoku::size;
use glauber_run::training::{new_run, resumed};
use glauber_run::{Rank, Trained, check_count};
use glauber_run::{RunConfig, RunFolder};
use glauber_schedule::Schedule;
use glauber_sudoku::{Size, SolutionSource};

use self::chains::{Chainer, Redenoise};
use self::report::Report;
use crate::pilot::steps_within;

#[derive(Debug, Args)]
pub struct Flags {
    /// Run folder: an existing run is evaluated, a new one is trained
    #[command(flatten)]
    pub train: TrainFlags,
    /// Side length of the grids: 4 or 9
    #[arg(long, default_value_t = 4, conflicts_with = "resume")]
    pub side: usize,
    /// Train for about this many minutes; the speed of the first steps sets the number of steps
    #[arg(long, value_name = "M", conflicts_with_all = ["steps", "resume"], allow_negative_numbers = true)]
    pub minutes: Option<f64>,
    /// Unconditional samples per kernel
    #[arg(long, default_value_t = 256)]
    pub samples: usize,
    /// Puzzles per number of clues
    #[arg(long, default_value_t = 50)]
    pub puzzles: usize,
    /// Chains per puzzle
    #[arg(long, value_name = "K", default_value_t = 8)]
    pub candidates: usize,
    /// Numbers of clues, e.g. 4,6,8
    #[arg(long, value_delimiter = ',')]
    pub clues: Vec<usize>,
    /// Number of sweeps of the chains. Default: as in training
    #[arg(long, value_name = "K")]
    pub sampling_sweeps: Option<usize>,
    /// Temperature of the heat-bath draws
    #[arg(long, default_value_t = 1.0, allow_negative_numbers = true)]
    pub temperature: f64,
    /// ReDeNoise: noise finished chains up to this time, as a fraction of the horizon
    #[arg(long, value_name = "SHARE", default_value_t = 0.5, allow_negative_numbers = true)]
    pub redenoise_time: f64,
    /// ReDeNoise: number of rounds
    #[arg(long, default_value_t = 4)]
    pub rounds: usize,
}

/// Trains or loads, draws, solves and reports.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    check(flags)?;
    let device = device(&flags.train.device)?;
    let folder = match flags.train.run.as_deref() {
        Some(run) if RunFolder::open(run).is_ok() && !flags.train.resume => run.to_path_buf(),
        _ => train(flags, &device)?,
    };
    let trained = Trained::load(&folder, &device)?;
    let schedule = trained.schedule_with(flags.sampling_sweeps, None)?;
    let (report, heading) = (evaluate(&trained, &schedule, flags)?, describe(&trained, &schedule)?);
    say(&report.text(&heading));
    report.write(&folder, &heading)?;
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

/// A new or resumed run, trained to its end.
fn train(flags: &Flags, device: &Device) -> anyhow::Result<PathBuf> {
    let train = &flags.train;
    if train.resume {
        let (config, folder) = resumed(train.run.as_deref(), Some("sudoku"), &Rank::alone())?;
        train_run(&config, &folder, device, train)?;
        return Ok(folder);
    }
    let mut config = sudoku(flags.side, train)?;
    let folder = new_run(train.run.as_deref(), &format!("sudoku-{}", flags.side))?;
    if let Some(minutes) = flags.minutes {
        let ranks = Rank::alone();
        let run = train.training(&config, &folder, device, &ranks);
        let opened = training::open(&run, Path::new(""))?;
        config.train.steps = steps_within(&run, &opened, 60.0 * minutes)?;
    }
    train_run(&config, &folder, device, train)?;
    Ok(folder)
}

/// Starts or resumes a run. During training it draws samples and counts the valid ones.
fn train_run(config: &RunConfig, folder: &Path, device: &Device, flags: &TrainFlags) -> anyhow::Result<()> {
    let ranks = Rank::alone();
    let run = flags.training(config, folder, device, &ranks);
    training::train(&run, &training::open(&run, Path::new(""))?)?;
    Ok(())
}

/// The trained run and the settings of the chains.
fn describe(trained: &Trained, schedule: &Schedule) -> anyhow::Result<String> {
    let Trained { config, state, .. } = trained;
    Ok(format!(
        "{} grids; {:?} network, objective {}, trained for {} steps of {} grids in {:.0} s, clamped share {}; \
         chains of {} sweeps, {} steps",
        size(config)?,
        config.model.network,
        config.train.objective.name(),
        state.step,
        config.train.batch,
        state.seconds,
        config.train.clamped_share,
        schedule.sweeps(),
        schedule.horizon()
    ))
}

fn evaluate(trained: &Trained, schedule: &Schedule, flags: &Flags) -> anyhow::Result<Report> {
    let size = size(&trained.config).with_context(|| trained.path().display().to_string())?;
    let controls = DrawControls { temperature: flags.temperature, ..DrawControls::default() };
    let time = (flags.redenoise_time * schedule.horizon() as f64).round() as usize;
    let again = Redenoise { time, rounds: flags.rounds };
    let seed = flags.train.seed.unwrap_or(0);
    let conditional = trained.conditional(schedule)?;
    let chainer = |kernel: Box<dyn ReverseKernel>| Chainer::new(size, schedule, kernel, &conditional, again, seed);
    let heat_bath = chainer(Box::new(HeatBath::new(controls)?));
    let lazy = chainer(Box::new(Lazy::new(controls)?));
    let mut report = Report::new(size, again, flags.candidates);
    for (name, chainer) in [("heat bath", &heat_bath), ("lazy", &lazy)] {
        say(&format!("free samples, {name}"));
        report.free.push((name, chainer.free(flags.samples)?));
    }
    let source = SolutionSource::new(size);
    for clues in clue_counts(size, &flags.clues) {
        say(&format!("puzzles of {clues} clues"));
        report.solved.push(heat_bath.solve(&source, clues, flags.puzzles, flags.candidates)?);
    }
    if let Some(tally) = report.solved.first() {
        report.film = heat_bath.film(&source, tally.clues)?;
    }
    Ok(report)
}

/// The requested numbers of clues. Default: from hard to easy.
fn clue_counts(size: Size, asked: &[usize]) -> Vec<usize> {
    match (asked, size) {
        ([], Size::Four) => (4..=10).collect(),
        ([], Size::Nine) => vec![24, 26, 28, 30, 35, 40, 50, 60],
        (asked, _) => asked.to_vec(),
    }
}
