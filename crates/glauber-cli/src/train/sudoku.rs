//! `glauber train sudoku`.

use std::path::Path;

use anyhow::bail;
use burn::tensor::Device;
use glauber_chain::ChainRng;
use glauber_model::Network;
use glauber_sudoku::{Size, SolutionSource, SudokuCodec, is_valid};
use glauber_tokens::Token;
use glauber_train::{DataConfig, NetworkConditional, RunConfig, SequenceSource, Surroundings, TrainError, Vocabulary};

use super::{check_kind, new_run, resumed, run, trainer};
use crate::arguments::{SudokuFlags, TrainFlags};
use crate::device::device;
use crate::progress::say;
use crate::ranks::Rank;
use crate::run_config::Layers;
use crate::sampling::Sampling;

const FOUR: &str = include_str!("../../configs/sudoku.toml");
const NINE: &str = include_str!("../../configs/sudoku-9.toml");

/// Samples shown as grids; the others only count.
const SHOWN: usize = 1;

/// Trains on complete grids.
pub fn train(flags: &SudokuFlags, ranks: &Rank) -> anyhow::Result<()> {
    let device = device(&flags.train.device)?;
    let (config, folder) = match flags.train.resume {
        true => resumed(&flags.train, "sudoku", ranks)?,
        false => (sudoku_config(flags)?, new_run(&flags.train, &format!("sudoku-{}", flags.side))?),
    };
    train_run(&config, &folder, &device, &flags.train, ranks)?;
    say(&format!("run folder: {}", folder.display()));
    Ok(())
}

/// Complete grids as training sequences.
pub struct Grids(pub SolutionSource);

impl SequenceSource for Grids {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Option<usize> {
        self.0.draw(rng, out);
        None
    }
}

/// The size of the grids that a configuration trains on.
pub fn size(config: &RunConfig) -> anyhow::Result<Size> {
    config.validate()?;
    match config.data {
        DataConfig::Sudoku { side: 4 } => Ok(Size::Four),
        DataConfig::Sudoku { .. } => Ok(Size::Nine),
        _ => bail!("`data.kind` is not \"sudoku\": this run was trained on something else"),
    }
}

/// What the size decides.
pub fn vocabulary(size: Size) -> Vocabulary {
    // Every digit stands equally often in every grid.
    Vocabulary::of_counts(vec![1; size.vocab()], env!("CARGO_PKG_VERSION"))
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
        let conditional = NetworkConditional::new(network, objective, &schedule, device)?;
        let drawn = Sampling::heat_bath(&schedule).draw(&conditional, count, seed, &mut |_| {});
        let (grids, _) = drawn.map_err(|error| TrainError::Sampling(error.to_string()))?;
        let valid = grids.iter().filter(|grid| is_valid(size, grid)).count();
        let codec = SudokuCodec::new(size);
        let shown = grids.iter().take(SHOWN).map(|grid| codec.pretty(grid, None));
        let shown = shown.collect::<Result<Vec<_>, _>>().map_err(|error| TrainError::Sampling(error.to_string()))?;
        Ok([vec![format!("{valid} of {count} free samples are valid grids; the first:")], shown].concat())
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
