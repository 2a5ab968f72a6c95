//! One part to train on, one held out.

use std::sync::Arc;

use glauber_chain::ChainRng;

use super::{Example, ImageSource};
use crate::{Colours, Extent, PixelError};

/// The stream of a split's choice; far from those that number images.
const SPLIT_STREAM: u64 = u64::MAX;

/// Some images of a source, in its order.
#[derive(Clone)]
pub struct Subset {
    source: Arc<dyn ImageSource>,
    indices: Vec<usize>,
}

impl Subset {
    /// Which images of the source these are, ascending.
    #[must_use]
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }
}

impl ImageSource for Subset {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn extent(&self) -> Extent {
        self.source.extent()
    }

    fn colours(&self) -> Colours {
        self.source.colours()
    }

    fn class_names(&self) -> &[String] {
        self.source.class_names()
    }

    fn get(&self, index: usize, rng: &mut ChainRng) -> Example {
        self.source.get(self.indices[index], rng)
    }
}

/// Splits a source: a uniformly random choice of `fraction` of its images, rounded but at least one and not all, is held out; the
/// rest is for training. `(train, held out)`; the same seed gives the same choice.
///
/// # Errors
/// When `fraction` is not strictly between 0 and 1, or there are fewer than two images.
pub fn split(source: Arc<dyn ImageSource>, fraction: f64, seed: u64) -> Result<(Subset, Subset), PixelError> {
    let len = source.len();
    if !(fraction > 0.0 && fraction < 1.0 && len >= 2) {
        let expected = "a share between 0 and 1 (both excluded) and at least 2 images";
        return Err(PixelError::out_of_range(format!("a held-out share of {fraction} of {len} images"), expected));
    }
    let count = ((len as f64 * fraction).round() as usize).clamp(1, len - 1);
    let mut rng = ChainRng::new(seed, SPLIT_STREAM);
    let mut held_out: Vec<usize> = (0..len).collect();
    for place in 0..count {
        held_out.swap(place, place + rng.below(len - place));
    }
    let mut train = held_out.split_off(count);
    train.sort_unstable();
    held_out.sort_unstable();
    Ok((Subset { source: Arc::clone(&source), indices: train }, Subset { source, indices: held_out }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ShapeConfig, ShapeSource};

    fn source(count: usize) -> Arc<dyn ImageSource> {
        let extent = Extent::new(4, 4).unwrap();
        Arc::new(ShapeSource::new(ShapeConfig { extent, colours: Colours::Grey, count, seed: 1 }))
    }

    #[test]
    fn every_image_is_on_one_side() {
        for (count, fraction, expected) in [(100, 0.2, 20), (2, 0.01, 1), (2, 0.99, 1), (7, 0.5, 4), (1000, 0.001, 1)] {
            let (train, held_out) = split(source(count), fraction, 5).unwrap();
            assert_eq!(held_out.len(), expected);
            let mut all = [train.indices(), held_out.indices()].concat();
            assert!(train.indices().is_sorted() && held_out.indices().is_sorted());
            all.sort_unstable();
            assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn the_seed_decides() {
        let choice = |seed| split(source(100), 0.2, seed).unwrap().1.indices().to_vec();
        assert_eq!(choice(3), choice(3));
        assert_ne!(choice(3), choice(4));
        let (train, held_out) = split(source(100), 0.2, 3).unwrap();
        let mut rng = ChainRng::new(0, 0);
        let index = held_out.indices()[7];
        assert_eq!(held_out.get(7, &mut rng), source(100).get(index, &mut rng));
        assert_eq!(train.class_names(), source(1).class_names());
    }

    #[test]
    fn nothing_left_is_an_error() {
        for (count, fraction) in [(1, 0.5), (0, 0.5), (10, 0.0), (10, 1.0), (10, -1.0), (10, f64::NAN)] {
            let message = split(source(count), fraction, 0).err().map(|error| error.to_string()).unwrap();
            assert!(message.starts_with(&format!("a held-out share of {fraction} of {count} images")), "{message}");
        }
    }
}
