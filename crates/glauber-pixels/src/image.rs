//! The image type.

use crate::{Colours, Extent, PixelError};

/// Shares of red, green and blue in the brightness (ITU-R BT.601 luma, on the values as stored).
const LUMA: [f32; 3] = [0.299, 0.587, 0.114];

/// An image: values in `0..=1`, shape `[row, column, channel]`, gamma-coded as in image files.
///
/// Every way in and out that has eight bits is exact: `from_bytes(to_bytes(x)) = x` for what came from bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    extent: Extent,
    colours: Colours,
    values: Vec<f32>,
}

impl Image {
    /// An image of values, shape `[row, column, channel]`.
    ///
    /// # Errors
    /// When there is not one value for each pixel and channel, or one is not in `0..=1`.
    pub fn new(extent: Extent, colours: Colours, values: Vec<f32>) -> Result<Self, PixelError> {
        check_length(extent, colours, values.len())?;
        let channels = colours.channels();
        if let Some(place) = values.iter().position(|value| !(0.0..=1.0).contains(value)) {
            return Err(no_value(values[place], (place / channels, place % channels), extent, "0 to 1"));
        }
        Ok(Self { extent, colours, values })
    }

    /// An image whose values are known to be in order; what rounding pushed out of `0..=1` is pushed back.
    pub(crate) fn of_values(extent: Extent, colours: Colours, mut values: Vec<f32>) -> Self {
        debug_assert_eq!(values.len(), extent.pixels() * colours.channels());
        values.iter_mut().for_each(|value| *value = value.clamp(0.0, 1.0));
        Self { extent, colours, values }
    }

    /// An image of one grey; a value outside `0..=1` becomes the nearest one inside, NaN becomes black.
    #[must_use]
    pub fn filled(extent: Extent, colours: Colours, grey: f32) -> Self {
        let grey = if grey.is_nan() { 0.0 } else { grey };
        Self::of_values(extent, colours, vec![grey; extent.pixels() * colours.channels()])
    }

    /// An image of bytes `0..=255`, shape `[row, column, channel]`.
    ///
    /// # Errors
    /// When there is not one byte for each pixel and channel.
    pub fn from_bytes(extent: Extent, colours: Colours, bytes: &[u8]) -> Result<Self, PixelError> {
        check_length(extent, colours, bytes.len())?;
        Ok(Self { extent, colours, values: bytes.iter().map(|&byte| f32::from(byte) / 255.0).collect() })
    }

    /// The values as the nearest bytes, shape `[row, column, channel]`.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.values.iter().map(|value| (value * 255.0).round() as u8).collect()
    }

    /// An image of planes in `-1..=1`, shape `[channel, row, column]`, as networks give them. Values beyond are cut off.
    ///
    /// # Errors
    /// When there is not one value for each pixel and channel, or one is NaN.
    pub fn from_planes(extent: Extent, colours: Colours, planes: &[f32]) -> Result<Self, PixelError> {
        check_length(extent, colours, planes.len())?;
        let (pixels, channels) = (extent.pixels(), colours.channels());
        if let Some(place) = planes.iter().position(|value| value.is_nan()) {
            return Err(no_value(planes[place], (place % pixels, place / pixels), extent, "a number"));
        }
        let value = |place: usize| (planes[place % channels * pixels + place / channels] + 1.0) / 2.0;
        Ok(Self::of_values(extent, colours, (0..planes.len()).map(value).collect()))
    }

    /// Writes the image as planes in `-1..=1`, shape `[channel, row, column]`.
    ///
    /// # Panics
    /// When `out` does not have one entry for each pixel and channel.
    pub fn write_planes(&self, out: &mut [f32]) {
        assert_eq!(out.len(), self.values.len(), "one entry for each value of {} pixels", self.extent);
        let (pixels, channels) = (self.extent.pixels(), self.colours.channels());
        for (place, value) in self.values.iter().enumerate() {
            out[place % channels * pixels + place / channels] = 2.0 * value - 1.0;
        }
    }

    /// The image as planes in `-1..=1`, shape `[channel, row, column]`.
    #[must_use]
    pub fn to_planes(&self) -> Vec<f32> {
        let mut planes = vec![0.0; self.values.len()];
        self.write_planes(&mut planes);
        planes
    }

    /// Height and width.
    #[must_use]
    pub fn extent(&self) -> Extent {
        self.extent
    }

    /// Grey or RGB.
    #[must_use]
    pub fn colours(&self) -> Colours {
        self.colours
    }

    /// All values, shape `[row, column, channel]`.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The channels of a pixel.
    ///
    /// # Panics
    /// When the pixel lies outside the image.
    #[must_use]
    pub fn pixel(&self, row: usize, column: usize) -> &[f32] {
        assert!(row < self.extent.height() && column < self.extent.width(), "({row}, {column}) of {}", self.extent);
        let channels = self.colours.channels();
        &self.values[(row * self.extent.width() + column) * channels..][..channels]
    }

    /// The image with these channels: grey is repeated, colours become their luma (ITU-R BT.601).
    #[must_use]
    pub fn to_colours(&self, colours: Colours) -> Self {
        let values = match (self.colours, colours) {
            (Colours::Grey, Colours::Rgb) => self.values.iter().flat_map(|&value| [value; 3]).collect(),
            (Colours::Rgb, Colours::Grey) => self.values.chunks_exact(3).map(luma).collect(),
            _ => self.values.clone(),
        };
        Self::of_values(self.extent, colours, values)
    }
}

/// The brightness of a colour; a grey keeps its value exactly.
fn luma(pixel: &[f32]) -> f32 {
    if pixel[0] == pixel[1] && pixel[1] == pixel[2] {
        return pixel[0];
    }
    pixel.iter().zip(LUMA).map(|(value, share)| value * share).sum()
}

/// A value that no image has, of a pixel and channel.
fn no_value(found: f32, (pixel, channel): (usize, usize), extent: Extent, expected: &str) -> PixelError {
    let (row, column) = (pixel / extent.width(), pixel % extent.width());
    let place = format!("row {row}, column {column}, channel {channel}");
    PixelError::Numbers(format!("the value of {place} is {found}, expected {expected}"))
}

fn check_length(extent: Extent, colours: Colours, found: usize) -> Result<(), PixelError> {
    let channels = colours.channels();
    match extent.pixels() * channels {
        expected if found == expected => Ok(()),
        expected => {
            let pixels = format!("{extent} pixels of {channels} channels");
            Err(PixelError::Numbers(format!("{found} values, but {pixels} have {expected}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(height: usize, width: usize) -> Extent {
        Extent::new(height, width).unwrap()
    }

    #[test]
    fn every_byte_comes_back() {
        let bytes: Vec<u8> = (0..=255).collect();
        let image = Image::from_bytes(extent(16, 16), Colours::Grey, &bytes).unwrap();
        assert_eq!(image.to_bytes(), bytes);
        assert_eq!(image.to_colours(Colours::Rgb).to_colours(Colours::Grey), image);
        let through_planes = Image::from_planes(image.extent(), Colours::Grey, &image.to_planes()).unwrap();
        assert_eq!(through_planes.to_bytes(), bytes);
    }

    #[test]
    fn planes_put_channels_first() {
        let image = Image::new(extent(1, 2), Colours::Rgb, vec![0.0, 0.5, 1.0, 0.25, 0.75, 0.5]).unwrap();
        assert_eq!(image.to_planes(), [-1.0, -0.5, 0.0, 0.5, 1.0, 0.0]);
        assert_eq!(Image::from_planes(extent(1, 2), Colours::Rgb, &image.to_planes()).unwrap(), image);
        assert_eq!(image.pixel(0, 1), [0.25, 0.75, 0.5]);
    }

    #[test]
    fn what_networks_overshoot_is_cut_and_nan_is_named() {
        let cut = Image::from_planes(extent(1, 2), Colours::Grey, &[-7.0, f32::INFINITY]).unwrap();
        assert_eq!(cut.values(), [0.0, 1.0]);
        let mut planes = vec![0.0; 18];
        planes[2 * 6 + 4] = f32::NAN;
        let message = Image::from_planes(extent(2, 3), Colours::Rgb, &planes).unwrap_err().to_string();
        assert_eq!(message, "the value of row 1, column 1, channel 2 is NaN, expected a number");
        let mut values = vec![0.5; 18];
        values[10] = 1.5;
        let message = Image::new(extent(2, 3), Colours::Rgb, values).unwrap_err().to_string();
        assert_eq!(message, "the value of row 1, column 0, channel 1 is 1.5, expected 0 to 1");
        let message = Image::from_bytes(extent(2, 3), Colours::Rgb, &[0; 6]).unwrap_err().to_string();
        assert_eq!(message, "6 values, but 2x3 pixels of 3 channels have 18");
    }

    #[test]
    fn luma_weighs_green_most() {
        let image = Image::new(extent(1, 3), Colours::Rgb, vec![1., 0., 0., 0., 1., 0., 0., 0., 1.]).unwrap();
        assert_eq!(image.to_colours(Colours::Grey).values(), [0.299, 0.587, 0.114]);
    }
}
