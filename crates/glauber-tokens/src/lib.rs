#![doc = include_str!("../README.md")]

mod batch;
mod codec;
mod error;

pub use batch::TokenBatch;
pub use codec::Codec;
pub use error::TokenError;

/// One symbol of the vocabulary `0..V`.
pub type Token = u32;

/// A position of a sequence, `0..L`.
pub type Site = usize;

/// A step of the forward chain, `0..T`. Step `t` takes `X_t` to `X_{t+1}`; the reverse chain undoes it.
pub type Step = usize;
