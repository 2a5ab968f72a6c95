#![doc = include_str!("../README.md")]
//! It belongs to programs: it prints, reads the environment and the clock, and its features choose backends.

#![allow(clippy::disallowed_methods, reason = "programs read the clock and the environment")]

pub mod device;
mod launched;
mod layers;
pub mod outputs;
pub mod progress;
pub mod screen;
mod shell;
mod train_flags;
pub mod training;

pub use launched::{expect_single, processes};
pub use layers::{ENERGY, Layers, MARKOV, sudoku};
pub use shell::{begin, ended, explained, is_broken_pipe, log};
pub use train_flags::{FolderFlags, TrainFlags};
