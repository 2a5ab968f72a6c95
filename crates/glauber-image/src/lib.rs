//! Image tokenizers: convolutional autoencoders with a quantiser in their middle turn images into grids of tokens and back.
//!
//! [`VqModel`] is the autoencoder, its own ([`VqConfig`]) or that of another project ([`import`]).

mod error;
pub mod import;
mod model;
mod quantiser;
mod rng;

pub use error::ImageError;
pub use model::VqModel;
pub use model::config::{LevelConfig, VqConfig};
pub use quantiser::{Codebook, Fsq, Quantised, Quantiser, QuantiserConfig};
