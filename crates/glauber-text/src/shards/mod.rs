//! A corpus as memory-mapped tokens, prepared once and found again.

mod packing;
mod prepare;
mod split;
mod surroundings;

pub use prepare::{PrepareConfig, PrepareProgress, coverage, prepare};
