//! Text for Glauber chains: a [`TextCodec`] between text and tokens, a [`Corpus`] read as a stream of documents, memory-mapped
//! token shards ([`prepare`], [`TokenData`]), and [`Template`]s with gaps for infilling.
//!
//! ```no_run
//! use glauber_text::{Corpus, CorpusConfig, PrepareConfig, TextCodec, TokenizerConfig, prepare};
//!
//! # fn main() -> Result<(), glauber_text::TextError> {
//! let corpus = Corpus::open(&CorpusConfig::new(["novels/"]))?;
//! let codec = TextCodec::from_config(&TokenizerConfig::Bpe { vocab_size: 1024 }, &corpus)?;
//! let data = prepare(&PrepareConfig::default(), &corpus, &codec, "cache".as_ref(), &mut |_| {})?;
//! let sequences = data.train().sequences(256)?;
//! let mut row = vec![0; 256];
//! sequences.get(0, &mut row);
//! # Ok(())
//! # }
//! ```

mod codec;
mod corpus;
mod error;
mod shards;
mod template;

pub use codec::{Coverage, TextCodec, TokenizerConfig};
pub use corpus::{Corpus, CorpusConfig, DocumentSplit, Documents, Passage};
pub use error::TextError;
pub use glauber_shards::{Sequences, ShardError, TokenData, TokenStream};
pub use shards::{PrepareConfig, PrepareProgress, coverage, prepare};
pub use template::{Layout, Piece, Template};
