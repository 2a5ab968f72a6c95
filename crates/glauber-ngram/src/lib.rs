#![doc = include_str!("../README.md")]
//! An [`Ngram`] is a law of sequences: a baseline that is fitted in seconds, and a judge. A
//! [`Filter`] is one that reads noisy tokens. A [`NgramPrior`] joins two, from the left and from the
//! right: what they say of a site is where a network may begin.

mod counts;
mod file;
mod filter;
mod ngram;
mod parts;
mod prior;

pub use file::{FileError, from_bytes, to_bytes};
pub use filter::Filter;
pub use ngram::Ngram;
pub use parts::Parts;
pub use prior::NgramPrior;
