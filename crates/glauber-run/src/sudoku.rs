//! Sudoku grids as data of a run.

use std::path::Path;

use glauber_chain::ChainRng;
use glauber_sudoku::{Size, SolutionSource, SudokuCodec, is_valid};
use glauber_tokens::{Token, TokenBatch};
use glauber_train::{SequenceSource, TrainError, require};
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::data::{DataKind, DataShape, Opened, Opening};
use crate::error::{Context, Result};
use crate::{RunCodec, RunConfig, RunFolder, Vocabulary};

/// Maximal number of samples shown as grids.
const SHOWN: usize = 1;

/// Complete Sudoku grids, in row-major order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SudokuData {
    /// Side of the grid, 4 or 9: `L = side²`, `V = side`.
    pub side: usize,
}

impl SudokuData {
    fn size(&self) -> Size {
        if self.side == 4 { Size::Four } else { Size::Nine }
    }

    fn codec(&self) -> Grids {
        Grids(self.size(), SudokuCodec::new(self.size()))
    }
}

impl DataKind for SudokuData {
    fn name(&self) -> &'static str {
        "sudoku"
    }

    fn keys(&self) -> Result<Table, toml::ser::Error> {
        Table::try_from(self)
    }

    fn shape(&self) -> DataShape {
        DataShape::grid([self.side; 2])
    }

    fn describe(&self) -> String {
        format!("Sudoku grids, {0}x{0}", self.side)
    }

    fn validate(&self) -> Result<(), TrainError> {
        require([4, 9].contains(&self.side), "data.side", self.side, "4 or 9")
    }

    fn open(&self, _: &mut Opening<'_>) -> Result<Opened> {
        Ok(Opened {
            train: Box::new(Solutions(SolutionSource::new(self.size()))),
            held_out: Box::new(Solutions(SolutionSource::new(self.size()))),
            // Every digit stands equally often in every grid.
            vocabulary: Vocabulary::of_counts(vec![1; self.size().vocab()], env!("CARGO_PKG_VERSION")),
            codec: Box::new(self.codec()),
            excess: None,
            notes: Vec::new(),
        })
    }

    fn codec(&self, _: &RunFolder, _: &Vocabulary, _: &burn::tensor::Device) -> Result<Box<dyn RunCodec>> {
        Ok(Box::new(self.codec()))
    }

    fn held_out(&self) -> &'static str {
        "complete Sudoku grids"
    }
}

/// Complete grids as training sequences.
struct Solutions(SolutionSource);

impl SequenceSource for Solutions {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        self.0.draw(rng, out);
        Ok(None)
    }
}

/// Shows grids, and counts the valid ones.
struct Grids(Size, SudokuCodec);

impl RunCodec for Grids {
    fn render(&self, tokens: &[Token]) -> Result<String> {
        Ok(self.1.pretty(tokens, None)?)
    }

    fn show(&self, samples: &TokenBatch, _: &Path, _: usize) -> Result<Vec<String>> {
        let valid = samples.iter().filter(|grid| is_valid(self.0, grid)).count();
        let shown = samples.iter().take(SHOWN).map(|grid| self.render(grid)).collect::<Result<Vec<_>>>()?;
        let count = samples.rows();
        Ok([vec![format!("{valid} of {count} free samples are valid grids; the first:")], shown].concat())
    }
}

/// The grid size of a configuration.
///
/// # Errors
/// If it has other data, or is out of range.
pub fn size(config: &RunConfig) -> Result<Size> {
    config.validate()?;
    let sudoku = config.data.get::<SudokuData>();
    sudoku.map(SudokuData::size).context("`data.kind` is not \"sudoku\": give a run of `train sudoku`")
}
