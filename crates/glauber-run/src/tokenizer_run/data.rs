//! Images as the batches of a training and of its evaluations.

use burn::tensor::{Device, Tensor, TensorData};
use glauber_chain::ChainRng;
use glauber_pixels::{Image, ImageSource};

/// Keeps the draws of training and those of the held-out images apart.
const TRAINING: u64 = 1 << 56;
const HELD_OUT: u64 = 2 << 56;

/// The images of a training step: every draw is addressed by seed, step and place, so a resumed run draws what an unbroken one would have.
pub fn batch(source: &dyn ImageSource, seed: u64, step: usize, count: usize) -> Vec<Image> {
    let draw = |place: usize| {
        let mut rng = ChainRng::new(seed ^ TRAINING, (step * count + place) as u64);
        let index = rng.below(source.len());
        source.get(index, &mut rng).image
    };
    (0..count).map(draw).collect()
}

/// Held-out images, the same at every call: one after the other, and again from the first at other places where there are too few.
pub fn held_out(source: &dyn ImageSource, seed: u64, count: usize) -> Vec<Image> {
    let draw = |place: usize| {
        let mut rng = ChainRng::new(seed ^ HELD_OUT, place as u64);
        source.get(place % source.len(), &mut rng).image
    };
    (0..count).map(draw).collect()
}

/// Images of one extent for the network, `[image, channel, row, column]`, −1..1.
pub fn tensor(images: &[Image], device: &Device) -> Tensor<4> {
    let shape = images.first().map_or([0; 4], |image| {
        [images.len(), image.colours().channels(), image.extent().height(), image.extent().width()]
    });
    let values: Vec<f32> = images.iter().flat_map(Image::to_planes).collect();
    Tensor::from_data(TensorData::new(values, shape), device)
}
