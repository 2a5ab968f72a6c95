//! A corpus as memory-mapped tokens, prepared once and cached.

mod packing;
mod prepare;
mod split;
mod surroundings;

pub use prepare::{PrepareConfig, PrepareProgress, coverage, prepare};
