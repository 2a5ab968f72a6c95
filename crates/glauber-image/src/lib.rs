#![doc = include_str!("../README.md")]
//! Image tokenizers: convolutional autoencoders with a quantiser in their middle turn images into grids of tokens and back.
//!
//! [`VqModel`] is the autoencoder, its own ([`VqConfig`]) or that of another project ([`import`]); [`TokenizerTrainer`] trains one;
//! [`ImageTokenizer`] turns images of one size into [`TokenBatch`](glauber_tokens::TokenBatch)es and back, as tensors or, being a
//! [`Codec`](glauber_tokens::Codec), as [`Image`](glauber_pixels::Image)s. On burn's CPU device layers are slow without the feature
//! `cpu`, which fuses them.

mod error;
mod fingerprint;
pub mod import;
mod model;
mod pictures;
mod quantiser;
mod storage;
mod tokenizer;
mod training;

/// The streams of a seed, by what is drawn from them.
mod streams {
    pub const WEIGHTS: u64 = 0;
    pub const DISCRIMINATOR: u64 = 1;
    pub const CODEBOOK: u64 = 2;
}

pub use error::ImageError;
pub use model::VqModel;
pub use model::config::{LevelConfig, VqConfig};
pub use quantiser::{Codebook, Fsq, Quantised, Quantiser, QuantiserConfig};
pub use tokenizer::ImageTokenizer;
pub use training::{CodebookUsage, DiscriminatorConfig, TokenizerLosses, TokenizerTrainConfig, TokenizerTrainer};
