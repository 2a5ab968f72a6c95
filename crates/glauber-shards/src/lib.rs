//! Tokens on disk: written once into shards, mapped into memory by every later run.
//!
//! [`cached`] finds the folder of a key or has it written; a [`TokenWriter`] fills it, split by split; [`TokenData`] maps it. What the
//! tokens are, text or images, is not known here: a split is one long stream, which may be divided into documents and may have a label
//! for each of its items.
//!
//! ```
//! use glauber_shards::{ShardError, Split, TokenWriter, cached};
//!
//! let cache = tempfile::tempdir()?;
//! let write = |folder: &std::path::Path| -> Result<(), ShardError> {
//!     let mut writer = TokenWriter::new(folder, 10, "");
//!     for grid in [[1, 2, 3, 4], [5, 6, 7, 8]] {
//!         writer.split(Split::Training).write(&grid)?;
//!     }
//!     writer.finish()
//! };
//! let data = cached(cache.path(), "two-grids", write)?;
//! let mut grid = [0; 4];
//! data.train().sequences(4)?.get(1, &mut grid);
//! assert_eq!(grid, [5, 6, 7, 8]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
