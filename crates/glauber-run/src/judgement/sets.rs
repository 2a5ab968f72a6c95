//! The compared sets of images.

use std::ops::Range;

use glauber_chain::ChainRng;
use glauber_pixels::{Example, Image, ImageSource};
use glauber_tokens::{Token, TokenBatch};
use rayon::prelude::*;

use super::draw::Drawn;
use crate::error::Result;
use crate::images::PictureCodec;

/// First stream of the seed for draws outside chains, far from the streams of chains.
const REFERENCE_STREAM: u64 = u64::MAX - 1;
const HELD_OUT_STREAM: u64 = u64::MAX - 2;
/// Derives the seeds of flips and crops, and of images of independent pixels, each with its own stream.
const CHANCE: u64 = 0xC4A7_0000_0000_0000;
const INDEPENDENT: u64 = 0x17D3_0000_0000_0000;

/// Maximal size of the source images of independent pixels: half a gigabyte.
const MOST_NUMBERS: usize = 1 << 27;

/// Generates images by their indices.
type Make<'a> = Box<dyn Fn(Range<usize>) -> Result<Vec<Example>> + 'a>;

/// A set of images, generated in batches and reproducible, with known or requested classes.
pub struct Set<'a> {
    len: usize,
    make: Make<'a>,
}

impl<'a> Set<'a> {
    /// Training images to compare with.
    pub fn reference(source: &'a dyn ImageSource, count: usize, seed: u64) -> Self {
        Self::chosen(source, count, seed, REFERENCE_STREAM)
    }

    /// Held-out images.
    pub fn held_out(source: &'a dyn ImageSource, count: usize, seed: u64) -> Self {
        Self::chosen(source, count, seed, HELD_OUT_STREAM)
    }

    /// A number of different images, or all if there are fewer.
    fn chosen(source: &'a dyn ImageSource, count: usize, seed: u64, stream: u64) -> Self {
        let mut rng = ChainRng::new(seed, stream);
        let mut indices: Vec<usize> = (0..source.len()).collect();
        let len = count.min(source.len());
        for place in 0..len {
            indices.swap(place, place + rng.below(source.len() - place));
        }
        let image = move |&index: &usize| source.get(index, &mut ChainRng::new(seed ^ CHANCE, index as u64));
        Self { len, make: Box::new(move |range: Range<usize>| Ok(indices[range].iter().map(image).collect())) }
    }

    /// Samples of the chains.
    pub fn samples(drawn: &'a Drawn, codec: &'a PictureCodec) -> Self {
        let make = move |range: Range<usize>| -> Result<Vec<Example>> {
            let images = codec.decode_all(&TokenBatch::new(drawn.grids[range.clone()].concat(), codec.len())?)?;
            let classes = drawn.classes[range].iter();
            Ok(images.into_iter().zip(classes).map(|(image, &class)| Example { image, class }).collect())
        };
        Self { len: drawn.grids.len(), make: Box::new(make) }
    }

    /// Reconstructions of images.
    pub fn through(self, codec: &'a PictureCodec) -> Self {
        let len = self.len;
        let make = move |range: Range<usize>| -> Result<Vec<Example>> {
            let examples = self.images(range)?;
            let grids = examples.par_iter().map(|example| codec.encode(&example.image));
            let grids: Vec<Vec<Token>> = grids.collect::<Result<_>>()?;
            let images = codec.decode_all(&TokenBatch::new(grids.concat(), codec.len())?)?;
            Ok(images
                .into_iter()
                .zip(examples)
                .map(|(image, Example { class, .. })| Example { image, class })
                .collect())
        };
        Self { len, make: Box::new(make) }
    }

    /// Images of independent pixels: each pixel is copied from a random image of another set. For large images, the set
    /// is limited to half a gigabyte.
    pub fn independent(of: &Set<'_>, count: usize, seed: u64) -> Result<Self> {
        let mut pool: Vec<Image> = Vec::new();
        while pool.len() < of.len && pool.iter().map(|image| image.values().len()).sum::<usize>() < MOST_NUMBERS {
            let next = pool.len()..of.len.min(pool.len() + 64);
            pool.extend(of.images(next)?.into_iter().map(|example| example.image));
        }
        let image = move |number: usize| -> Result<Example> {
            let mut rng = ChainRng::new(seed ^ INDEPENDENT, number as u64);
            let (extent, colours) = (pool[0].extent(), pool[0].colours());
            let channels = colours.channels();
            let pixel = |pixel: usize| &pool[rng.below(pool.len())].values()[pixel * channels..][..channels];
            let values = (0..extent.pixels()).flat_map(pixel).copied().collect();
            Ok(Example { image: Image::new(extent, colours, values)?, class: None })
        };
        Ok(Self { len: count, make: Box::new(move |range: Range<usize>| range.map(&image).collect()) })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Some of the images.
    ///
    /// # Panics
    /// If the range exceeds the set.
    pub fn images(&self, range: Range<usize>) -> Result<Vec<Example>> {
        (self.make)(range)
    }
}

#[cfg(test)]
mod tests {
    use glauber_pixels::{Colours, Extent};

    use super::*;

    fn set(len: usize, image: impl Fn(usize) -> Image + 'static) -> Set<'static> {
        let make = move |range: Range<usize>| Ok(range.map(|i| Example { image: image(i), class: None }).collect());
        Set { len, make: Box::new(make) }
    }

    #[test]
    fn independent_pixels_have_their_own_marginals() {
        // Of two pixels in colour, the first is red in every fourth image and else blue, the second always the other of the two.
        let [red, blue] = [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]];
        let image = move |i: usize| {
            let values = if i.is_multiple_of(4) { [red, blue] } else { [blue, red] };
            Image::new(Extent::new(1, 2).unwrap(), Colours::Rgb, values.concat()).unwrap()
        };
        let drawn = Set::independent(&set(400, image), 4000, 3).unwrap().images(0..4000).unwrap();
        for example in &drawn {
            assert!(
                example.image.values().chunks(3).all(|pixel| pixel == red || pixel == blue),
                "channels stay together"
            );
        }
        let share = |wanted: &dyn Fn(&Image) -> bool| {
            drawn.iter().filter(|example| wanted(&example.image)).count() as f64 / drawn.len() as f64
        };
        // Four standard errors.
        assert!((share(&|image| image.pixel(0, 0) == red) - 0.25).abs() < 0.028);
        assert!((share(&|image| image.pixel(0, 1) == red) - 0.75).abs() < 0.028);
        assert!((share(&|image| image.pixel(0, 0) == image.pixel(0, 1)) - 0.375).abs() < 0.031);
    }
}
