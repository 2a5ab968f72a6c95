//! Configuration of images as training data.

use std::fmt;
use std::path::{Path, PathBuf};

use glauber_train::{TrainError, require, within};
use serde::{Deserialize, Serialize};

/// Default number of grey levels.
const LEVELS: usize = 4;

/// Images as row-major grids of tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Keys", into = "Keys")]
pub struct ImageConfig {
    /// Rows of pixels; other images are resized.
    pub height: usize,
    /// Columns of pixels.
    pub width: usize,
    /// The meaning of a token.
    pub tokens: ImageTokens,
    /// Number of classes for class conditioning; 0 for none.
    pub classes: usize,
    /// Share of held-out images, if the data have no split of their own.
    pub held_out: f64,
    /// The source of the images.
    pub images: ImagesConfig,
}

/// The meaning of an image's token.
#[derive(Debug, Clone, PartialEq)]
pub enum ImageTokens {
    /// The grey of a pixel, or the greys of a patch of pixels.
    Pixels {
        /// Grey levels; 2 for black and white.
        levels: usize,
        /// Side length of a token's patch in pixels: `V = levels^(patch²)`.
        patch: usize,
    },
    /// The code of a patch from a tokenizer.
    Tokenizer(TokenizerConfig),
}

/// A tokenizer of images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenizerConfig {
    /// Its original path; the run keeps a copy.
    pub path: PathBuf,
    /// The YAML of a checkpoint, if it is not beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yaml: Option<PathBuf>,
    /// Pixels per token along each side, set by the tokenizer; 0 before it is opened.
    #[serde(default)]
    pub factor: usize,
    /// Number of encodings of each training image, with new flips and crops. Default: 8 with random flips or crops,
    /// otherwise 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passes: Option<usize>,
}

/// Sources of images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ImagesConfig {
    /// Generated shapes and textures, which need no files.
    Shapes {
        /// Number of images.
        count: usize,
        /// Seed of the images.
        #[serde(default)]
        seed: u64,
    },
    /// The four files of MNIST, or of a data set in its format.
    Mnist {
        /// Their folder.
        path: PathBuf,
    },
    /// PNG, JPEG and WebP files.
    Folder {
        /// The folder; with class conditioning, its sub-folders are the classes.
        path: PathBuf,
        /// Whether images are flipped horizontally at random.
        #[serde(default)]
        flip: bool,
        /// Random crops from pictures whose sides are at least `1 + margin` times the image's, 0 to 31. Default: the
        /// centre.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        crop_margin: Option<f64>,
    },
}

impl ImageConfig {
    /// Rows and columns of tokens, rounded down if the size is not a multiple of the tokenizer's factor.
    pub fn grid(&self) -> [usize; 2] {
        let factor = match &self.tokens {
            ImageTokens::Pixels { patch, .. } => (*patch).max(1),
            ImageTokens::Tokenizer(tokenizer) => tokenizer.factor.max(1),
        };
        [self.height / factor, self.width / factor]
    }
}

impl ImageConfig {
    /// Checks the keys.
    ///
    /// # Errors
    /// [`TrainError::Config`] names the first that is out of range.
    pub fn check(&self) -> Result<(), TrainError> {
        let Self { height, width, held_out, .. } = *self;
        let most = match &self.tokens {
            ImageTokens::Pixels { levels, patch } => {
                within("data.levels", *levels, 2..=256)?;
                within("data.patch", *patch, 1..=16)?;
                let expected = format!("a multiple of {patch}, the rows (columns) of a patch (`--patch`)");
                require(height.is_multiple_of(*patch), "data.height", height, &expected)?;
                require(width.is_multiple_of(*patch), "data.width", width, &expected)?;
                1 << 7
            }
            ImageTokens::Tokenizer(tokenizer) => {
                let factor = tokenizer.factor;
                within("data.tokenizer.factor", factor, 1..=1 << 12)?;
                within("data.tokenizer.passes", tokenizer.passes.unwrap_or(1), 1..=1 << 16)?;
                let expected =
                    format!("a multiple of {factor}, the rows (columns) of a patch of the tokenizer (`--size`)");
                require(height.is_multiple_of(factor), "data.height", height, &expected)?;
                require(width.is_multiple_of(factor), "data.width", width, &expected)?;
                1 << 12
            }
        };
        within("data.height", height, 1..=most)?;
        within("data.width", width, 1..=most)?;
        require(held_out > 0.0 && held_out < 1.0, "data.held_out", held_out, "a share between 0 and 1")
    }

    /// Makes paths absolute, so that the run can be resumed from any folder.
    ///
    /// # Errors
    /// When there is no current folder.
    pub fn make_absolute(&mut self) -> std::io::Result<()> {
        self.images.make_absolute()?;
        if let ImageTokens::Tokenizer(TokenizerConfig { path, yaml, .. }) = &mut self.tokens {
            for path in std::iter::once(path).chain(yaml) {
                *path = std::path::absolute(&*path)?;
            }
        }
        Ok(())
    }
}

impl ImagesConfig {
    /// The folder or file of the images.
    pub fn place(&self) -> Option<&Path> {
        match self {
            Self::Folder { path, .. } | Self::Mnist { path } => Some(path),
            Self::Shapes { .. } => None,
        }
    }

    /// Makes paths absolute, so that the run can be resumed from any folder.
    ///
    /// # Errors
    /// When there is no current folder.
    pub fn make_absolute(&mut self) -> std::io::Result<()> {
        if let Self::Mnist { path } | Self::Folder { path, .. } = self {
            *path = std::path::absolute(&*path)?;
        }
        Ok(())
    }

    /// Whether draws of an image differ, by flips or crops.
    pub fn varies(&self) -> bool {
        match self {
            Self::Shapes { .. } | Self::Mnist { .. } => false,
            Self::Folder { flip, crop_margin, .. } => *flip || crop_margin.is_some(),
        }
    }
}

impl fmt::Display for ImagesConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shapes { count, seed } => write!(f, "{count} drawn shapes, seed {seed}"),
            Self::Mnist { path } | Self::Folder { path, .. } => path.display().fmt(f),
        }
    }
}

/// Images as sequences of tokens. Without `tokenizer` a token is a grey level of a pixel, or of a patch of pixels.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    /// Rows of pixels; images are resized.
    height: usize,
    /// Columns of pixels.
    width: usize,
    /// Grey levels of a pixel, by default 4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    levels: Option<usize>,
    /// Side of the square patch of pixels that is one token, by default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    patch: Option<usize>,
    /// Classes that the network is conditioned on; 0 for none.
    #[serde(default)]
    classes: usize,
    /// Share of images held out, where the source does not divide them itself.
    #[serde(default = "held_out")]
    held_out: f64,
    /// Where the images come from.
    images: ImagesConfig,
    /// The image tokenizer, in place of `levels` and `patch`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokenizer: Option<TokenizerConfig>,
}

fn held_out() -> f64 {
    0.05
}

impl TryFrom<Keys> for ImageConfig {
    type Error = String;

    fn try_from(keys: Keys) -> Result<Self, String> {
        let tokens = match (keys.levels, keys.tokenizer) {
            (Some(_), Some(_)) => {
                return Err(
                    "`data.levels` and `data.tokenizer` (`--levels` and `--tokenizer`) are both set: a token is \
                            either the grey of a pixel or the code of a patch; leave one out"
                        .into(),
                );
            }
            (levels, None) => ImageTokens::Pixels { levels: levels.unwrap_or(LEVELS), patch: keys.patch.unwrap_or(1) },
            (None, Some(_)) if keys.patch.is_some() => {
                return Err(
                    "`data.patch` and `data.tokenizer` (`--patch` and `--tokenizer`) are both set: patches are the \
                            tokenizer's own; leave one out"
                        .into(),
                );
            }
            (None, Some(tokenizer)) => ImageTokens::Tokenizer(tokenizer),
        };
        let Keys { height, width, classes, held_out, images, .. } = keys;
        Ok(Self { height, width, tokens, classes, held_out, images })
    }
}

impl From<ImageConfig> for Keys {
    fn from(config: ImageConfig) -> Self {
        let ImageConfig { height, width, tokens, classes, held_out, images } = config;
        let (levels, patch, tokenizer) = match tokens {
            ImageTokens::Pixels { levels, patch } => (Some(levels), Some(patch).filter(|patch| *patch > 1), None),
            ImageTokens::Tokenizer(tokenizer) => (None, None, Some(tokenizer)),
        };
        Self { height, width, levels, patch, classes, held_out, images, tokenizer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::DataConfig;

    const IMAGES: &str = "images = { kind = 'shapes', count = 10 }\n";

    fn read(keys: &str) -> Result<DataConfig, String> {
        let text = format!("kind = 'image'\nheight = 16\nwidth = 24\n{IMAGES}{keys}");
        toml::from_str(&text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_is_a_grey_or_a_code() {
        for (keys, expected, grid) in [
            ("", ImageTokens::Pixels { levels: 4, patch: 1 }, [16, 24]),
            ("levels = 2", ImageTokens::Pixels { levels: 2, patch: 1 }, [16, 24]),
            ("levels = 2\npatch = 2", ImageTokens::Pixels { levels: 2, patch: 2 }, [8, 12]),
            (
                "tokenizer = { path = 'a', factor = 4 }",
                ImageTokens::Tokenizer(TokenizerConfig { path: "a".into(), yaml: None, factor: 4, passes: None }),
                [4, 6],
            ),
        ] {
            let config = read(keys).unwrap();
            let image = config.get::<ImageConfig>().unwrap();
            assert_eq!((&image.tokens, image.grid(), image.held_out), (&expected, grid, 0.05));
            assert_eq!(config.length(), grid[0] * grid[1]);
            let text = toml::to_string(&config).unwrap();
            assert_eq!(toml::from_str::<DataConfig>(&text).unwrap(), config, "{text}");
        }
        let both = read("levels = 2\ntokenizer = { path = 'a' }").unwrap_err();
        assert!(both.contains("data.levels") && both.contains("--tokenizer"), "{both}");
        let both = read("patch = 2\ntokenizer = { path = 'a' }").unwrap_err();
        assert!(both.contains("data.patch"), "{both}");
        assert!(read("level = 2").is_err() && read("tokenizer = { path = 'a', facto = 4 }").is_err());
    }
}
