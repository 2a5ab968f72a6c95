#![doc = include_str!("../README.md")]
//! Text for Glauber chains: a [`TextCodec`] between text and tokens, a [`Corpus`] read as a stream of documents, memory-mapped
//! token shards ([`prepare`], [`TokenData`]), and [`Template`]s with gaps for infilling.

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
