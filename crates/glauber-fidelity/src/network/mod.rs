//! Networks that turn images into features and classes.

pub(crate) mod config;
pub(crate) mod layers;
mod storage;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use glauber_chain::ChainRng;
use glauber_pixels::Image;

use crate::{Features, FidelityError, NetworkConfig};

use config::LayerConfig;
use layers::{Signal, Weights};

/// Images that run through a network at a time.
const BATCH: usize = 128;
/// The stream of a seed that weights are drawn from.
const WEIGHT_STREAM: u64 = u64::MAX;

/// Gives the numbers of a tensor by the number of its layer, its name there, and its shape.
type LayerSupply<'a> = dyn FnMut(usize, &str, &[usize]) -> Result<Vec<f32>, FidelityError> + 'a;

/// The weights of all layers.
#[derive(Module, Debug)]
pub(crate) struct Stack {
    pub layers: Vec<Weights>,
}

/// A feature network: images to features, and to classes if it has them.
#[derive(Debug, Clone)]
pub struct FeatureNetwork {
    config: NetworkConfig,
    pub(crate) stack: Stack,
    device: Device,
}

/// Features and classes of images.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The features.
    pub features: Features,
    /// The most probable class of each image, shape `[image]`; empty for a network without classes.
    pub classes: Option<Vec<usize>>,
}

impl FeatureNetwork {
    /// A network with weights drawn from a seed, the same on every device: uniform of variance 2 / fan-in, biases 0.
    ///
    /// # Errors
    /// [`FidelityError::Setting`] when the description is inconsistent.
    pub fn new(config: &NetworkConfig, seed: u64, device: &Device) -> Result<Self, FidelityError> {
        let mut rng = ChainRng::new(seed, WEIGHT_STREAM);
        Self::supplied(config, device, &mut |_, name, shape| {
            let size = shape.iter().product();
            Ok(match name {
                "weight" if shape.len() > 1 => {
                    let bound = (6.0 / shape[1..].iter().product::<usize>() as f64).sqrt();
                    (0..size).map(|_| ((2.0 * rng.uniform() - 1.0) * bound) as f32).collect()
                }
                "weight" | "running_var" => vec![1.0; size],
                _ => vec![0.0; size],
            })
        })
    }

    /// A network whose tensors are given by the number of their layer, their name there, and their shape.
    fn supplied(config: &NetworkConfig, device: &Device, supply: &mut LayerSupply<'_>) -> Result<Self, FidelityError> {
        let mut shape = config.input.shape();
        let mut layers = Vec::new();
        for (at, (layer, output)) in config.layers.iter().zip(config.shapes()?).enumerate() {
            layers.push(Weights::new(layer, shape, &mut |name, shape| supply(at, name, shape), device)?);
            shape = output;
        }
        Ok(Self { config: config.clone(), stack: Stack { layers }, device: device.clone() })
    }

    /// The description of the network.
    #[must_use]
    pub fn config(&self) -> &NetworkConfig {
        &self.config
    }

    /// Number of weights.
    #[must_use]
    pub fn weights(&self) -> usize {
        self.stack.num_params()
    }

    /// Numbers of a feature vector.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.config.shapes().map_or(0, |shapes| shapes[self.config.features].numbers())
    }

    /// The features of images, each brought to the network's extent and channels.
    ///
    /// # Errors
    /// [`FidelityError::NotFinite`] when an output is not finite.
    pub fn features(&self, images: &[Image]) -> Result<Features, FidelityError> {
        Ok(self.run(images, false)?.features)
    }

    /// The most probable class of each image, a place in the description's `classes`, shape `[image]`.
    ///
    /// # Errors
    /// [`FidelityError::NoClasses`], and those of [`features`](Self::features).
    pub fn classify(&self, images: &[Image]) -> Result<Vec<usize>, FidelityError> {
        self.run(images, true)?.classes.ok_or(FidelityError::NoClasses)
    }

    /// Features and classes in one pass.
    ///
    /// # Errors
    /// Those of [`features`](Self::features).
    pub fn examine(&self, images: &[Image]) -> Result<Found, FidelityError> {
        self.run(images, true)
    }

    fn run(&self, images: &[Image], classify: bool) -> Result<Found, FidelityError> {
        let mut features = Features::empty(self.dim())?;
        let mut classes = (classify && !self.config.classes.is_empty()).then(Vec::new);
        for batch in images.chunks(BATCH) {
            let planes: Vec<f32> = batch.iter().flat_map(|image| self.planes(image)).collect();
            let (found, logits) = self.forward(&self.stack, planes, batch.len(), classes.is_some());
            features.append(&Features::new(found.into_data().iter().collect(), features.dim())?)?;
            if let (Some(classes), Some(logits)) = (&mut classes, logits) {
                let width = self.config.classes.len();
                let logits: Vec<f32> = logits.into_data().iter().collect();
                classes.extend(logits.chunks_exact(width).map(most_probable));
            }
        }
        Ok(Found { features, classes })
    }

    /// An image as the network is given it, shape `[channel, row, column]`.
    pub(crate) fn planes(&self, image: &Image) -> Vec<f32> {
        let input = &self.config.input;
        let image = image.to_colours(input.colours);
        let image = if image.extent() == input.extent { image } else { image.resized(input.extent) };
        let mut planes = image.to_planes();
        let pixels = input.extent.pixels();
        for (place, value) in planes.iter_mut().enumerate() {
            let number = |of: &[f32]| of.get(place / pixels).copied().unwrap_or(0.5);
            *value = ((*value + 1.0) / 2.0 - number(&input.mean)) / number(&input.deviation);
        }
        planes
    }

    /// Features `[batch, feature]`, and logits `[batch, class]` where `all` layers are to run, of planes `[batch, channel, row, column]`.
    pub(crate) fn forward(
        &self,
        stack: &Stack,
        planes: Vec<f32>,
        batch: usize,
        all: bool,
    ) -> (Tensor<2>, Option<Tensor<2>>) {
        let input = &self.config.input;
        let shape = [batch, input.colours.channels(), input.extent.height(), input.extent.width()];
        let images = Tensor::<4>::from_data(TensorData::new(planes, shape), &self.device);
        let mut layers = self.config.layers.iter().zip(&stack.layers);
        let pass = |x: Signal, (layer, weights): (&LayerConfig, &Weights)| weights.forward(layer, x);
        let signal = layers.by_ref().take(self.config.features + 1).fold(Signal::Map(images), pass);
        let logits = all.then(|| layers.fold(signal.clone(), pass).flat());
        (signal.flat(), logits)
    }

    /// The description and the plain device with other weights.
    pub(crate) fn with_stack(&self, stack: Stack) -> Self {
        Self { stack, ..self.clone() }
    }
}

/// The first of the greatest numbers.
fn most_probable(logits: &[f32]) -> usize {
    let better = |best: usize, at: usize| if logits[at] > logits[best] { at } else { best };
    (0..logits.len()).fold(0, better)
}

#[cfg(test)]
mod tests {
    use glauber_pixels::{Colours, Extent};

    use super::*;

    fn network(side: usize) -> FeatureNetwork {
        let classes = ["a", "b"].map(String::from).to_vec();
        let config = NetworkConfig::classifier(Extent::new(side, side).unwrap(), Colours::Grey, classes);
        FeatureNetwork::new(&config, 5, &Device::flex()).unwrap()
    }

    fn images(count: usize, side: usize) -> Vec<Image> {
        let extent = Extent::new(side, side).unwrap();
        let mut rng = ChainRng::new(1, 0);
        let mut image = |_| (0..side * side).map(|_| rng.uniform() as f32).collect();
        (0..count).map(|at| Image::new(extent, Colours::Grey, image(at)).unwrap()).collect()
    }

    #[test]
    fn features_do_not_depend_on_the_batch() {
        let (network, images) = (network(8), images(BATCH + 3, 8));
        let Found { features, classes } = network.examine(&images).unwrap();
        assert_eq!((features.len(), features.dim(), network.dim()), (BATCH + 3, 128, 128));
        let alone = network.features(&images[BATCH..]).unwrap();
        for (one, other) in alone.values().iter().zip(&features.values()[BATCH * 128..]) {
            assert!((one - other).abs() < 1e-5);
        }
        assert_eq!(network.classify(&images).unwrap(), classes.unwrap());
        assert!(features.values().iter().all(|value| *value >= 0.0), "the features come after the ReLU");
        assert!(network.examine(&[]).unwrap().features.is_empty());
    }

    #[test]
    fn images_are_brought_to_the_input() {
        let mut network = network(8);
        let grey = Image::filled(Extent::new(3, 5).unwrap(), Colours::Rgb, 0.75);
        assert!(network.planes(&grey).iter().all(|value| (value - 0.5).abs() < 1e-6));
        network.config.input.mean = vec![0.25];
        network.config.input.deviation = vec![2.0];
        let planes = network.planes(&grey);
        assert!(planes.len() == 64 && planes.iter().all(|value| (value - 0.25).abs() < 1e-6));
    }

    #[test]
    fn a_seed_gives_the_same_weights_and_another_seed_others() {
        let images = images(2, 8);
        let found = |seed| {
            let network = FeatureNetwork::new(network(8).config(), seed, &Device::flex()).unwrap();
            network.features(&images).unwrap()
        };
        assert_eq!(found(1), found(1));
        assert_ne!(found(1), found(2));
    }
}
