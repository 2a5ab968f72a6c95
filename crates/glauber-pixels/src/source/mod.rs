//! Sources of images.

mod fitted;
mod folder;
mod idx;
mod mnist;
mod motif;
mod placement;
mod shapes;
mod split;

use glauber_chain::ChainRng;

pub use fitted::Fitted;
pub use folder::{BrokenFile, FolderConfig, FolderReport, FolderSource};
pub use mnist::{Mnist, MnistSource};
pub use placement::Crop;
pub use shapes::{ShapeConfig, ShapeSource};
pub use split::{Subset, split};

use crate::{Colours, Extent, Image};

/// An image of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct Example {
    /// The image.
    pub image: Image,
    /// Its class, a place in [`ImageSource::class_names`]; `None` where the source has no classes.
    pub class: Option<usize>,
}

/// Numbered images of one extent, perhaps with classes.
///
/// A source reports errors when it is created; afterwards access to images cannot fail.
pub trait ImageSource: Send + Sync {
    /// Number of images.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The extent of every image.
    fn extent(&self) -> Extent;

    /// The channels of every image.
    fn colours(&self) -> Colours;

    /// The names of the classes; empty where there are no classes.
    fn class_names(&self) -> &[String];

    /// The image `index`. The same index and the same state of the generator give the same image; a source that changes nothing at
    /// random draws nothing.
    ///
    /// # Panics
    /// When `index ≥ len()`.
    fn get(&self, index: usize, rng: &mut ChainRng) -> Example;

    /// The images of these indices for a network: values in `-1..=1`, shape `[image, channel, row, column]`.
    ///
    /// # Panics
    /// When an index is not below `len()`.
    fn planes(&self, indices: &[usize], rng: &mut ChainRng) -> Vec<f32> {
        let size = self.extent().pixels() * self.colours().channels();
        let mut planes = vec![0.0; indices.len() * size];
        for (&index, out) in indices.iter().zip(planes.chunks_exact_mut(size)) {
            self.get(index, rng).image.write_planes(out);
        }
        planes
    }
}
