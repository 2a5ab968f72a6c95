//! Configurations that experiments share with `glauber train`.

/// `glauber train markov`.
pub const MARKOV: &str = include_str!("../../glauber-cli/configs/markov.toml");
/// `glauber train sudoku --side 4`.
pub const SUDOKU_4: &str = include_str!("../../glauber-cli/configs/sudoku.toml");
/// `glauber train sudoku --side 9`.
pub const SUDOKU_9: &str = include_str!("../../glauber-cli/configs/sudoku-9.toml");
