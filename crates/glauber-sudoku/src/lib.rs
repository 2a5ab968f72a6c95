#![doc = include_str!("../README.md")]
//! A task on which a chain must correct itself. A model is trained on complete grids only; to solve a puzzle its clues are clamped
//! and the chain redraws the rest until every row, column and box holds each digit once. Whether it got there needs no judge:
//! [`is_valid`] says so exactly, and [`violations`] says how far it is.
//!
//! | noun              | what it is                                                                                          |
//! |-------------------|-----------------------------------------------------------------------------------------------------|
//! | [`Size`]          | 4×4 or 9×9: sites `0..n²` row by row, tokens `0..n`; token `t` shows the digit `t + 1`              |
//! | [`SolutionSource`]| complete grids to train on: 4×4 exactly uniform, 9×9 filled at random and then transformed at random|
//! | [`solve`]         | the exact solver                                                                                    |
//! | [`Puzzle`]        | clues with exactly one solution, and that solution                                                  |
//! | [`SudokuCodec`]   | grids and clues as text                                                                             |

mod codec;
mod error;
mod grid;
mod puzzle;
mod solve;
mod source;
mod symmetry;

pub use codec::SudokuCodec;
pub use error::SudokuError;
pub use grid::{Size, is_valid, violations};
pub use puzzle::Puzzle;
pub use solve::solve;
pub use source::SolutionSource;
