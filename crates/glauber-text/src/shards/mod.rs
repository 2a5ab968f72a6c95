//! A corpus as memory-mapped tokens, prepared once and found again.

mod format;
mod prepare;
mod split;
mod stream;
mod writer;

pub use prepare::{PrepareConfig, PrepareProgress, prepare};
pub use stream::{Sequences, TokenData, TokenStream};
