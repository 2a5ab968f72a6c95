//! Images painted in part: what is known is clamped, the rest drawn.

use std::path::Path;

use glauber_chain::{ChainRng, Chains};
use glauber_pixels::{Image, reached, read_mask};
use glauber_tokens::{Token, TokenBatch};

use crate::Say;
use crate::error::{Context, Result, ensure};
use crate::images::{ImageConfig, PictureCodec, check, divided, identity};
use crate::sampling::Sampling;
use crate::trained::Trained;

/// Images of which the same part is to be painted.
pub struct Painting<'a> {
    codec: &'a PictureCodec,
    /// Which sites are to be painted, shape `[site]`: those of which one pixel is.
    painted: Vec<bool>,
    /// The pixels of these sites, shape `[pixel]`.
    covered: Vec<bool>,
    canvases: Vec<Canvas>,
}

/// An image of which a part is to be painted.
struct Canvas {
    /// The image as it was, on the sheet before the one without the part.
    whole: Option<Image>,
    /// The image of the codec's extent without the part, which is filled from around it.
    seen: Image,
    /// Its tokens, shape `[site]`.
    known: Vec<Token>,
}

impl<'a> Painting<'a> {
    /// No image yet; the part is what is white in a file.
    ///
    /// # Errors
    /// When the file is no picture, or nothing of it is white.
    pub fn new(codec: &'a PictureCodec, mask: &Path) -> Result<Self> {
        let hidden = read_mask(mask, codec.extent())?;
        ensure!(
            hidden.contains(&true),
            "{}: the mask has no white pixel, expected the part to repaint in white",
            mask.display()
        );
        let painted = codec.sites(&hidden);
        Ok(Self { codec, covered: codec.pixels(&painted), painted, canvases: Vec::new() })
    }

    /// Adds an image of any extent, whose middle is painted; `whole`: whether it is on the sheet as it was, too.
    ///
    /// # Errors
    /// When it cannot be encoded.
    pub fn add(&mut self, image: Image, whole: bool) -> Result<()> {
        let (codec, covered, extent) = (self.codec, &self.covered, self.codec.extent());
        let middle = image.middle(extent).to_colours(codec.colours()?);
        // What is hidden is taken out of an image before it is brought to another size, and before it is encoded: what is made of a place
        // looks at those around it too, and what is known must not tell of what is not.
        let hidden = reached(covered, extent, middle.extent());
        let seen = middle.without(&hidden).resized(extent).without(covered);
        self.canvases.push(Canvas { whole: whole.then_some(image), known: codec.encode(&seen)?, seen });
        Ok(())
    }

    /// How many images there are.
    pub fn images(&self) -> usize {
        self.canvases.len()
    }

    /// Chains at the noise law, `count` of them for each image one after the other, what is known of it clamped.
    ///
    /// # Errors
    /// When the sampler is of other sites.
    pub fn start(&self, sampling: &Sampling, count: usize, seed: u64) -> Result<Chains> {
        let rows = self.canvases.len() * count;
        let mut chains = sampling.start(rows, seed);
        for row in 0..rows {
            let known = &self.canvases[row / count].known;
            for site in (0..known.len()).filter(|&site| !self.painted[site]) {
                chains.clamp(row, site, known[site])?;
            }
        }
        Ok(chains)
    }

    /// The images with their part painted, of grids in the order of the [chains](Self::start). Pixels outside the part stay those of the image.
    ///
    /// # Errors
    /// When the grids are none of the codec's.
    pub fn finish(&self, grids: &TokenBatch) -> Result<Vec<Image>> {
        let count = grids.rows() / self.canvases.len();
        let images = self.codec.decode_all(grids)?.into_iter().enumerate();
        let finished = |(row, image): (usize, Image)| self.canvases[row / count].seen.overlaid(&self.covered, &image);
        Ok(images.map(finished).collect())
    }

    /// For a sheet: each image, where it is to be seen, without its part, and with the part painted.
    pub fn tiled(&self, results: &[Image]) -> Vec<Image> {
        let mut images = Vec::new();
        for (canvas, results) in self.canvases.iter().zip(results.chunks(results.len() / self.canvases.len())) {
            images.extend(canvas.whole.clone());
            images.push(canvas.seen.covered(&self.covered, 0.5));
            images.extend(results.iter().cloned());
        }
        images
    }
}

/// So many of the images that a run did not train on, evenly spaced.
///
/// # Errors
/// When the run is not on images, these have changed, or there are not so many.
pub fn held_out(count: usize, trained: &Trained, codec: &PictureCodec, say: Say<'_>) -> Result<Vec<Image>> {
    let image: Option<&ImageConfig> = trained.config.data.get();
    let image = image.with_context(|| format!("{} was not trained on images", trained.path().display()))?;
    let seed = trained.config.seed;
    let parts = divided(image, codec, seed, say)?;
    check(&identity(image, codec, &parts)?, &trained.vocabulary, trained.path())?;
    let [_, source] = parts;
    let most = source.len();
    ensure!(
        (1..=most).contains(&count),
        "`--held-out` is {count}, expected 1 to {most}, the number of held-out images"
    );
    Ok((0..count).map(|place| source.get(place * most / count, &mut ChainRng::new(seed, place as u64)).image).collect())
}
