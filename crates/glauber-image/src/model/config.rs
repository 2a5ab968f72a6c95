//! Sizes of an autoencoder.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::{ImageError, QuantiserConfig};

/// Sizes above this are rejected as typing errors.
const LARGEST: usize = 1 << 15;
/// More levels than this halve any image to nothing.
const MOST_LEVELS: usize = 12;

/// One resolution of encoder and decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelConfig {
    /// Channels after its residual blocks.
    pub width: usize,
    /// Whether an attention layer follows every residual block of the encoder.
    #[serde(default)]
    pub encoder_attention: bool,
    /// Whether an attention layer follows every residual block of the decoder.
    #[serde(default)]
    pub decoder_attention: bool,
}

/// The sizes of a [`VqModel`](crate::VqModel).
///
/// The family covers taming-transformers' VQGAN (Esser et al., "Taming Transformers for High-Resolution Image Synthesis", 2021) and the
/// `VQModel` of diffusers: residual blocks at several resolutions, each half the one before, a quantiser between two 1 × 1 convolutions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VqConfig {
    /// Channels of the images encoded.
    pub channels: usize,
    /// Channels of the images decoded.
    pub out_channels: usize,
    /// Height and width of the images that the model is made for. Any multiple of [`factor`](Self::factor) can be encoded.
    pub image_size: usize,
    /// Channels after the encoder's first convolution.
    pub stem_width: usize,
    /// Residual blocks at each level of the encoder; the decoder has one more.
    pub blocks: usize,
    /// Whether there is an attention layer in the middle of encoder and decoder.
    pub middle_attention: bool,
    /// Groups of every group normalisation.
    pub norm_groups: usize,
    /// Channels between encoder and quantiser's convolution.
    pub latent_channels: usize,
    /// How latents become indices.
    pub quantiser: QuantiserConfig,
    /// Resolutions, the images' own first. Every level but the last is halved after it.
    pub levels: Vec<LevelConfig>,
}

impl VqConfig {
    /// Checks the shape of images `[batch, channel, height, width]`.
    pub(crate) fn check_images(&self, images: &Tensor<4>) -> Result<(), ImageError> {
        let [batch, channels, height, width] = images.dims();
        let factor = self.factor();
        let fits = |size: usize| size > 0 && size.is_multiple_of(factor);
        if batch > 0 && channels == self.channels && fits(height) && fits(width) {
            return Ok(());
        }
        Err(ImageError::Shape {
            what: "images",
            found: images.dims().to_vec(),
            expected: format!(
                "[batch, {}, height, width] with height and width multiples of {factor}, none of them 0",
                self.channels
            ),
        })
    }

    /// Image rows (columns) per token row (column).
    pub fn factor(&self) -> usize {
        1 << self.levels.len().saturating_sub(1)
    }

    /// Number of token values, `V`.
    pub fn vocab_size(&self) -> usize {
        self.quantiser.entries()
    }

    /// Checks that the sizes fit each other.
    ///
    /// # Errors
    /// [`ImageError::Setting`] names the first invalid key.
    pub fn validate(&self) -> Result<(), ImageError> {
        let levels = self.levels.len();
        let (found, expected) = (format!("{levels} levels"), format!("1 to {MOST_LEVELS}"));
        ImageError::require((1..=MOST_LEVELS).contains(&levels), "levels", found, expected)?;
        let sizes = [
            ("channels", self.channels),
            ("out_channels", self.out_channels),
            ("image_size", self.image_size),
            ("stem_width", self.stem_width),
            ("blocks", self.blocks),
            ("norm_groups", self.norm_groups),
            ("latent_channels", self.latent_channels),
        ];
        for (key, size) in sizes {
            check_size(key, size)?;
        }
        self.check_groups("stem_width", self.stem_width)?;
        for (at, level) in self.levels.iter().enumerate() {
            let key = format!("levels.{at}.width");
            check_size(&key, level.width)?;
            self.check_groups(&key, level.width)?;
        }
        let expected = format!("a multiple of {}, as {levels} levels halve it {} times", self.factor(), levels - 1);
        let whole = self.image_size.is_multiple_of(self.factor());
        ImageError::require(whole, "image_size", self.image_size, expected)?;
        self.quantiser.validate()
    }

    fn check_groups(&self, key: &str, width: usize) -> Result<(), ImageError> {
        let expected = format!("a multiple of `norm_groups` = {}", self.norm_groups);
        ImageError::require(width.is_multiple_of(self.norm_groups), key, width, expected)
    }
}

pub(crate) fn check_size(key: &str, size: usize) -> Result<(), ImageError> {
    ImageError::require((1..=LARGEST).contains(&size), key, size, format!("1 to {LARGEST}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> VqConfig {
        let level = |width| LevelConfig { width, encoder_attention: false, decoder_attention: false };
        VqConfig {
            channels: 3,
            out_channels: 3,
            image_size: 32,
            stem_width: 16,
            blocks: 1,
            middle_attention: true,
            norm_groups: 8,
            latent_channels: 4,
            quantiser: QuantiserConfig::Codebook { entries: 32, dim: 4 },
            levels: vec![level(16), level(32), level(32)],
        }
    }

    #[test]
    fn three_levels_divide_by_four() {
        assert_eq!(config().factor(), 4);
        assert_eq!(config().vocab_size(), 32);
        config().validate().unwrap();
    }

    #[test]
    fn refusals_name_their_key() {
        let refused = |change: &dyn Fn(&mut VqConfig)| {
            let mut config = config();
            change(&mut config);
            config.validate().unwrap_err().to_string()
        };
        assert_eq!(
            refused(&|c| c.levels[1].width = 20),
            "`levels.1.width` is 20, expected a multiple of `norm_groups` = 8"
        );
        assert_eq!(refused(&|c| c.blocks = 0), "`blocks` is 0, expected 1 to 32768");
        assert_eq!(refused(&|c| c.levels.clear()), "`levels` is 0 levels, expected 1 to 12");
        assert_eq!(
            refused(&|c| c.image_size = 30),
            "`image_size` is 30, expected a multiple of 4, as 3 levels halve it 2 times"
        );
        assert!(refused(&|c| c.norm_groups = 0).contains("norm_groups"));
    }

    #[test]
    fn a_configuration_survives_toml() {
        let text = toml::to_string(&config()).unwrap();
        assert_eq!(toml::from_str::<VqConfig>(&text).unwrap(), config());
        assert!(toml::from_str::<VqConfig>(&format!("colour = 1\n{text}")).is_err());
    }
}
