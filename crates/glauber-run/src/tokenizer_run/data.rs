//! Batches of images for training and evaluation.

use burn::tensor::{Device, Tensor, TensorData};
use glauber_chain::ChainRng;
use glauber_pixels::{Image, ImageSource};

/// Separates the random streams of training and held-out images.
const TRAINING: u64 = 1 << 56;
const HELD_OUT: u64 = 2 << 56;

/// The images of a training step. Every draw is a function of seed, step and index, so a resumed run draws the same
/// images as an uninterrupted one.
pub fn batch(source: &dyn ImageSource, seed: u64, step: usize, count: usize) -> Vec<Image> {
    let draw = |place: usize| {
        let mut rng = ChainRng::new(seed ^ TRAINING, (step * count + place) as u64);
        let index = rng.below(source.len());
        source.get(index, &mut rng).image
    };
    (0..count).map(draw).collect()
}

/// Held-out images in order, equal at every call. If there are too few, they repeat with other crops.
pub fn held_out(source: &dyn ImageSource, seed: u64, count: usize) -> Vec<Image> {
    let draw = |place: usize| {
        let mut rng = ChainRng::new(seed ^ HELD_OUT, place as u64);
        source.get(place % source.len(), &mut rng).image
    };
    (0..count).map(draw).collect()
}

/// Converts images of one extent to a tensor `[image, channel, row, column]` in −1..1.
pub fn tensor(images: &[Image], device: &Device) -> Tensor<4> {
    let shape = images.first().map_or([0; 4], |image| {
        [images.len(), image.colours().channels(), image.extent().height(), image.extent().width()]
    });
    let values: Vec<f32> = images.iter().flat_map(Image::to_planes).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}
