//! Reconstruction quality of a tokenizer on held-out images.

use glauber_image::{CodebookUsage, ImageTokenizer};
use glauber_pixels::{Image, PixelError, SheetStyle, comparison_sheet, psnr, ssim};
use glauber_tokens::{Codec, TokenBatch};

use crate::error::Result;
use crate::images::style;

/// Maximal PSNR of an image in decibels, because an exact reconstruction has infinite PSNR.
const PERFECT: f64 = 100.0;
/// Images side by side on a sheet.
const COLUMNS: usize = 8;

/// Means over images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Peak signal-to-noise ratio, decibels.
    pub psnr: f64,
    /// Structural similarity; `None` for images smaller than its window.
    pub ssim: Option<f64>,
    /// Tokens used by the images.
    pub usage: CodebookUsage,
}

/// Encodes and decodes images.
pub fn evaluate(tokenizer: &ImageTokenizer, images: &[Image]) -> Result<(Quality, Vec<Image>)> {
    let tokens = tokenizer.encode_all(&images.iter().collect::<Vec<_>>())?.concat();
    let tokens = TokenBatch::new(tokens, tokenizer.sites())?;
    let back = tokenizer.decode_all(&tokens)?;
    let ratio: Result<Vec<f64>, PixelError> =
        images.iter().zip(&back).map(|(image, back)| Ok(psnr(image, back)?.min(PERFECT))).collect();
    let similarity: Result<Vec<f64>, PixelError> =
        images.iter().zip(&back).map(|(image, back)| ssim(image, back)).collect();
    let similarity = match similarity {
        Err(PixelError::TooSmall { .. }) => None,
        similarity => Some(mean(&similarity?)),
    };
    let indices = tokens.as_slice().iter().map(|&token| token as usize);
    let usage = CodebookUsage::of(indices, tokenizer.vocab_size());
    Ok((Quality { psnr: mean(&ratio?), ssim: similarity, usage }, back))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A sheet of rows of originals, each above the row of their reconstructions.
pub fn sheet(originals: &[Image], reconstructions: &[Image], shown: usize) -> Result<Image> {
    let shown = shown.min(originals.len());
    let side = originals.first().map_or(1, |image| image.extent().height());
    let style = SheetStyle { background: 1.0, ..style(side, COLUMNS) };
    Ok(comparison_sheet(&originals[..shown], &reconstructions[..shown], &style)?)
}
