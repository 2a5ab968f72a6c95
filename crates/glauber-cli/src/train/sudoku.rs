//! `glauber train sudoku`.

use anyhow::bail;
use glauber_program::Layers;
use glauber_run::RunConfig;
use glauber_run::training::check_kind;

use crate::arguments::SudokuFlags;

const FOUR: &str = include_str!("../../configs/sudoku.toml");
const NINE: &str = include_str!("../../configs/sudoku-9.toml");

/// The configuration of a new run on complete grids.
pub fn config(flags: &SudokuFlags) -> anyhow::Result<RunConfig> {
    let defaults = match flags.side {
        4 => FOUR,
        9 => NINE,
        side => bail!("`--side` is {side}, expected 4 or 9"),
    };
    let config = Layers::new(defaults, &flags.train)?.finish()?;
    check_kind(&config.data, "sudoku")?;
    Ok(config)
}
