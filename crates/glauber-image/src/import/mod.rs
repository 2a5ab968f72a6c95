//! Autoencoders of other projects.

mod diffusers;
mod document;
mod naming;
mod open;
mod taming;
mod tensors;
#[cfg(test)]
mod tests;
mod torch;

use crate::VqModel;

pub use diffusers::diffusers;
pub use open::open;
pub use taming::taming;

/// The size that an autoencoder of so many levels is made for, where its configuration says `size`: the next one of whole patches. Networks
/// are convolutions; what other projects write here need not fit them.
fn whole_patches(size: usize, levels: usize) -> usize {
    let factor = 1usize.checked_shl(levels.saturating_sub(1) as u32).unwrap_or(1);
    size.checked_next_multiple_of(factor).unwrap_or(size)
}

/// The result of an import.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The autoencoder.
    pub model: VqModel,
    /// Unused tensors of the checkpoint, such as those of a loss, by name.
    pub ignored: Vec<String>,
}
