//! Grey images as tokens.

use glauber_tokens::{Codec, Token};

use crate::{Colours, Extent, Image, PixelError};

/// Between grey images of one extent and token grids: one token for each pixel, row by row; token `t` of `k` shows the grey
/// `t / (k − 1)`. With `k = 2` images are black and white.
///
/// An image whose greys are all of this form comes back exactly, also through a file of eight bits. Other images are
/// rounded to the levels; a colour image is first converted to grey. A token may also be a patch of pixels
/// ([`in_patches`](Self::in_patches)).
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
    /// Rows and columns of pixels of a token.
    patch: usize,
}

/// Maximal number of tokens.
const MOST_TOKENS: usize = 1 << 12;

impl PixelCodec {
    /// The codec of `levels` greys, `2..=256`; every grey becomes the nearest level, the lighter one when two are equally near.
    ///
    /// # Errors
    /// When there is no such number of levels.
    pub fn new(extent: Extent, levels: usize) -> Result<Self, PixelError> {
        if !(2..=256).contains(&levels) {
            return Err(PixelError::out_of_range(format!("{levels} grey levels"), "2 to 256"));
        }
        let between = |level: usize| ((level as f64 + 0.5) / (levels - 1) as f64) as f32;
        Ok(Self { extent, thresholds: (0..levels - 1).map(between).collect(), patch: 1 })
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
                let threshold = format!("the threshold between the levels {level} and {} is {found}", level + 1);
                let within = format!("more than {low} and at most {high}, so that each grey level maps to itself");
                return Err(PixelError::out_of_range(threshold, within));
            }
        }
        Ok(Self { extent, thresholds, patch: 1 })
    }

    /// The same greys, a token for `patch` × `patch` pixels: `k^(patch²)` tokens. The level of the patch's pixel `p`, row by row, is the
    /// digit of `k^p`. Fewer sites make a network many times faster.
    ///
    /// ```
    /// use glauber_pixels::{Colours, Extent, Image, PixelCodec};
    /// use glauber_tokens::Codec;
    ///
    /// let extent = Extent::new(2, 4)?;
    /// let codec = PixelCodec::new(extent, 2)?.in_patches(2)?;
    /// let image = Image::new(extent, Colours::Grey, vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0])?;
    /// assert_eq!((codec.vocab_size(), codec.grid()), (16, [1, 2]));
    /// assert_eq!(codec.encode(&image)?, [0b0001, 0b1110]);
    /// assert_eq!(codec.decode(&[0b0001, 0b1110])?, image);
    /// # Ok::<(), glauber_pixels::PixelError>(())
    /// ```
    ///
    /// # Errors
    /// When patches do not divide the image, or there are more than 4096 tokens.
    pub fn in_patches(self, patch: usize) -> Result<Self, PixelError> {
        let (extent, levels) = (self.extent, self.levels());
        let refuse = |what: String| Err(PixelError::Numbers(format!("patches of {patch}x{patch} pixels: {what}")));
        if patch == 0 || extent.height() % patch != 0 || extent.width() % patch != 0 {
            return refuse(format!("expected a size that divides the {extent} pixels of the image"));
        }
        let tokens = u32::try_from(patch * patch).ok().and_then(|pixels| levels.checked_pow(pixels));
        match tokens.filter(|&tokens| tokens <= MOST_TOKENS) {
            Some(_) => Ok(Self { patch, ..self }),
            None => refuse(format!(
                "more than {MOST_TOKENS} tokens of {levels} greys, expected smaller patches or fewer greys"
            )),
        }
    }

    /// Rows and columns of pixels of a token.
    #[must_use]
    pub fn patch(&self) -> usize {
        self.patch
    }

    /// Rows and columns of tokens.
    #[must_use]
    pub fn grid(&self) -> [usize; 2] {
        [self.extent.height() / self.patch, self.extent.width() / self.patch]
    }

    /// Pixels in the order of their tokens, those of a patch row by row.
    fn pixels(&self) -> impl Iterator<Item = usize> {
        let (patch, width, columns) = (self.patch, self.extent.width(), self.grid()[1]);
        (0..self.extent.pixels()).map(move |at| {
            let (site, within) = (at / (patch * patch), at % (patch * patch));
            let (row, column) = (site / columns * patch + within / patch, site % columns * patch + within % patch);
            row * width + column
        })
    }

    /// Black and white: white is what reaches the threshold, above 0 and at most 1.
    ///
    /// # Errors
    /// When the threshold is not of this kind.
    pub fn binary(extent: Extent, threshold: f32) -> Result<Self, PixelError> {
        Self::with_thresholds(extent, vec![threshold])
    }

    /// The extent of the images; the pixel of row `y` and column `x` is `y · width + x`.
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

    /// The levels of an image, or its patches.
    ///
    /// # Errors
    /// When the image has another extent than the codec.
    fn encode(&self, item: &Image) -> Result<Vec<Token>, PixelError> {
        if item.extent() != self.extent {
            let what = "the image to encode";
            return Err(PixelError::OtherExtent { what, found: item.extent(), expected: self.extent });
        }
        let level = |&value: &f32| self.thresholds.partition_point(|&least| least <= value) as Token;
        let levels: Vec<Token> = item.to_colours(Colours::Grey).values().iter().map(level).collect();
        let pixels: Vec<Token> = self.pixels().map(|pixel| levels[pixel]).collect();
        let token = |patch: &[Token]| patch.iter().rev().fold(0, |token, level| token * self.levels() as Token + level);
        Ok(pixels.chunks_exact(self.patch * self.patch).map(token).collect())
    }

    /// A grey image.
    ///
    /// # Errors
    /// When there is not one token for each site, or one lies outside the vocabulary.
    fn decode(&self, tokens: &[Token]) -> Result<Image, PixelError> {
        let (levels, [rows, columns], vocab) = (self.levels(), self.grid(), self.vocab_size());
        if tokens.len() != rows * columns {
            let (found, expected) = (tokens.len(), rows * columns);
            let each = if self.patch == 1 { "pixel" } else { "patch" };
            let grid = format!("a grid of {rows}x{columns} has {expected} sites; give one for each {each}, row by row");
            return Err(PixelError::Numbers(format!("{found} tokens, but {grid}")));
        }
        if let Some(site) = tokens.iter().position(|&token| token as usize >= vocab) {
            let vocabulary = format!("the vocabulary 0..{vocab} of {levels} grey levels");
            return Err(PixelError::Numbers(format!("token {} at site {site} is outside {vocabulary}", tokens[site])));
        }
        let mut values = vec![0.0; self.extent.pixels()];
        let (mut tokens, mut rest, each) = (tokens.iter(), 0, self.patch * self.patch);
        for (at, pixel) in self.pixels().enumerate() {
            if at % each == 0 {
                rest = tokens.next().map_or(0, |&token| token as usize);
            }
            values[pixel] = grey(rest % levels, levels);
            rest /= levels;
        }
        Ok(Image::of_values(self.extent, Colours::Grey, values))
    }

    fn vocab_size(&self) -> usize {
        self.levels().pow((self.patch * self.patch) as u32)
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
    fn patches_come_back_whole() {
        let extent = Extent::new(4, 6).unwrap();
        let pixels = PixelCodec::new(extent, 3).unwrap();
        let tokens: Vec<Token> = (0..24).map(|at| at * at % 7 % 3).collect();
        let image = pixels.decode(&tokens).unwrap();
        let patches = pixels.clone().in_patches(2).unwrap();
        assert_eq!((patches.vocab_size(), patches.grid(), patches.patch()), (81, [2, 3], 2));
        let grid = patches.encode(&image).unwrap();
        assert_eq!(patches.decode(&grid).unwrap(), image);
        // The second patch of the second row: pixels (2, 2), (2, 3), (3, 2), (3, 3).
        assert_eq!(grid[4], tokens[14] + 3 * tokens[15] + 9 * tokens[20] + 27 * tokens[21]);
        for patch in [0, 3, 4] {
            assert!(pixels.clone().in_patches(patch).is_err(), "{patch}");
        }
        let error = PixelCodec::new(extent, 16).unwrap().in_patches(2).unwrap_err().to_string();
        assert!(error.contains("2x2") && error.contains("4096"), "{error}");
    }

    #[test]
    fn errors_say_what_was_found() {
        let extent = Extent::new(2, 2).unwrap();
        for levels in [0, 1, 257] {
            let message = PixelCodec::new(extent, levels).unwrap_err().to_string();
            assert_eq!(message, format!("{levels} grey levels, expected 2 to 256"));
        }
        let message = PixelCodec::with_thresholds(extent, vec![]).unwrap_err().to_string();
        assert_eq!(message, "1 grey levels, expected 2 to 256");
        for threshold in [0.0, 1.5, -1.0, f32::NAN] {
            let message = PixelCodec::binary(extent, threshold).unwrap_err().to_string();
            assert!(message.starts_with("the threshold between the levels 0 and 1 is"), "{message}");
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
