#![doc = include_str!("../README.md")]
//! [`cached`] finds the folder of a key or has it written; a [`TokenWriter`] fills it, split by split; [`TokenData`] maps it. What the
//! tokens are, text or images, is not known here: a split is one long stream, which may be divided into documents and may have a label
//! for each of its items.

mod cache;
mod error;
mod format;
mod mapped;
mod stream;
mod writer;

pub use cache::cached;
pub use error::ShardError;
pub use stream::{Sequences, TokenData, TokenStream};
pub use writer::{SplitWriter, TokenWriter};

/// Version of the shards and of how tokens are made of data; part of every key, so that a change prepares anew.
pub const VERSION: u32 = 1;

/// One of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// What is trained on.
    Training,
    /// What is held out.
    Validation,
}

impl Split {
    /// The name in messages.
    fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Validation => "validation",
        }
    }

    /// What its files begin with.
    fn file(self) -> &'static str {
        match self {
            Self::Training => "train",
            Self::Validation => "validation",
        }
    }
}
