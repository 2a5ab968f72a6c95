//! Images to train on and images held out.

use std::sync::Arc;

use burn::tensor::{Device, Tensor, TensorData};
use glauber_chain::ChainRng;
use glauber_pixels::{
    Crop, Fitted, FolderConfig, FolderSource, Image, ImageSource, Mnist, ShapeConfig, ShapeSource, split,
};

use super::config::{Images, TokenizerRunConfig};
use crate::progress::say;

/// Keeps the draws of training and those of the held-out images apart.
const TRAINING: u64 = 1 << 56;
const HELD_OUT: u64 = 2 << 56;

/// As many held-out pictures are named.
const NAMED: usize = 8;

type Source = Arc<dyn ImageSource>;

/// Opens a configuration's images, divided into those to train on and those held out.
pub fn open(config: &TokenizerRunConfig) -> anyhow::Result<(Source, Source)> {
    let (extent, colours) = (config.extent()?, config.colours()?);
    let mut names = Vec::new();
    let whole: Source = match &config.data.images {
        Images::Mnist { path } => {
            let Mnist { train, test } = Mnist::open(path)?;
            let fitted = |source| -> Source { Arc::new(Fitted::new(source, extent, colours)) };
            return Ok((fitted(train), fitted(test)));
        }
        Images::Shapes { count, seed } => {
            Arc::new(ShapeSource::new(ShapeConfig { extent, colours, count: *count, seed: *seed }))
        }
        Images::Folder { path, flip, margin } => {
            let crop = Crop::Random { margin: *margin };
            let folder =
                FolderSource::open(path, FolderConfig { colours, crop, flip: *flip, ..FolderConfig::new(extent) })?;
            say(&format!("{}: {}", path.display(), folder.report()));
            names.extend((0..folder.len()).map(|index| folder.path(index).display().to_string()));
            Arc::new(folder)
        }
    };
    let (train, test) = split(whole, config.data.held_out, config.seed)?;
    if !names.is_empty() && test.len() <= NAMED {
        let held_out: Vec<&str> = test.indices().iter().map(|&index| names[index].as_str()).collect();
        say(&format!("held out: {}", held_out.join(", ")));
    }
    Ok((Arc::new(train), Arc::new(test)))
}

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
