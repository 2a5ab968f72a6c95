//! `glauber experiment`: named experiments, each with a table, a picture, and the runs behind them.

mod comparison;
mod networks;
mod objectives;
mod sudoku;

use clap::Subcommand;

/// The experiments.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // one value a program
pub enum ExperimentWhat {
    /// Every objective with every leave-one-out network, at equal time and equal tokens
    Objectives(comparison::Flags),
    /// Networks of equal size, at equal time
    Networks(comparison::Flags),
    /// How often chains draw valid grids and solve puzzles
    Sudoku(sudoku::Flags),
}

/// Runs what the command names.
pub fn run(what: ExperimentWhat) -> anyhow::Result<()> {
    match what {
        ExperimentWhat::Objectives(flags) => objectives::run(&flags),
        ExperimentWhat::Networks(flags) => networks::run(&flags),
        ExperimentWhat::Sudoku(flags) => sudoku::run(&flags),
    }
}
