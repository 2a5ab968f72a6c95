//! Repainting of image parts: known sites are clamped, and the rest is drawn.

use std::path::Path;

use glauber_chain::{ChainRng, Chains};
use glauber_pixels::{Image, reached, read_mask};
use glauber_tokens::{Token, TokenBatch};

use crate::Say;
use crate::error::{Context, Result, ensure};
use crate::images::{ImageConfig, PictureCodec, check, divided, identity};
use crate::sampling::Sampling;
use crate::trained::Trained;

/// Images with the same part to repaint.
pub struct Painting<'a> {
    codec: &'a PictureCodec,
    /// Mask of the sites to repaint, shape `[site]`: those with at least one masked pixel.
    painted: Vec<bool>,
    /// The pixels of these sites, shape `[pixel]`.
    covered: Vec<bool>,
    canvases: Vec<Canvas>,
}

/// An image to repaint.
struct Canvas {
    /// The original image, if it is shown on the sheet.
    whole: Option<Image>,
    /// The image at the codec's extent, with the masked part filled from its surroundings.
    seen: Image,
    /// Its tokens, shape `[site]`.
    known: Vec<Token>,
}

impl<'a> Painting<'a> {
    /// Starts without images; the part is white in the mask file.
    ///
    /// # Errors
    /// If the file is not a picture, or has no white pixel.
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

    /// Adds an image of any extent, cropped to its centre. `whole`: whether the sheet also shows the original.
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

    /// The number of images.
    pub fn images(&self) -> usize {
        self.canvases.len()
    }

    /// Chains at the noise law, `count` per image in order, with known sites clamped.
    ///
    /// # Errors
    /// If the sampler has another number of sites.
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

    /// The repainted images, from grids in the order of the [chains](Self::start). Pixels outside the part are
    /// unchanged.
    ///
    /// # Errors
    /// If the grids do not fit the codec.
    pub fn finish(&self, grids: &TokenBatch) -> Result<Vec<Image>> {
        let count = grids.rows() / self.canvases.len();
        let images = self.codec.decode_all(grids)?.into_iter().enumerate();
        let finished = |(row, image): (usize, Image)| self.canvases[row / count].seen.overlaid(&self.covered, &image);
        Ok(images.map(finished).collect())
    }

    /// The images of a sheet: for each image the original (if shown), the masked image, and the repainted ones.
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

/// Evenly spaced held-out images of a run.
///
/// # Errors
/// If the run is not on images, images have changed, or there are too few.
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
