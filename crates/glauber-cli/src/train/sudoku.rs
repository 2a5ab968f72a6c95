//! `glauber train sudoku`.

use std::path::Path;

use anyhow::bail;
use burn::tensor::Device;
use glauber_model::Network;
use glauber_program::Layers;
use glauber_program::TrainFlags;
use glauber_program::device::device;
use glauber_program::progress::{run, say};
use glauber_program::trainer;
use glauber_run::sudoku::{Grids, size, told, vocabulary};
use glauber_run::training::{check_kind, new_run, resumed};
use glauber_run::{Rank, Sampling};
use glauber_sudoku::SolutionSource;
use glauber_train::{RunConfig, Surroundings};

use crate::arguments::SudokuFlags;

const FOUR: &str = include_str!("../../configs/sudoku.toml");
const NINE: &str = include_str!("../../configs/sudoku-9.toml");

/// Trains on complete grids.
pub fn train(flags: &SudokuFlags, ranks: &Rank) -> anyhow::Result<()> {
    let device = device(&flags.train.device)?;
    let (config, folder) = match flags.train.resume {
        true => resumed(flags.train.run.as_deref(), "sudoku", ranks)?,
        false => (sudoku_config(flags)?, new_run(flags.train.run.as_deref(), &format!("sudoku-{}", flags.side))?),
    };
    train_run(&config, &folder, &device, &flags.train, ranks)?;
    say(&format!("run folder: {}", folder.display()));
    Ok(())
}

/// Begins or continues a run. While it trains it draws samples and counts the valid ones.
pub fn train_run(
    config: &RunConfig,
    folder: &Path,
    device: &Device,
    flags: &TrainFlags,
    ranks: &Rank,
) -> anyhow::Result<()> {
    let size = size(config)?;
    let mut trainer = trainer(config, &vocabulary(size), None, folder, device, flags, ranks)?;
    let (schedule, objective) = (trainer.schedule().clone(), config.train.objective);
    let sample = |network: &Network, count: usize, seed: u64| {
        told(size, &Sampling::of_network(network, objective, &schedule, device, count, seed)?)
    };
    let source = Grids(SolutionSource::new(size));
    let around = Surroundings { train: &source, validation: &source, sample: &sample, excess: None };
    run(&mut trainer, &around, ranks)?;
    Ok(())
}

/// The configuration of a new run.
pub fn sudoku_config(flags: &SudokuFlags) -> anyhow::Result<RunConfig> {
    let defaults = match flags.side {
        4 => FOUR,
        9 => NINE,
        side => bail!("`--side` is {side}, expected 4 or 9"),
    };
    let config = Layers::new(defaults, &flags.train)?.finish()?;
    check_kind(&config.data, "sudoku")?;
    Ok(config)
}
