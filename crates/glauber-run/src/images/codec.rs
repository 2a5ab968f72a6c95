//! Codecs of images: by pixels, or by patches through a tokenizer.

use std::path::Path;

use burn::tensor::Device;
use glauber_image::import::{self, Imported};
use glauber_image::{ImageTokenizer, VqModel};
use glauber_pixels::{Colours, Extent, Image, PixelCodec};
use glauber_tokens::{Codec, Token, TokenBatch};

use super::sheets::write_sheet;
use super::{ImageConfig, ImageTokens, TokenizerConfig};
use crate::error::{Context, Result, ensure};
use crate::{RunCodec, RunFolder, Say, Vocabulary};

/// Folder of a run's tokenizer.
const TOKENIZER: &str = "tokenizer";
/// Samples per row of a sheet.
const COLUMNS: usize = 8;

/// The codec of a run's images.
pub enum PictureCodec {
    /// Each pixel, or patch of grey pixels, is a token.
    Pixels(PixelCodec),
    /// Each patch is a token of a network.
    Tokenizer(Box<ImageTokenizer>),
}

impl PictureCodec {
    /// The codec of a new run; `model` is its tokenizer, if any.
    ///
    /// # Errors
    /// If sizes do not fit, or a needed tokenizer is missing.
    pub fn new(image: &ImageConfig, model: Option<VqModel>) -> Result<Self> {
        let extent = Extent::new(image.height, image.width)?;
        match (&image.tokens, model) {
            (ImageTokens::Pixels { levels, patch }, _) => {
                Ok(Self::Pixels(PixelCodec::new(extent, *levels)?.in_patches(*patch).context("`--patch`")?))
            }
            (ImageTokens::Tokenizer(_), model) => {
                let model = model.context("`data.tokenizer` was not opened")?;
                let tokenizer = ImageTokenizer::new(model, [image.height, image.width]).context("`--tokenizer`")?;
                tokenizer.colours().context("`--tokenizer`")?;
                Ok(Self::Tokenizer(Box::new(tokenizer)))
            }
        }
    }

    /// The codec of an existing run, checked against its training.
    ///
    /// # Errors
    /// If the run's tokenizer is missing or different.
    pub fn of_run(folder: &RunFolder, image: &ImageConfig, vocabulary: &Vocabulary, device: &Device) -> Result<Self> {
        if let ImageTokens::Pixels { .. } = image.tokens {
            return Self::new(image, None);
        }
        let path = folder.path().join(TOKENIZER);
        let model = VqModel::load(&path, device).with_context(|| {
            format!("{}: restore the run's own tokenizer, or start a new run with `--tokenizer`", path.display())
        })?;
        let codec = Self::new(image, Some(model))?;
        ensure!(
            vocabulary.codec == codec.fingerprint()?,
            "{}: a tokenizer of {} tokens, not the one this run was trained with ({} tokens): restore the run's own, or start a new run with `--tokenizer`",
            path.display(),
            codec.vocab_size(),
            vocabulary.size
        );
        Ok(codec)
    }

    /// The extent of the images.
    pub fn extent(&self) -> Extent {
        match self {
            Self::Pixels(codec) => codec.extent(),
            Self::Tokenizer(tokenizer) => {
                let [height, width] = tokenizer.image_size();
                Extent::new(height, width).expect("the extent of a configuration")
            }
        }
    }

    /// The channels that images are encoded with.
    ///
    /// # Errors
    /// If the tokenizer's channels are neither grey nor RGB.
    pub fn colours(&self) -> Result<Colours> {
        match self {
            Self::Pixels(_) => Ok(Colours::Grey),
            Self::Tokenizer(tokenizer) => Ok(tokenizer.colours()?),
        }
    }

    /// Tokens of an image, `L`.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        match self {
            Self::Pixels(codec) => codec.grid().iter().product(),
            Self::Tokenizer(tokenizer) => tokenizer.sites(),
        }
    }

    /// Number of tokens, `V`.
    pub fn vocab_size(&self) -> usize {
        match self {
            Self::Pixels(codec) => codec.vocab_size(),
            Self::Tokenizer(tokenizer) => tokenizer.vocab_size(),
        }
    }

    /// The fingerprint of the tokenizer; `None` without one.
    ///
    /// # Errors
    /// When its weights cannot be read from the device.
    pub fn fingerprint(&self) -> Result<Option<String>> {
        match self {
            Self::Pixels(_) => Ok(None),
            Self::Tokenizer(tokenizer) => Ok(Some(tokenizer.model().fingerprint()?)),
        }
    }

    /// The tokens of an image of the codec's extent, shape `[site]`.
    ///
    /// # Errors
    /// If the image has another extent or other channels.
    pub fn encode(&self, image: &Image) -> Result<Vec<Token>> {
        match self {
            Self::Pixels(codec) => Ok(codec.encode(image)?),
            Self::Tokenizer(tokenizer) => Ok(Codec::encode(tokenizer.as_ref(), image)?),
        }
    }

    /// The images of token grids, one for each row.
    ///
    /// # Errors
    /// If the rows have another length, or a token is outside the vocabulary.
    pub fn decode_all(&self, grids: &TokenBatch) -> Result<Vec<Image>> {
        match self {
            Self::Pixels(codec) => Ok(codec.decode_all(grids)?),
            Self::Tokenizer(tokenizer) => Ok(tokenizer.decode_all(grids)?),
        }
    }

    /// Maps a mask of pixels, shape `[pixel]` in row-major order, to the sites that contain one, shape `[site]`.
    pub fn sites(&self, pixels: &[bool]) -> Vec<bool> {
        let mut sites = vec![false; self.len()];
        pixels.iter().enumerate().filter(|(_, marked)| **marked).for_each(|(pixel, _)| sites[self.site(pixel)] = true);
        sites
    }

    /// The site of a pixel.
    fn site(&self, pixel: usize) -> usize {
        let width = self.extent().width();
        let columns = match self {
            Self::Pixels(codec) => codec.grid()[1],
            Self::Tokenizer(tokenizer) => tokenizer.grid()[1],
        };
        let factor = width / columns;
        pixel / width / factor * columns + pixel % width / factor
    }

    /// Maps a mask of sites to all their pixels.
    pub fn pixels(&self, sites: &[bool]) -> Vec<bool> {
        (0..self.extent().pixels()).map(|pixel| sites[self.site(pixel)]).collect()
    }
}

impl RunCodec for PictureCodec {
    fn keep(&self, folder: &Path) -> Result<()> {
        match self {
            Self::Pixels(_) => Ok(()),
            Self::Tokenizer(tokenizer) => Ok(tokenizer.model().save(&folder.join(TOKENIZER))?),
        }
    }

    /// Writes a sheet.
    fn show(&self, samples: &TokenBatch, folder: &Path, step: usize) -> Result<Vec<String>> {
        let path = folder.join(format!("samples-{step}.png"));
        write_sheet(&self.decode_all(samples)?, COLUMNS, &path)?;
        Ok(vec![format!("{} samples: {}", samples.rows(), path.display())])
    }
}

/// Opens the tokenizer of `--tokenizer`, and reports its unused parts.
///
/// # Errors
/// If there is no tokenizer, or it cannot be read.
pub fn open_tokenizer(config: &TokenizerConfig, device: &Device, say: Say<'_>) -> Result<VqModel> {
    let imported = match &config.yaml {
        Some(yaml) => import::taming(&config.path, yaml, device),
        None => import::open(&config.path, device),
    };
    let Imported { model, ignored } = imported.context("`--tokenizer`")?;
    if !ignored.is_empty() {
        let mut kinds: Vec<&str> = ignored.iter().map(|name| name.split('.').next().unwrap_or(name)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let kinds = kinds.join(", ");
        say(&format!(
            "tokenizer: {} tensors of the checkpoint are not needed ({kinds}; `-v` names them)",
            ignored.len()
        ));
        ignored.iter().for_each(|name| tracing::info!("tensor not needed: {name}"));
    }
    Ok(model)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;
    use glauber_image::{LevelConfig, QuantiserConfig, VqConfig};

    use super::*;

    #[test]
    fn a_site_is_marked_when_one_of_its_pixels_is() {
        let level = LevelConfig { width: 4, encoder_attention: false, decoder_attention: false };
        let config = VqConfig {
            channels: 1,
            out_channels: 1,
            image_size: 4,
            stem_width: 4,
            blocks: 1,
            middle_attention: false,
            norm_groups: 2,
            latent_channels: 2,
            quantiser: QuantiserConfig::Codebook { entries: 4, dim: 2 },
            levels: vec![level; 2],
        };
        let model = VqModel::new(&config, 0, &Device::flex()).unwrap();
        let tokenizer = PictureCodec::Tokenizer(Box::new(ImageTokenizer::new(model, [4, 6]).unwrap()));
        let greys = |patch| PixelCodec::new(Extent::new(4, 6).unwrap(), 2).unwrap().in_patches(patch).unwrap();
        let mut pixels = [false; 24];
        for (row, column) in [(0, 1), (1, 0), (3, 5)] {
            pixels[row * 6 + column] = true;
        }
        for codec in [tokenizer, PictureCodec::Pixels(greys(2))] {
            let sites = codec.sites(&pixels);
            assert_eq!(sites, [true, false, false, false, false, true]);
            let marked: Vec<usize> = (0..24).filter(|&pixel| codec.pixels(&sites)[pixel]).collect();
            assert_eq!(marked, [0, 1, 6, 7, 16, 17, 22, 23]);
        }
        assert_eq!(PictureCodec::Pixels(greys(1)).sites(&pixels), pixels);
    }
}
