//! Sudoku grids as the data of a run.

use glauber_chain::ChainRng;
use glauber_sudoku::{Size, SolutionSource, SudokuCodec, is_valid};
use glauber_tokens::{Token, TokenBatch};
use glauber_train::{DataConfig, RunConfig, SequenceSource, TrainError, Vocabulary};

use crate::error::{Result, bail};

/// Samples shown as grids; the others only count.
const SHOWN: usize = 1;

/// Complete grids as training sequences.
pub struct Grids(pub SolutionSource);

impl SequenceSource for Grids {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Option<usize> {
        self.0.draw(rng, out);
        None
    }
}

/// The size of the grids that a configuration trains on.
///
/// # Errors
/// When it is of something else.
pub fn size(config: &RunConfig) -> Result<Size> {
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

/// What people are told of samples: how many are valid, and the first as a grid.
///
/// # Errors
/// When they are no grids of the size.
pub fn told(size: Size, grids: &TokenBatch) -> Result<Vec<String>, TrainError> {
    let valid = grids.iter().filter(|grid| is_valid(size, grid)).count();
    let codec = SudokuCodec::new(size);
    let shown = grids.iter().take(SHOWN).map(|grid| codec.pretty(grid, None));
    let shown = shown.collect::<Result<Vec<_>, _>>().map_err(|error| TrainError::Sampling(error.to_string()))?;
    let count = grids.rows();
    Ok([vec![format!("{valid} of {count} free samples are valid grids; the first:")], shown].concat())
}
