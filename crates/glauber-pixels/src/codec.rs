//! Grey images as tokens.

use glauber_tokens::{Codec, Token};

use crate::{Colours, Extent, Image, PixelError};

/// Between grey images of one extent and token grids: one token for each pixel, row by row; token `t` of `k` shows the grey
/// `t / (k − 1)`. With `k = 2` images are black and white.
///
/// An image whose greys are all of this form comes back exactly, also through a file of eight bits. Any other loses what lies between
/// the levels; a colour image is first turned grey.
///
/// ```
/// use glauber_pixels::{Colours, Extent, Image, PixelCodec};
/// use glauber_tokens::Codec;
///
/// let extent = Extent::new(1, 4)?;
/// let image = Image::new(extent, Colours::Grey, vec![0.0, 0.3, 0.6, 1.0])?;
/// assert_eq!(PixelCodec::new(extent, 3)?.encode(&image)?, [0, 1, 1, 2]);
/// assert_eq!(PixelCodec::binary(extent, 0.2)?.encode(&image)?, [0, 1, 1, 1]);
/// # Ok::<(), glauber_pixels::PixelError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PixelCodec {
    extent: Extent,
    /// The least grey of each level but the first, ascending, shape `[k − 1]`.
    thresholds: Vec<f32>,
}

impl PixelCodec {
    /// The codec of `levels` greys, `2..=256`; every grey becomes the nearest level, the lighter one when two are equally near.
    ///
    /// # Errors
    /// When there is no such number of levels.
    pub fn new(extent: Extent, levels: usize) -> Result<Self, PixelError> {
        if !(2..=256).contains(&levels) {
            return Err(PixelError::Levels { found: levels });
        }
        let between = |level: usize| ((level as f64 + 0.5) / (levels - 1) as f64) as f32;
        Ok(Self { extent, thresholds: (0..levels - 1).map(between).collect() })
    }

    /// The codec with these thresholds: a grey is of the level of how many thresholds it reaches. There is one level more than
    /// thresholds.
    ///
    /// # Errors
    /// When there are not 1 to 255 thresholds, or one does not lie between its two levels: above `t / (k − 1)`, at most
    /// `(t + 1) / (k − 1)`.
    pub fn with_thresholds(extent: Extent, thresholds: Vec<f32>) -> Result<Self, PixelError> {
        let levels = thresholds.len() + 1;
        Self::new(extent, levels)?;
        for (level, &found) in thresholds.iter().enumerate() {
            let (low, high) = (grey(level, levels), grey(level + 1, levels));
            if !(found > low && found <= high) {
                return Err(PixelError::Threshold { level, found, low, high });
            }
        }
        Ok(Self { extent, thresholds })
    }

    /// Black and white: white is what reaches the threshold, above 0 and at most 1.
    ///
    /// # Errors
    /// When the threshold is not of this kind.
    pub fn binary(extent: Extent, threshold: f32) -> Result<Self, PixelError> {
        Self::with_thresholds(extent, vec![threshold])
    }

    /// The extent of the grid; the site of row `y` and column `x` is `y · width + x`.
    #[must_use]
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// Number of grey levels, `k`.
    #[must_use]
    pub fn levels(&self) -> usize {
        self.thresholds.len() + 1
    }
}

impl Codec for PixelCodec {
    type Item = Image;
    type Decoded = Image;
    type Error = PixelError;

    /// The levels of an image.
    ///
    /// # Errors
    /// When the image has another extent than the codec.
    fn encode(&self, item: &Image) -> Result<Vec<Token>, PixelError> {
        if item.extent() != self.extent {
            let what = "the image to encode";
            return Err(PixelError::OtherExtent { what, found: item.extent(), expected: self.extent });
        }
        let level = |&value: &f32| self.thresholds.partition_point(|&least| least <= value) as Token;
        Ok(item.to_colours(Colours::Grey).values().iter().map(level).collect())
    }

    /// A grey image.
    ///
    /// # Errors
    /// When there is not one token for each site, or one lies outside the vocabulary.
    fn decode(&self, tokens: &[Token]) -> Result<Image, PixelError> {
        let levels = self.levels();
        if tokens.len() != self.extent.pixels() {
            let (found, extent, expected) = (tokens.len(), self.extent, self.extent.pixels());
            let grid = format!("a grid of {extent} has {expected} sites; give one for each pixel, row by row");
            return Err(PixelError::Numbers(format!("{found} tokens, but {grid}")));
        }
        if let Some(site) = tokens.iter().position(|&token| token as usize >= levels) {
            let vocabulary = format!("the vocabulary 0..{levels} of {levels} grey levels");
            return Err(PixelError::Numbers(format!("token {} at site {site} is outside {vocabulary}", tokens[site])));
        }
        let values = tokens.iter().map(|&token| grey(token as usize, levels)).collect();
        Ok(Image::of_values(self.extent, Colours::Grey, values))
    }

    fn vocab_size(&self) -> usize {
        self.levels()
    }

    fn special(&self) -> &[Token] {
        &[]
    }
}

/// The grey of a level.
fn grey(level: usize, levels: usize) -> f32 {
    (level as f64 / (levels - 1) as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_survives_eight_bits() {
        for levels in 2..=256 {
            let extent = Extent::new(1, levels).unwrap();
            let codec = PixelCodec::new(extent, levels).unwrap();
            let tokens: Vec<Token> = (0..levels as Token).collect();
            let image = codec.decode(&tokens).unwrap();
            assert_eq!(codec.encode(&image).unwrap(), tokens);
            let stored = Image::from_bytes(extent, Colours::Grey, &image.to_bytes()).unwrap();
            assert_eq!(codec.encode(&stored).unwrap(), tokens, "{levels} levels");
            assert_eq!(codec.encode(&image.to_colours(Colours::Rgb)).unwrap(), tokens);
        }
    }

    #[test]
    fn errors_say_what_was_found() {
        let extent = Extent::new(2, 2).unwrap();
        for levels in [0, 1, 257] {
            assert!(matches!(PixelCodec::new(extent, levels), Err(PixelError::Levels { .. })));
        }
        assert!(matches!(PixelCodec::with_thresholds(extent, vec![]), Err(PixelError::Levels { found: 1 })));
        for threshold in [0.0, 1.5, -1.0, f32::NAN] {
            assert!(matches!(PixelCodec::binary(extent, threshold), Err(PixelError::Threshold { level: 0, .. })));
        }
        let message = PixelCodec::with_thresholds(extent, vec![0.2, 0.4]).unwrap_err().to_string();
        assert!(message.contains("between the levels 1 and 2 is 0.4, expected more than 0.5"), "{message}");
        let codec = PixelCodec::new(extent, 4).unwrap();
        let message = codec.decode(&[0, 3, 4, 0]).unwrap_err().to_string();
        assert_eq!(message, "token 4 at site 2 is outside the vocabulary 0..4 of 4 grey levels");
        let message = codec.decode(&[0; 3]).unwrap_err().to_string();
        assert_eq!(message, "3 tokens, but a grid of 2x2 has 4 sites; give one for each pixel, row by row");
        let other = Image::filled(Extent::new(2, 3).unwrap(), Colours::Grey, 0.0);
        let message = codec.encode(&other).unwrap_err().to_string();
        assert_eq!(
            message,
            "the image to encode has 2x3 pixels (height x width), expected 2x2; resize or crop it first"
        );
    }
}
