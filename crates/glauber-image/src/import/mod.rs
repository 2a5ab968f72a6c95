//! Autoencoders of other projects.

mod diffusers;
mod document;
mod naming;
mod open;
mod taming;
mod tensors;
#[cfg(test)]
mod tests;

use crate::VqModel;

pub use diffusers::diffusers;
pub use open::open;
pub use taming::taming;

/// What an import gives.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The autoencoder.
    pub model: VqModel,
    /// Tensors of the checkpoint that are no part of it, such as those of a loss, by name.
    pub ignored: Vec<String>,
}
