//! A corpus as memory-mapped tokens, prepared once and found again.

mod packing;
mod prepare;
mod split;

pub use prepare::{PrepareConfig, PrepareProgress, prepare};
