//! `glauber-lab experiment`: named experiments, each with a table, a picture, and the runs behind them.

mod comparison;
mod networks;
mod objectives;
mod plane;
mod skip_ahead;
mod sudoku;

use clap::Subcommand;
use glauber_program::progress::outlive_terminal;

use crate::compare;

/// The experiments.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // one value a program
pub enum ExperimentWhat {
    /// Every objective with every leave-one-out network, at equal time and equal tokens
    Objectives(comparison::Flags),
    /// Networks of equal size, at equal time
    Networks(comparison::Flags),
    /// Sweeps, clamps, priors and sizes: which choices write better letters for their training time
    Letters(compare::LettersFlags),
    /// What 100 kB and 400 kB of text are enough for: held-out bounds in the course of the training, and who overfits when
    LittleText(compare::LittleFlags),
    /// How few network evaluations a reverse chain can do with
    SkipAhead(skip_ahead::Flags),
    /// Seven sets of points of the plane as 32 bits: bound beside the exact floor, MMD, published rows
    Plane(plane::Flags),
    /// How often chains draw valid grids and solve puzzles
    Sudoku(sudoku::Flags),
}

/// Runs what the command names.
pub fn run(what: ExperimentWhat) -> anyhow::Result<()> {
    outlive_terminal()?;
    match what {
        ExperimentWhat::Objectives(flags) => objectives::run(&flags),
        ExperimentWhat::Networks(flags) => networks::run(&flags),
        ExperimentWhat::Letters(flags) => compare::letters(&flags),
        ExperimentWhat::LittleText(flags) => compare::little(&flags),
        ExperimentWhat::SkipAhead(flags) => skip_ahead::run(&flags),
        ExperimentWhat::Plane(flags) => plane::run(&flags),
        ExperimentWhat::Sudoku(flags) => sudoku::run(&flags),
    }
}
