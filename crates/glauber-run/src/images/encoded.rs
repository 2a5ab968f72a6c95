//! Images encoded once by a tokenizer, and stored in shards.

use std::path::Path;

use glauber_image::ImageTokenizer;
use glauber_pixels::{Example, Image};
use glauber_shards::{Split, TokenData, TokenStream, TokenWriter, VERSION, cached};
use glauber_tokens::{Codec, Token};
use rayon::prelude::*;

use super::fingerprint::{AT_A_TIME, Part, Passes, digits};
use super::sources::Source;
use super::{ImageConfig, ImageTokens};
use crate::Say;
use crate::error::{Context, Result};

/// Passes over images with random flips or crops.
const PASSES: usize = 8;
/// Images per batch and thread.
const BATCH: usize = 32;

/// The tokens of an image, and its class.
type Encoded = (Vec<Token>, Option<usize>);

impl Part {
    /// The grids of the part.
    pub fn of(self, data: &TokenData) -> &TokenStream {
        match self {
            Self::Training => data.train(),
            Self::HeldOut => data.validation(),
        }
    }

    fn split(self) -> Split {
        match self {
            Self::Training => Split::Training,
            Self::HeldOut => Split::Validation,
        }
    }
}

/// The token grids of images, from the cache if it has their [`key`].
///
/// With random flips or crops, a fixed number of passes is encoded (`data.tokenizer.passes`), each with its own draws.
/// Training draws from all of them, so it sees that many variants of an image. Held-out images are encoded once.
pub fn encoded(
    image: &ImageConfig,
    sources: &[Source; 2],
    tokenizer: &ImageTokenizer,
    cache: &Path,
    key: &str,
    say: Say<'_>,
) -> Result<TokenData> {
    let parts = passes(image, sources);
    let fingerprint = tokenizer.model().fingerprint()?;
    cached(cache, key, |folder| write(folder, &parts, tokenizer, &fingerprint, say))
        .context("token grids of the images (`--cache`)")
}

/// The name of the cache folder: a hash of the tokenizer's input images with their classes, in order, and of the
/// tokenizer's [fingerprint](glauber_image::VqModel::fingerprint). A change of source, size, colours, split or weights
/// thus encodes again.
pub fn key(image: &ImageConfig, sources: &[Source; 2], tokenizer: &ImageTokenizer) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let fingerprint = tokenizer.model().fingerprint()?;
    hasher.update(b"token grids").update(&VERSION.to_le_bytes()).update(fingerprint.as_bytes());
    passes(image, sources).iter().for_each(|part| part.hash(&mut hasher));
    Ok(digits(&hasher))
}

fn passes<'a>(image: &ImageConfig, [train, held_out]: &'a [Source; 2]) -> [Passes<'a>; 2] {
    let passes = match &image.tokens {
        ImageTokens::Tokenizer(config) => config.passes,
        ImageTokens::Pixels { .. } => None,
    };
    let passes = passes.unwrap_or(if image.images.varies() { PASSES } else { 1 });
    Passes::of([train.as_ref(), held_out.as_ref()], passes)
}

fn write(
    folder: &Path,
    parts: &[Passes<'_>; 2],
    tokenizer: &ImageTokenizer,
    fingerprint: &str,
    say: Say<'_>,
) -> Result<()> {
    let all: usize = parts.iter().map(Passes::len).sum();
    say(&format!("encoding {all} images with a tokenizer of {} tokens", tokenizer.vocab_size()));
    let mut writer = TokenWriter::new(folder, tokenizer.vocab_size(), fingerprint);
    let (mut done, mut shown) = (0, 0);
    for part in parts {
        let split = writer.split(part.part.split());
        for start in (0..part.len()).step_by(AT_A_TIME) {
            let items: Vec<usize> = (start..(start + AT_A_TIME).min(part.len())).collect();
            let batches: Vec<Vec<Encoded>> =
                items.par_chunks(BATCH).map(|items| encode(part, items, tokenizer)).collect::<Result<_, _>>()?;
            for (grid, class) in batches.into_iter().flatten() {
                split.write(&grid)?;
                if let Some(class) = class {
                    split.write_label(class as u32)?;
                }
            }
            done += items.len();
            if done * 10 / all > shown {
                shown = done * 10 / all;
                say(&format!("  {done} of {all} images encoded"));
            }
        }
    }
    Ok(writer.finish()?)
}

/// The grids of some images, with their classes.
fn encode(part: &Passes<'_>, items: &[usize], tokenizer: &ImageTokenizer) -> Result<Vec<Encoded>> {
    let examples: Vec<Example> = items.iter().map(|&item| part.get(item)).collect();
    let images: Vec<&Image> = examples.iter().map(|example| &example.image).collect();
    let grids = tokenizer.encode_all(&images)?;
    Ok(grids.into_iter().zip(examples.iter().map(|example| example.class)).collect())
}
