//! Fingerprints of a run's images.

use blake3::Hasher;
use glauber_chain::ChainRng;
use glauber_pixels::{Example, ImageSource};
use rayon::prelude::*;

/// Images per batch, to bound memory.
pub const AT_A_TIME: usize = 512;
/// Seed of flips and crops.
const CHANCE: u64 = 0x1A6E;

/// Training or held-out images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Training.
    Training,
    /// Held out.
    HeldOut,
}

/// The images of a part, repeated for each pass.
pub struct Passes<'a> {
    pub part: Part,
    pub source: &'a dyn ImageSource,
    pub passes: usize,
}

impl<'a> Passes<'a> {
    /// Both parts: several passes of training images, one of held-out images.
    pub fn of([train, held_out]: [&'a dyn ImageSource; 2], passes: usize) -> [Self; 2] {
        [
            Self { part: Part::Training, source: train, passes },
            Self { part: Part::HeldOut, source: held_out, passes: 1 },
        ]
    }

    /// Number of images, passes counted.
    pub fn len(&self) -> usize {
        self.source.len() * self.passes
    }

    /// The image in a pass: flips and crops depend only on part, pass and image.
    pub fn get(&self, item: usize) -> Example {
        let seed = CHANCE << 8 | self.part as u64;
        self.source.get(item % self.source.len(), &mut ChainRng::new(seed, item as u64))
    }

    /// Hashes the images as drawn, with their classes, in order.
    pub fn hash(&self, hasher: &mut Hasher) {
        hasher.update(&(self.len() as u64).to_le_bytes());
        for start in (0..self.len()).step_by(AT_A_TIME) {
            let items = start..(start + AT_A_TIME).min(self.len());
            let hashes: Vec<blake3::Hash> = items.into_par_iter().map(|item| hash(&self.get(item))).collect();
            for hash in hashes {
                hasher.update(hash.as_bytes());
            }
        }
    }
}

/// A hash of all training and held-out images, 32 hexadecimal digits. It depends on contents, order, size, colours and
/// split. For a randomly cropped picture it hashes one crop.
pub fn fingerprint(parts: [&dyn ImageSource; 2]) -> String {
    let mut hasher = Hasher::new();
    hasher.update(b"images");
    Passes::of(parts, 1).iter().for_each(|passes| passes.hash(&mut hasher));
    digits(&hasher)
}

/// The first 32 hexadecimal digits of a hash.
pub fn digits(hasher: &Hasher) -> String {
    hasher.finalize().to_hex()[..32].to_owned()
}

fn hash(example: &Example) -> blake3::Hash {
    let Example { image, class } = example;
    let mut hasher = Hasher::new();
    for number in [image.extent().height(), image.extent().width(), class.map_or(0, |class| class + 1)] {
        hasher.update(&(number as u64).to_le_bytes());
    }
    let values: Vec<u8> = image.values().iter().flat_map(|value| value.to_le_bytes()).collect();
    hasher.update(&values).finalize()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use glauber_pixels::{Colours, Extent, ShapeConfig, ShapeSource, split};

    use super::*;

    #[test]
    fn contents_size_colours_and_division_decide() {
        let print = |side: usize, colours, count, seed: u64, division: u64| {
            let extent = Extent::new(side, side).unwrap();
            let source = ShapeSource::new(ShapeConfig { extent, colours, count, seed });
            let (train, held_out) = split(Arc::new(source), 0.2, division).unwrap();
            fingerprint([&train, &held_out])
        };
        let one = print(8, Colours::Grey, 600, 0, 0);
        assert_eq!((one.len(), &one), (32, &print(8, Colours::Grey, 600, 0, 0)));
        let others = [
            print(9, Colours::Grey, 600, 0, 0),
            print(8, Colours::Rgb, 600, 0, 0),
            print(8, Colours::Grey, 601, 0, 0),
            print(8, Colours::Grey, 600, 1, 0),
            print(8, Colours::Grey, 600, 0, 1),
        ];
        assert!(others.iter().all(|other| *other != one));
    }
}
