//! Training a classifier, one step at a time.

use burn::nn::loss::CrossEntropyLossConfig;
use burn::tensor::{Device, Int, Tensor, TensorData};
use glauber_chain::ChainRng;
use glauber_descent::{
    LearningRateSchedule, OptimiserConstants, ParamGroups, Settings, Stream, Task, Trainer, UpdateRule,
};
use glauber_pixels::{Example, ImageSource};
use serde::{Deserialize, Serialize};

use crate::network::Stack;
use crate::network::config::LayerConfig;
use crate::{FeatureNetwork, FidelityError};

/// Configuration of a classifier's training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClassifierTrainConfig {
    /// Optimiser steps.
    pub steps: usize,
    /// Images of a step.
    pub batch: usize,
    /// Peak of the learning rate of AdamW; it rises over the first twentieth of the steps and falls to 0 as a cosine.
    pub learning_rate: f64,
    /// Decoupled weight decay, per unit of learning rate.
    pub weight_decay: f64,
    /// Images are moved by up to this many pixels each way, their edges repeated.
    pub shift: usize,
}

impl Default for ClassifierTrainConfig {
    fn default() -> Self {
        Self { steps: 1500, batch: 64, learning_rate: 3e-3, weight_decay: 0.01, shift: 1 }
    }
}

impl ClassifierTrainConfig {
    /// Checks the numbers.
    ///
    /// # Errors
    /// [`FidelityError::Setting`] names the key.
    pub fn validate(&self) -> Result<(), FidelityError> {
        for (key, found, least, most) in
            [("steps", self.steps, 1, 1 << 30), ("batch", self.batch, 1, 1 << 16), ("shift", self.shift, 0, 1 << 10)]
        {
            let expected = format!("a number in {least}..={most}");
            FidelityError::require((least..=most).contains(&found), key, found, expected)?;
        }
        let (rate, decay) = (self.learning_rate, self.weight_decay);
        FidelityError::require(rate > 0.0 && rate <= 1.0, "learning_rate", rate, "a number above 0, at most 1")?;
        FidelityError::require((0.0..=10.0).contains(&decay), "weight_decay", decay, "a number in 0..=10")
    }

    /// The learning rate of a step.
    fn rate(&self, step: usize) -> f64 {
        let warmup = (self.steps / 20).max(1);
        let warmth = ((step + 1) as f64 / warmup as f64).min(1.0);
        warmth * self.schedule().rate(step)
    }

    /// The learning-rate schedule without the warm-up, which overlaps with it.
    fn schedule(&self) -> LearningRateSchedule {
        LearningRateSchedule { peak: self.learning_rate, warmup_steps: 0, steps: self.steps, minimum: 0.0 }
    }

    /// How weights follow their gradients.
    fn settings(&self, seed: u64) -> Settings {
        let constants = OptimiserConstants { beta_1: 0.9, beta_2: 0.999, weight_decay: self.weight_decay };
        Settings { clip_norm: f64::INFINITY, average_decay: None, constants, ..Settings::new(self.schedule(), seed) }
    }
}

/// Trains a classifier by cross-entropy on a source with classes.
///
/// The batch of a step is a function of seed and step, so equal runs on one machine give equal networks.
pub struct ClassifierTrainer {
    config: ClassifierTrainConfig,
    network: FeatureNetwork,
    trainer: Trainer<Stack>,
}

impl ClassifierTrainer {
    /// Begins with a network, drawn or loaded, on the plain device.
    ///
    /// # Errors
    /// [`FidelityError::Setting`] when a number is out of range, or the network has layers that differ between training
    /// and evaluation: batch normalisation and dropout. [`FidelityError::NoClasses`] when it has no classes.
    pub fn new(
        network: FeatureNetwork,
        config: &ClassifierTrainConfig,
        seed: u64,
        device: &Device,
    ) -> Result<Self, FidelityError> {
        config.validate()?;
        if network.config().classes.is_empty() {
            return Err(FidelityError::NoClasses);
        }
        let untrainable =
            |layer: &LayerConfig| matches!(layer, LayerConfig::BatchNorm { .. } | LayerConfig::Identity {});
        if let Some(at) = network.config().layers.iter().position(untrainable) {
            let expected = "a layer that is the same in training: a network with this one can be used, not trained";
            return Err(FidelityError::setting(format!("layers[{at}].kind"), "batch-norm or identity", expected));
        }
        let groups = ParamGroups::all(&network.stack, UpdateRule::DecayedAdamW);
        let trainer = Trainer::new(network.stack.clone(), groups, config.settings(seed), device, 1);
        Ok(Self { config: config.clone(), network, trainer })
    }

    /// The network as it stands, on the plain device.
    pub fn network(&self) -> FeatureNetwork {
        self.network.with_stack(self.trainer.model().clone())
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.trainer.steps()
    }

    /// One step; gives the loss before it, nats an image.
    ///
    /// # Errors
    /// [`FidelityError::TooFew`] for a source without images, [`FidelityError::NoClasses`] for an image without a
    /// class, or of a class that the network has not; [`FidelityError::Training`] when the loss is not finite; the
    /// weights are then unchanged.
    pub fn step(&mut self, source: &dyn ImageSource) -> Result<f64, FidelityError> {
        let task = Recognising { config: &self.config, network: &self.network, source };
        Ok(self.trainer.step_at(&task, self.config.rate(self.steps()))?.loss)
    }
}

/// Trains a network to classify images.
struct Recognising<'a> {
    config: &'a ClassifierTrainConfig,
    network: &'a FeatureNetwork,
    source: &'a dyn ImageSource,
}

impl Task for Recognising<'_> {
    type Model = Stack;
    /// Images `[batch, channel, row, column]`, moved at random, and their classes.
    type Batch = (Vec<f32>, Vec<i32>);
    type Error = FidelityError;

    fn batch(&self, _: &Stack, stream: Stream) -> Result<Self::Batch, FidelityError> {
        if self.source.is_empty() {
            return Err(FidelityError::TooFew { what: "to train on", found: 0, least: 1 });
        }
        let mut rng = ChainRng::new(stream.seed, stream.number);
        let input = self.network.config().input.extent;
        let (mut planes, mut classes) = (Vec::new(), Vec::new());
        for _ in 0..self.config.batch {
            let index = rng.below(self.source.len());
            let Example { image, class } = self.source.get(index, &mut rng);
            let class = class.filter(|&class| class < self.network.config().classes.len());
            classes.push(class.ok_or(FidelityError::NoClasses)? as i32);
            let mut offset = || rng.below(2 * self.config.shift + 1) as isize - self.config.shift as isize;
            let by = [offset(), offset()];
            planes.extend(shifted(&self.network.planes(&image), [input.height(), input.width()], by));
        }
        Ok((planes, classes))
    }

    fn loss(&self, stack: &Stack, (planes, classes): &Self::Batch, device: &Device) -> Tensor<1> {
        let batch = classes.len();
        let (features, logits) = self.network.forward(stack, planes.clone(), batch, true);
        let targets = Tensor::<1, Int>::from_data(TensorData::new(classes.clone(), [batch]), device);
        CrossEntropyLossConfig::new().init(device).forward(logits.unwrap_or(features), targets)
    }
}

/// Planes `[channel, row, column]` moved down and to the right, their edges repeated.
fn shifted(planes: &[f32], [height, width]: [usize; 2], [down, right]: [isize; 2]) -> Vec<f32> {
    let from = |place: usize, by: isize, side: usize| place.saturating_add_signed(-by).min(side - 1);
    let moved = |place: usize| {
        let (row, column) = (place / width % height, place % width);
        let channel = place / (height * width);
        planes[(channel * height + from(row, down, height)) * width + from(column, right, width)]
    };
    (0..planes.len()).map(moved).collect()
}

/// The number of images that a network recognises, per class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognition {
    /// Correctly classified images per class, shape `[class]`.
    pub right: Vec<usize>,
    /// Images of each class, shape `[class]`.
    pub count: Vec<usize>,
}

impl Recognition {
    /// Empty counts of `classes` classes.
    #[must_use]
    pub fn none(classes: usize) -> Self {
        Self { right: vec![0; classes], count: vec![0; classes] }
    }

    /// Counts an image.
    ///
    /// # Panics
    /// When its class is beyond the number of classes.
    pub fn add(&mut self, class: usize, found: usize) {
        self.count[class] += 1;
        self.right[class] += usize::from(class == found);
    }

    /// Number of images.
    #[must_use]
    pub fn total(&self) -> usize {
        self.count.iter().sum()
    }

    /// The share that is recognised; NaN of none.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.right.iter().sum::<usize>() as f64 / self.total() as f64
    }

    /// The 95 % interval of the share, of none 0 to 1: all `p` with `|share − p| ≤ z √(p (1 − p) / n)`, `z = 1.96`.
    ///
    /// E. B. Wilson, *Probable inference, the law of succession, and statistical inference*, Journal of the American
    /// Statistical Association 22(158), 1927. Unlike share ± error, it is valid for few images, and if all or none are
    /// recognised.
    #[must_use]
    pub fn interval(&self) -> [f64; 2] {
        const Z: f64 = 1.959_963_984_540_054;
        if self.total() == 0 {
            return [0.0, 1.0];
        }
        let (share, count) = (self.share(), self.total() as f64);
        let middle = share + Z * Z / (2.0 * count);
        let reach = Z * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt();
        [middle - reach, middle + reach].map(|end| (end / (1.0 + Z * Z / count)).clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifts_repeat_the_edge() {
        let planes: Vec<f32> = (0..12).map(|i| i as f32).collect();
        assert_eq!(shifted(&planes, [2, 3], [0, 0]), planes);
        assert_eq!(shifted(&planes, [2, 3], [1, 0]), [0., 1., 2., 0., 1., 2., 6., 7., 8., 6., 7., 8.]);
        assert_eq!(shifted(&planes, [2, 3], [-1, -2]), [5., 5., 5., 5., 5., 5., 11., 11., 11., 11., 11., 11.]);
        assert_eq!(shifted(&planes, [2, 3], [0, 1]), [0., 0., 1., 3., 3., 4., 6., 6., 7., 9., 9., 10.]);
    }

    #[test]
    fn the_rate_rises_and_falls() {
        let config = ClassifierTrainConfig { steps: 100, learning_rate: 1.0, ..ClassifierTrainConfig::default() };
        assert!((config.rate(0) - 0.2).abs() < 1e-12);
        assert!(config.rate(4) > 0.99 && (config.rate(50) - 0.5).abs() < 1e-12 && config.rate(99) < 1e-3);
    }

    #[test]
    fn recognition_by_hand() {
        let mut recognition = Recognition::none(2);
        [(0, 0), (0, 1), (1, 1), (1, 1)].into_iter().for_each(|(class, found)| recognition.add(class, found));
        assert_eq!(
            (recognition.right.as_slice(), recognition.count.as_slice()),
            ([1, 2].as_slice(), [2, 2].as_slice())
        );
        assert_eq!(recognition.share(), 0.75);
        // Each end is as far from the share as the error that it would have itself.
        for end in recognition.interval() {
            assert!(((0.75 - end).abs() - 1.959_963_984_540_054 * (end * (1.0 - end) / 4.0).sqrt()).abs() < 1e-12);
        }
        let mut one = Recognition::none(1);
        assert_eq!(one.interval(), [0.0, 1.0]);
        one.add(0, 0);
        let [low, high] = one.interval();
        // 1 / (1 + z²).
        assert!((low - 0.206_549).abs() < 1e-5 && (high - 1.0).abs() < 1e-12, "{low} to {high}");
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let base = ClassifierTrainConfig::default();
        assert!(ClassifierTrainConfig { shift: 0, ..base.clone() }.validate().is_ok());
        assert!(ClassifierTrainConfig { shift: 1 << 10, ..base.clone() }.validate().is_ok());
        for shift in [(1 << 10) + 1, usize::MAX] {
            let message = ClassifierTrainConfig { shift, ..base.clone() }.validate().unwrap_err().to_string();
            assert_eq!(message, format!("`shift` is {shift}, expected a number in 0..=1024"));
        }
        let message = ClassifierTrainConfig { steps: 0, ..base }.validate().unwrap_err().to_string();
        assert!(message.starts_with("`steps` is 0, expected a number in 1..="), "{message}");
    }
}
