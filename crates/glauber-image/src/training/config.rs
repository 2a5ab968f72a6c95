//! Configuration of an autoencoder's training.

use burn::module::Module;
use burn::tensor::Device;
use glauber_descent::{LearningRateSchedule, OptimiserConstants, ParamGroups, Settings, Trainer, UpdateRule};
use serde::{Deserialize, Serialize};

use crate::ImageError;

/// Weights of the losses, and rates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenizerTrainConfig {
    /// Steps of the learning-rate schedule; further steps use the lowest rate.
    pub steps: usize,
    /// Rate of Adam after the warm-up, for the autoencoder.
    pub learning_rate: f64,
    /// Steps over which the rate rises from 0.
    pub warmup_steps: usize,
    /// The rate at the last step as a part of `learning_rate`, along half a cosine; 1 keeps it. The discriminator's rate goes with it.
    pub minimum_rate: f64,
    /// Number of equal micro-batches of a batch, computed in parallel.
    pub micro_batches: usize,
    /// Adam's decay of the mean gradient.
    pub beta_1: f64,
    /// Adam's decay of the mean square of the gradient.
    pub beta_2: f64,
    /// Weight of the mean absolute difference between images and their reconstructions.
    pub absolute: f64,
    /// Weight of the mean squared difference.
    pub square: f64,
    /// Weight of the mean squared distance from latents to their codes.
    pub commitment: f64,
    /// Decay of the moving averages that a codebook's entries follow.
    pub decay: f64,
    /// An entry is dead, and moved to a latent of the batch, when its average use falls below this part of the mean use.
    pub revive_below: f64,
    /// Whether the codebook is drawn from the latents of the first batch, in place of the entries that are there.
    pub fresh_codebook: bool,
    /// A discriminator of patches, or none.
    pub discriminator: Option<DiscriminatorConfig>,
}

impl Default for TokenizerTrainConfig {
    fn default() -> Self {
        Self {
            steps: 10_000,
            learning_rate: 2e-4,
            warmup_steps: 100,
            minimum_rate: 0.1,
            micro_batches: 1,
            beta_1: 0.9,
            beta_2: 0.99,
            absolute: 1.0,
            square: 1.0,
            commitment: 0.25,
            decay: 0.99,
            revive_below: 0.03,
            fresh_codebook: true,
            discriminator: None,
        }
    }
}

/// A discriminator of patches (Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks", 2017).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DiscriminatorConfig {
    /// Step from which it is trained and counts.
    pub begin: usize,
    /// Weight of its output in the autoencoder's loss.
    pub weight: f64,
    /// Whether that weight is multiplied, at every step, by the ratio of the norms of two gradients at the decoder's last layer: that of
    /// the weighted differences over that of the verdict (Esser et al., "Taming Transformers for High-Resolution Image Synthesis", 2021,
    /// equation 7).
    pub adaptive: bool,
    /// Channels after its first convolution, a multiple of 8.
    pub width: usize,
    /// How often it halves images; with 3, a verdict is on 70 × 70 pixels.
    pub halvings: usize,
    /// Rate of its Adam.
    pub learning_rate: f64,
}

impl Default for DiscriminatorConfig {
    fn default() -> Self {
        Self { begin: 10_000, weight: 0.1, adaptive: false, width: 64, halvings: 3, learning_rate: 2e-4 }
    }
}

impl TokenizerTrainConfig {
    /// Trains a network by Adam, whose gradients are not clipped; no average of its weights is kept.
    pub(super) fn trainer<M: Module + Sync>(&self, network: M, device: &Device) -> Trainer<M> {
        let &Self { learning_rate: peak, warmup_steps, steps, minimum_rate: minimum, micro_batches, .. } = self;
        let course = LearningRateSchedule { peak, warmup_steps, steps, minimum };
        let constants = OptimiserConstants { beta_1: self.beta_1, beta_2: self.beta_2, weight_decay: 0.0 };
        let plain = Settings { clip_norm: f64::INFINITY, average_decay: None, ..Settings::new(course, 0) };
        let groups = ParamGroups::all(&network, UpdateRule::AdamW);
        Trainer::new(network, groups, Settings { micro_batches, constants, ..plain }, device, 1)
    }

    /// Checks every number.
    ///
    /// # Errors
    /// [`ImageError::Setting`] names the first key out of range.
    pub fn validate(&self) -> Result<(), ImageError> {
        positive("learning_rate", self.learning_rate)?;
        let part = (0.0..=1.0).contains(&self.minimum_rate);
        ImageError::require(part, "minimum_rate", self.minimum_rate, "0 to 1")?;
        for (key, count) in [("steps", self.steps), ("micro_batches", self.micro_batches)] {
            ImageError::require(count > 0, key, count, "1 or more")?;
        }
        let parts = [("beta_1", self.beta_1), ("beta_2", self.beta_2), ("decay", self.decay)];
        for (key, part) in parts.into_iter().chain([("revive_below", self.revive_below)]) {
            ImageError::require((0.0..1.0).contains(&part), key, part, "0 to less than 1")?;
        }
        let weights = [("absolute", self.absolute), ("square", self.square), ("commitment", self.commitment)];
        for (key, weight) in weights {
            not_negative(key, weight)?;
        }
        let compares = self.absolute + self.square > 0.0;
        ImageError::require(compares, "absolute", self.absolute, "more than 0, as `square` is 0 too")?;
        self.discriminator.as_ref().map_or(Ok(()), DiscriminatorConfig::validate)
    }
}

impl DiscriminatorConfig {
    /// Height (width) of the smallest image that gives a verdict: the last two convolutions take a row each.
    pub fn smallest_image(&self) -> usize {
        3 << self.halvings
    }

    fn validate(&self) -> Result<(), ImageError> {
        not_negative("discriminator.weight", self.weight)?;
        positive("discriminator.learning_rate", self.learning_rate)?;
        let fits = self.width.is_multiple_of(8) && (8..=1 << 12).contains(&self.width);
        ImageError::require(fits, "discriminator.width", self.width, "a multiple of 8 up to 4096")?;
        ImageError::require((1..=8).contains(&self.halvings), "discriminator.halvings", self.halvings, "1 to 8")
    }
}

fn positive(key: &str, value: f64) -> Result<(), ImageError> {
    ImageError::require(value.is_finite() && value > 0.0, key, value, "a finite number above 0")
}

fn not_negative(key: &str, value: f64) -> Result<(), ImageError> {
    ImageError::require(value.is_finite() && value >= 0.0, key, value, "a finite number, 0 or more")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_named() {
        let refused = |change: &dyn Fn(&mut TokenizerTrainConfig)| {
            let mut config = TokenizerTrainConfig::default();
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        TokenizerTrainConfig::default().validate().unwrap();
        assert_eq!(refused(&|c| c.decay = 1.0), "`decay` is 1, expected 0 to less than 1");
        assert!(refused(&|c| c.micro_batches = 0).contains("micro_batches"));
        assert!(refused(&|c| c.minimum_rate = 1.5).contains("minimum_rate"));
        assert!(refused(&|c| c.learning_rate = f64::NAN).contains("learning_rate"));
        assert!(refused(&|c| c.commitment = -1.0).contains("commitment"));
        assert!(refused(&|c| (c.absolute, c.square) = (0.0, 0.0)).contains("absolute"));
        let odd = DiscriminatorConfig { width: 12, ..DiscriminatorConfig::default() };
        assert!(refused(&|c| c.discriminator = Some(odd.clone())).contains("discriminator.width"));
    }

    #[test]
    fn keys_have_defaults_and_strangers_are_refused() {
        let config: TokenizerTrainConfig = toml::from_str("decay = 0.9\n[discriminator]\nbegin = 5\n").unwrap();
        assert_eq!(config.decay, 0.9);
        assert_eq!(config.discriminator.unwrap().halvings, 3);
        assert!(toml::from_str::<TokenizerTrainConfig>("decoy = 0.9").is_err());
    }
}
