//! Sudoku as a constraint task: grids, puzzles, and their codec.
//!
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
//!
//! ```
//! use glauber_chain::{ChainRng, Chains};
//! use glauber_sudoku::{Puzzle, Size, SolutionSource, SudokuCodec, is_valid, solve};
//! use glauber_tokens::TokenBatch;
//!
//! let mut rng = ChainRng::new(42, 0);
//! let source = SolutionSource::new(Size::Nine);
//! let grid = source.sample(&mut rng); // what a model is trained on, shape [site]
//! assert!(is_valid(Size::Nine, &grid));
//!
//! let puzzle = Puzzle::draw(&source, 30, 100, &mut rng)?; // 30 clues, at most 100 tries
//! let mut chains = Chains::seeded(TokenBatch::filled(1, Size::Nine.sites(), 0), 7);
//! for (site, token) in puzzle.given() {
//!     chains.clamp(0, site, token)?; // the chain redraws the other 51 sites
//! }
//!
//! let codec = SudokuCodec::new(Size::Four);
//! let clues = codec.parse_clues("1... ..3. .2.. ...4")?;
//! let solutions = solve(Size::Four, &clues, 2)?;
//! assert_eq!(solutions.len(), 1);
//! let clue_mask: Vec<bool> = clues.iter().map(Option::is_some).collect();
//! println!("{}", codec.pretty(&solutions[0], Some(&clue_mask))?); // generated digits bear a '
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
