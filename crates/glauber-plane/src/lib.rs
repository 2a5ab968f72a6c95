#![doc = include_str!("../README.md")]
//! A coordinate is a sign and 15 bits of Gray code, so that neighbours differ in one bit (Dai et al. 2020, "Learning Discrete Energy-based
//! Models via Auxiliary-variable Local Exploration"). Here the density of every set is known too: what a perfect model scores is exact.

mod density;
mod gray;
mod mmd;
mod set;

pub use gray::{BITS, GrayCode};
pub use mmd::squared_mmd;
pub use set::PlaneSet;
