//! Crops, flips and other sizes.

use image::imageops::{self, FilterType};
use image::{ImageBuffer, Luma, Rgb};

use crate::{Colours, Crop, Extent, Image, PixelError};

impl Image {
    /// The part of `extent` whose first pixel is at (`top`, `left`).
    ///
    /// # Errors
    /// When it is not wholly inside the image.
    pub fn crop(&self, top: usize, left: usize, extent: Extent) -> Result<Self, PixelError> {
        let whole = self.extent();
        let inside = |start: usize, side, whole| start.checked_add(side).is_some_and(|end| end <= whole);
        if !inside(top, extent.height(), whole.height()) || !inside(left, extent.width(), whole.width()) {
            let crop = format!("a crop of {extent} pixels from row {top}, column {left}");
            return Err(PixelError::out_of_range(crop, format!("a part of the image of {whole} pixels")));
        }
        let channels = self.colours().channels();
        let row = |row: usize| {
            let start = ((top + row) * whole.width() + left) * channels;
            &self.values()[start..start + extent.width() * channels]
        };
        let values: Vec<f32> = (0..extent.height()).flat_map(row).copied().collect();
        Ok(Self::of_values(extent, self.colours(), values))
    }

    /// The largest centre crop of the image with the aspect ratio of an extent.
    #[must_use]
    pub fn middle(&self, like: Extent) -> Self {
        let placed = Crop::Centre.placement(self.extent(), like);
        self.crop(placed.top, placed.left, placed.cut).expect("a placement lies within the picture")
    }

    /// The image with left and right exchanged.
    #[must_use]
    pub fn flipped(&self) -> Self {
        let channels = self.colours().channels();
        let rows = self.values().chunks_exact(self.extent().width() * channels);
        let values = rows.flat_map(|row| row.chunks_exact(channels).rev().flatten()).copied().collect();
        Self::of_values(self.extent(), self.colours(), values)
    }

    /// The image in another size, filtered against aliasing (Catmull–Rom, widened where it shrinks).
    #[must_use]
    pub fn resized(&self, extent: Extent) -> Self {
        if extent == self.extent() {
            return self.clone();
        }
        let [width, height] = [self.extent().width(), self.extent().height()].map(|side| side as u32);
        let [new_width, new_height] = [extent.width(), extent.height()].map(|side| side as u32);
        let fits = "one value for each pixel and channel";
        let values = match self.colours() {
            Colours::Grey => {
                let buffer: ImageBuffer<Luma<f32>, &[f32]> =
                    ImageBuffer::from_raw(width, height, self.values()).expect(fits);
                imageops::resize(&buffer, new_width, new_height, FilterType::CatmullRom).into_raw()
            }
            Colours::Rgb => {
                let buffer: ImageBuffer<Rgb<f32>, &[f32]> =
                    ImageBuffer::from_raw(width, height, self.values()).expect(fits);
                imageops::resize(&buffer, new_width, new_height, FilterType::CatmullRom).into_raw()
            }
        };
        Self::of_values(extent, self.colours(), values)
    }

    /// The image with every pixel a square of `factor` × `factor`.
    ///
    /// # Errors
    /// When the result would be larger than an image may be, or `factor` is 0.
    pub fn enlarged(&self, factor: usize) -> Result<Self, PixelError> {
        let [height, width] = [self.extent().height(), self.extent().width()].map(|side| side.saturating_mul(factor));
        let extent = Extent::new(height, width)?;
        let mut values = Vec::with_capacity(extent.pixels() * self.colours().channels());
        for row in 0..height {
            for column in 0..width {
                values.extend_from_slice(self.pixel(row / factor, column / factor));
            }
        }
        Ok(Self::of_values(extent, self.colours(), values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(height: usize, width: usize, colours: Colours) -> Image {
        let count = height * width * colours.channels();
        let values = (0..count).map(|place| place as f32 / count as f32).collect();
        Image::new(Extent::new(height, width).unwrap(), colours, values).unwrap()
    }

    #[test]
    fn a_crop_is_the_part_it_says() {
        let image = numbered(5, 7, Colours::Rgb);
        let crop = image.crop(2, 3, Extent::new(3, 4).unwrap()).unwrap();
        for (row, column) in (0..3).flat_map(|row| (0..4).map(move |column| (row, column))) {
            assert_eq!(crop.pixel(row, column), image.pixel(row + 2, column + 3));
        }
        for (top, left) in [(3, 3), (2, 4), (usize::MAX, 0), (0, usize::MAX)] {
            let message = image.crop(top, left, Extent::new(3, 4).unwrap()).unwrap_err().to_string();
            assert!(message.ends_with("expected a part of the image of 5x7 pixels"), "{message}");
        }
    }

    #[test]
    fn the_middle_has_the_proportions_asked_for() {
        let image = numbered(10, 40, Colours::Grey);
        let square = Extent::new(16, 16).unwrap();
        assert_eq!(image.middle(square), image.crop(0, 15, Extent::new(10, 10).unwrap()).unwrap());
        assert_eq!(image.middle(Extent::new(1, 4).unwrap()), image);
    }

    #[test]
    fn two_flips_are_none() {
        for colours in [Colours::Grey, Colours::Rgb] {
            let image = numbered(3, 4, colours);
            assert_eq!(image.flipped().pixel(1, 0), image.pixel(1, 3));
            assert_eq!(image.flipped().flipped(), image);
        }
    }

    #[test]
    fn enlarging_keeps_pixels_and_shrinking_averages_them() {
        let image = numbered(2, 3, Colours::Rgb);
        let large = image.enlarged(3).unwrap();
        assert_eq!(large.extent(), Extent::new(6, 9).unwrap());
        assert_eq!(large.pixel(5, 4), image.pixel(1, 1));
        assert!(image.enlarged(0).is_err() && image.enlarged(usize::MAX).is_err());
        let flat = Image::filled(Extent::new(40, 30).unwrap(), Colours::Grey, 0.3);
        let small = flat.resized(Extent::new(7, 11).unwrap());
        assert!(small.values().iter().all(|value| (value - 0.3).abs() < 1e-6));
        let half = |place: usize| f32::from(u8::from(place % 64 >= 32));
        let edge = Image::new(Extent::new(64, 64).unwrap(), Colours::Grey, (0..4096).map(half).collect()).unwrap();
        let shrunk = edge.resized(Extent::new(4, 4).unwrap());
        assert!(shrunk.pixel(0, 0)[0] < 0.05 && shrunk.pixel(3, 3)[0] > 0.95);
    }
}
