//! Errors of grids, clues and their text.

use glauber_tokens::Token;

use crate::Size;

/// An error of this crate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SudokuError {
    /// There is no such size.
    #[error("no Sudoku of size {found:?}; write 4x4 or 9x9")]
    UnknownSize {
        /// The size asked for.
        found: String,
    },
    /// Something does not have one entry for each site.
    #[error("{found} {what}, but a {size} grid has {expected}; give one for each site, row by row", expected = .size.sites())]
    Length {
        /// What was counted.
        what: &'static str,
        /// Entries found.
        found: usize,
        /// The size.
        size: Size,
    },
    /// A token lies outside the vocabulary.
    #[error(
        "token {token} at site {site} is outside the vocabulary 0..{vocab} of a {size} grid, where token t shows the digit t + 1",
        vocab = .size.vocab()
    )]
    OutsideVocabulary {
        /// The token.
        token: Token,
        /// Its site.
        site: usize,
        /// The size.
        size: Size,
    },
    /// A character that no grid has.
    #[error(
        "line {line}, column {column}: found {found:?}, expected a digit 1 to {side} or . for a blank",
        side = .size.side()
    )]
    Character {
        /// The character.
        found: char,
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// The size.
        size: Size,
    },
    /// A text with too few or too many cells.
    #[error(
        "the text has {found} cells, expected {expected}: {side} rows of {side} digits 1 to {side}, with . for a blank",
        expected = .size.sites(), side = .size.side()
    )]
    Cells {
        /// Digits and blanks found.
        found: usize,
        /// The size.
        size: Size,
    },
    /// A blank where a complete grid is needed.
    #[error("row {row}, column {column} is blank, which no token represents; read puzzles with `parse_clues`")]
    Blank {
        /// The row, from 1.
        row: usize,
        /// The column, from 1.
        column: usize,
    },
    /// The solution of a puzzle breaks the rules.
    #[error("the solution of the puzzle has {violations} violations, expected none; draw it from a SolutionSource")]
    InvalidSolution {
        /// Pairs of a house and a digit that it lacks.
        violations: usize,
    },
    /// A number of clues that no puzzle of this size has.
    #[error("{found} clues requested, but a {size} puzzle has {fewest} to {most}", fewest = .size.fewest_clues(), most = .size.sites() - 1)]
    ClueCount {
        /// The number of clues asked for.
        found: usize,
        /// The size.
        size: Size,
    },
    /// The number of clues was not reached.
    #[error(
        "no puzzle with {clues} clues in {tries} tries; the fewest clues reached were {fewest}; allow more tries or more clues"
    )]
    NotReached {
        /// The number of clues asked for.
        clues: usize,
        /// Tries made.
        tries: usize,
        /// The fewest clues of any try.
        fewest: usize,
    },
    /// Clues that no grid agrees with.
    #[error("no grid agrees with the {clues} clues, expected exactly one; correct the clues")]
    NoSolution {
        /// Number of clues.
        clues: usize,
    },
    /// Clues with more than one solution.
    #[error("more than one grid agrees with the {clues} clues, expected exactly one; add clues")]
    ManySolutions {
        /// Number of clues.
        clues: usize,
    },
}
