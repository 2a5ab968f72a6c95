//! Generated shapes and textures.

use glauber_chain::ChainRng;
use serde::{Deserialize, Serialize};

use super::motif::{KINDS, Motif};
use super::{Example, ImageSource};
use crate::{Colours, Extent, Image};

/// Points across a pixel that its colour is the mean of, for smooth edges.
const POINTS: usize = 4;

/// Which shapes are drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShapeConfig {
    /// The extent of the images.
    pub extent: Extent,
    /// Their channels.
    #[serde(default)]
    pub colours: Colours,
    /// Number of images.
    pub count: usize,
    /// Decides all of them.
    #[serde(default)]
    pub seed: u64,
}

/// An endless set of images that needs no files, cut off at a number: one shape or texture in one colour on another. The classes are
/// the kinds: circle, square, triangle, stripes, checks, gradient, noise; image `i` is of kind `i mod 7`.
///
/// Position, size, rotation and colours are drawn from stream `i` of the seed. Image `i` depends only on the
/// configuration, and not on the count. Shapes are completely inside. The two colours differ by at least 0.4 in a
/// channel.
#[derive(Debug, Clone)]
pub struct ShapeSource {
    config: ShapeConfig,
    class_names: Vec<String>,
}

impl ShapeSource {
    /// The source of a configuration.
    #[must_use]
    pub fn new(config: ShapeConfig) -> Self {
        Self { config, class_names: KINDS.map(str::to_owned).to_vec() }
    }
}

impl ImageSource for ShapeSource {
    fn len(&self) -> usize {
        self.config.count
    }

    fn extent(&self) -> Extent {
        self.config.extent
    }

    fn colours(&self) -> Colours {
        self.config.colours
    }

    fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// The image; the generator given is not used, the seed of the configuration decides.
    fn get(&self, index: usize, _: &mut ChainRng) -> Example {
        assert!(index < self.len(), "image {index} of {}", self.len());
        let ShapeConfig { extent, colours, seed, .. } = self.config;
        let mut rng = ChainRng::new(seed, index as u64);
        let kind = index % KINDS.len();
        let (ground, ink) = two_colours(&mut rng, colours);
        // The shorter side is 1 long; the other reaches beyond.
        let unit = extent.height().min(extent.width()) as f64;
        let sides = (extent.height() as f64 / unit, extent.width() as f64 / unit);
        let motif = Motif::draw(kind, sides, unit, &mut rng);
        let mut values = Vec::with_capacity(extent.pixels() * colours.channels());
        for pixel in 0..extent.pixels() {
            let share = coverage(&motif, (pixel / extent.width()) as f64, (pixel % extent.width()) as f64, unit);
            values.extend(ground.iter().zip(&ink).map(|(ground, ink)| (ground + share * (ink - ground)) as f32));
        }
        Example { image: Image::of_values(extent, colours, values), class: Some(kind) }
    }
}

/// The mean share of ink over the points of a pixel.
fn coverage(motif: &Motif, row: f64, column: f64, unit: f64) -> f64 {
    let place = |start: f64, point: usize| (start + (point as f64 + 0.5) / POINTS as f64) / unit;
    let points = (0..POINTS * POINTS).map(|point| motif.ink(place(row, point / POINTS), place(column, point % POINTS)));
    points.sum::<f64>() / (POINTS * POINTS) as f64
}

/// Uniform colours, one entry for each channel, of which one channel differs by at least 0.4.
fn two_colours(rng: &mut ChainRng, colours: Colours) -> (Vec<f64>, Vec<f64>) {
    let channels = colours.channels();
    let mut draw = || (0..channels).map(|_| rng.uniform()).collect::<Vec<f64>>();
    let (ground, mut ink) = (draw(), draw());
    let apart = rng.below(channels);
    // Going 0.4 to 0.6 around the circle of length 1 ends 0.4 to 0.6 away on the line as well.
    ink[apart] = (ground[apart] + 0.4 + 0.2 * rng.uniform()) % 1.0;
    (ground, ink)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(height: usize, width: usize, colours: Colours, seed: u64) -> ShapeSource {
        let extent = Extent::new(height, width).unwrap();
        ShapeSource::new(ShapeConfig { extent, colours, count: 700, seed })
    }

    fn image(source: &ShapeSource, index: usize) -> Image {
        source.get(index, &mut ChainRng::new(9, 9)).image
    }

    #[test]
    fn seed_and_index_decide() {
        let (one, same, other) =
            (source(12, 12, Colours::Rgb, 1), source(12, 12, Colours::Rgb, 1), source(12, 12, Colours::Rgb, 2));
        for index in 0..50 {
            assert_eq!(image(&one, index), image(&same, index));
            assert_ne!(image(&one, index), image(&other, index));
            assert_ne!(image(&one, index), image(&one, index + 7));
        }
    }

    #[test]
    fn every_image_shows_something() {
        for (height, width) in [(16, 16), (16, 40), (33, 17)] {
            for colours in [Colours::Grey, Colours::Rgb] {
                let source = source(height, width, colours, 4);
                for index in 0..140 {
                    let image = image(&source, index);
                    let range = |channel: usize| {
                        let values = image.values().iter().skip(channel).step_by(colours.channels());
                        values.clone().fold(0f32, |a, &b| a.max(b)) - values.fold(1f32, |a, &b| a.min(b))
                    };
                    let widest = (0..colours.channels()).map(range).fold(0.0, f32::max);
                    assert!(widest > 0.2, "{} {index}: {widest}", source.class_names()[index % 7]);
                }
            }
        }
    }

    #[test]
    fn shapes_lie_inside() {
        let source = source(48, 48, Colours::Grey, 8);
        for index in (0..700).filter(|index| index % 7 < 3) {
            let image = image(&source, index);
            let corner = image.pixel(0, 0)[0];
            let edge = (0..48).flat_map(|i| [(0, i), (47, i), (i, 0), (i, 47)]);
            for (row, column) in edge {
                assert!((image.pixel(row, column)[0] - corner).abs() < 1e-6, "image {index} touches its edge");
            }
        }
    }

    #[test]
    fn the_smallest_images_can_be_drawn() {
        for (height, width) in [(1, 1), (1, 9), (2, 3)] {
            let source = source(height, width, Colours::Rgb, 0);
            (0..70).for_each(|index| assert_eq!(image(&source, index).values().len(), height * width * 3));
        }
    }

    #[test]
    fn value_stability_of_the_kinds() {
        let source = source(3, 3, Colours::Grey, 42);
        let expected = [
            [96, 149, 96, 149, 210, 149, 96, 149, 96],
            [189, 161, 189, 161, 51, 161, 189, 161, 189],
            [58, 58, 58, 58, 173, 66, 58, 66, 58],
            [12, 18, 110, 12, 51, 116, 12, 97, 116],
            [121, 46, 121, 121, 158, 121, 121, 196, 121],
            [200, 204, 208, 167, 171, 175, 134, 138, 142],
            [187, 171, 149, 167, 159, 149, 140, 144, 149],
        ];
        for (index, expected) in expected.iter().enumerate() {
            assert_eq!(image(&source, index).to_bytes(), expected);
        }
    }
}
