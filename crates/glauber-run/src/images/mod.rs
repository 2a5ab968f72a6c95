//! Images as data: opened from a configuration, drawn as grids of tokens, written as sheets.

mod codec;
mod config;
mod encoded;
mod fingerprint;
mod sheets;
mod sources;

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use glauber_chain::ChainRng;
use glauber_pixels::PixelCodec;
use glauber_shards::TokenData;
use glauber_tokens::{Codec, Token};
use glauber_train::{SequenceSource, TrainError};
use toml::Table;

pub use codec::{PictureCodec, open_tokenizer};
pub use config::{ImageConfig, ImageTokens, ImagesConfig, TokenizerConfig};
pub use fingerprint::fingerprint;
pub(crate) use sheets::style;
pub use sheets::{check_sheet, sheet, write_sheet};
pub use sources::{Source, parts};

use fingerprint::Part;

use crate::data::{DataConfig, DataKind, DataShape, Opened, Opening};
use crate::error::{Result, ensure};
use crate::{RunCodec, RunFolder, Say, Vocabulary};

/// Number of images for token counts, if draws are random.
const COUNTED: u64 = 4096;

impl DataKind for ImageConfig {
    fn name(&self) -> &'static str {
        "image"
    }

    fn keys(&self) -> Result<Table, toml::ser::Error> {
        Table::try_from(self)
    }

    fn shape(&self) -> DataShape {
        DataShape { classes: self.classes, ..DataShape::grid(self.grid()) }
    }

    fn describe(&self) -> String {
        let Self { height, width, classes, images, .. } = self;
        let classes = if *classes > 0 { format!(", conditioned on {classes} classes") } else { String::new() };
        let tokens = match &self.tokens {
            ImageTokens::Pixels { levels, patch: 1 } => format!("in {levels} greys"),
            ImageTokens::Pixels { levels, patch } => format!("in {levels} greys, {patch}x{patch} pixels a token"),
            ImageTokens::Tokenizer(tokenizer) => {
                let [rows, columns] = self.grid();
                format!("as {rows}x{columns} tokens of {}", tokenizer.path.display())
            }
        };
        format!("images, {height}x{width} {tokens}: {images}{classes}")
    }

    fn validate(&self) -> Result<(), TrainError> {
        self.check()
    }

    fn reads(&self) -> Vec<(&'static str, &Path)> {
        self.images.place().map(|place| ("--path", place)).into_iter().collect()
    }

    fn resolved(&self, device: &Device, say: Say<'_>) -> Result<Option<DataConfig>> {
        let mut image = self.clone();
        image.make_absolute()?;
        if let ImageTokens::Tokenizer(tokenizer) = &mut image.tokens {
            tokenizer.factor = open_tokenizer(tokenizer, device, say)?.config().factor();
        }
        Ok(Some(DataConfig::new(image)))
    }

    fn open(&self, opening: &mut Opening<'_>) -> Result<Opened> {
        let codec = match (opening.begun, &self.tokens) {
            (Some(run), _) => PictureCodec::of_run(run, self, &run.vocabulary()?, opening.device)?,
            (None, ImageTokens::Pixels { .. }) => PictureCodec::new(self, None)?,
            (None, ImageTokens::Tokenizer(tokenizer)) => {
                PictureCodec::new(self, Some(open_tokenizer(tokenizer, opening.device, opening.say)?))?
            }
        };
        let parts = divided(self, &codec, opening.config.seed, opening.say)?;
        opened(self, codec, parts, opening)
    }

    fn codec(&self, run: &RunFolder, vocabulary: &Vocabulary, device: &Device) -> Result<Box<dyn RunCodec>> {
        Ok(Box::new(PictureCodec::of_run(run, self, vocabulary, device)?))
    }

    fn held_out(&self) -> &'static str {
        "held-out images"
    }
}

/// Images that are [divided], ready for training.
///
/// # Errors
/// As [`Pictures::of`], and if they have changed since the run started.
pub fn opened(
    image: &ImageConfig,
    codec: PictureCodec,
    parts: [Source; 2],
    opening: &mut Opening<'_>,
) -> Result<Opened> {
    let pictures = Pictures::of(image, &codec, parts, opening.cache, opening.say)?;
    if let Some(run) = opening.begun {
        check(&pictures.fingerprint, &run.vocabulary()?, run.path())?;
    }
    let mut notes = vec![format!("{} images to train on, {} held out", pictures.train.len(), pictures.held_out.len())];
    if let ([rows, columns], PictureCodec::Tokenizer(_)) = (image.grid(), &codec) {
        notes.push(format!("{} as {rows}x{columns} tokens of {}", codec.extent(), codec.vocab_size()));
    }
    if image.classes > 0 {
        notes.push(format!("classes, from 0: {}", pictures.class_names.join(", ")));
    }
    let vocabulary = pictures.vocabulary(&codec)?;
    let (train, held_out) = (Box::new(pictures.train), Box::new(pictures.held_out));
    Ok(Opened { train, held_out, vocabulary, codec: Box::new(codec), excess: None, notes })
}

/// A configuration's images.
pub struct Pictures {
    /// Training images.
    pub train: Grids,
    /// Held-out images.
    pub held_out: Grids,
    /// The names of the classes, used or not.
    pub class_names: Vec<String>,
    /// Token counts of the training images, shape `[token]`.
    counts: Vec<u64>,
    /// A hash of the images, and of the tokenizer if there is one.
    fingerprint: String,
}

/// Images as training sequences.
pub struct Grids {
    /// The number of images.
    images: usize,
    /// Sites of a grid.
    sites: usize,
    /// Whether to return the class.
    told: bool,
    grids: Drawn,
}

/// The source of an image's tokens.
enum Drawn {
    /// Encoded from the image at each draw.
    Anew(Source, PixelCodec),
    /// Read from shards.
    Encoded(Arc<TokenData>, Part),
}

/// A run's training and held-out images before encoding, at the codec's extent.
///
/// # Errors
/// If images cannot be read, or their number of classes is not `data.classes`.
pub fn divided(image: &ImageConfig, codec: &PictureCodec, seed: u64, say: Say<'_>) -> Result<[Source; 2]> {
    let told = image.classes > 0;
    let parts = parts(&image.images, codec.extent(), codec.colours()?, told, image.held_out, seed, say)?;
    let names = parts[0].class_names();
    ensure!(
        !told || image.classes == names.len(),
        "`data.classes` is {}, but the images have {}: {}",
        image.classes,
        names.len(),
        names.join(", ")
    );
    Ok(parts)
}

impl SequenceSource for Grids {
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        Ok(self.read_any(rng, out).filter(|_| self.told))
    }
}

impl Grids {
    /// Number of images.
    #[allow(clippy::len_without_is_empty)] // never empty
    pub fn len(&self) -> usize {
        self.images
    }

    /// Number of grids; several encodings of an image count separately.
    fn items(&self) -> usize {
        match &self.grids {
            Drawn::Anew(source, _) => source.len(),
            Drawn::Encoded(data, part) => part.of(data).tokens() / self.sites,
        }
    }

    /// The grid of an image, and its class if it has one.
    fn read_any(&self, rng: &mut ChainRng, out: &mut [Token]) -> Option<usize> {
        self.read(rng.below(self.items()), rng, out)
    }

    fn read(&self, item: usize, rng: &mut ChainRng, out: &mut [Token]) -> Option<usize> {
        match &self.grids {
            Drawn::Anew(source, codec) => {
                let example = source.get(item, rng);
                out.copy_from_slice(&codec.encode(&example.image).expect("images of the extent of the codec"));
                example.class
            }
            Drawn::Encoded(data, part) => {
                let stream = part.of(data);
                stream.window(item * self.sites, out);
                stream.label(item).map(|label| label as usize)
            }
        }
    }
}

impl Pictures {
    /// A configuration's images, [divided] into training and held-out images. A tokenizer's encodings are stored in
    /// `cache`.
    ///
    /// # Errors
    /// When images cannot be read or encoded, or the cache cannot be written.
    pub fn of(
        image: &ImageConfig,
        codec: &PictureCodec,
        parts: [Source; 2],
        cache: &Path,
        say: Say<'_>,
    ) -> Result<Self> {
        let (told, class_names) = (image.classes > 0, parts[0].class_names().to_vec());
        let images = [parts[0].len(), parts[1].len()];
        let fingerprint = identity(image, codec, &parts)?;
        let sites = codec.len();
        let [train, held_out] = images.map(|images| move |grids| Grids { images, sites, told, grids });
        match codec {
            PictureCodec::Pixels(codec) => {
                let [first, second] = parts;
                let train = train(Drawn::Anew(first, codec.clone()));
                let held_out = held_out(Drawn::Anew(second, codec.clone()));
                let counts = count(&train, codec);
                Ok(Self { train, held_out, class_names, counts, fingerprint })
            }
            PictureCodec::Tokenizer(tokenizer) => {
                let data = Arc::new(encoded::encoded(image, &parts, tokenizer, cache, &fingerprint, say)?);
                let counts = data.counts().to_vec();
                let [train, held_out] = [
                    train(Drawn::Encoded(Arc::clone(&data), Part::Training)),
                    held_out(Drawn::Encoded(data, Part::HeldOut)),
                ];
                Ok(Self { train, held_out, class_names, counts, fingerprint })
            }
        }
    }

    /// Properties of a run that depend on these images.
    ///
    /// # Errors
    /// When the tokenizer's weights cannot be read from the device.
    pub fn vocabulary(&self, codec: &PictureCodec) -> Result<Vocabulary> {
        Ok(Vocabulary {
            codec: codec.fingerprint()?,
            corpus: Some(self.fingerprint.clone()),
            classes: if self.train.told { self.class_names.clone() } else { Vec::new() },
            ..Vocabulary::of_counts(self.counts.clone(), env!("CARGO_PKG_VERSION"))
        })
    }
}

/// The fingerprint of a run's images: a hash of the images and of their tokenizer.
///
/// # Errors
/// When the tokenizer's weights cannot be read from the device.
pub fn identity(image: &ImageConfig, codec: &PictureCodec, parts: &[Source; 2]) -> Result<String> {
    match codec {
        PictureCodec::Pixels(_) => Ok(fingerprint(parts.each_ref().map(AsRef::as_ref))),
        PictureCodec::Tokenizer(tokenizer) => encoded::key(image, parts, tokenizer),
    }
}

/// Checks that images have not changed since the run started, if their hash is known.
///
/// # Errors
/// If they have changed.
pub fn check(images: &str, begun: &Vocabulary, run: &Path) -> Result<()> {
    ensure!(begun.corpus.as_ref().is_none_or(|begun| begun == images), "{}", changed(run));
    Ok(())
}

/// The error for a run whose images have changed.
pub fn changed(run: &Path) -> String {
    format!(
        "{}: the images, or the keys of `config.toml` that split them, have changed since the run started: restore them, or start a new run",
        run.display()
    )
}

/// Token counts of the images.
fn count(images: &Grids, codec: &PixelCodec) -> Vec<u64> {
    let mut counts = vec![0; codec.vocab_size()];
    let mut grid = vec![0; images.sites];
    for stream in 0..COUNTED {
        images.read_any(&mut ChainRng::new(0, stream), &mut grid);
        grid.iter().for_each(|&token: &Token| counts[token as usize] += 1);
    }
    counts
}
