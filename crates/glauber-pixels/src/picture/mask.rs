//! Which pixels are to be painted.

use std::ops::Range;
use std::path::Path;

use super::{laid_over, read};
use crate::{Colours, Extent, Image, PixelError};

/// The pixels to be painted of images of an extent, shape `[pixel]` row by row: all that a white pixel of this one reaches into, white
/// being half of it or more. Of an image of other proportions the [middle](Image::middle) counts.
///
/// ```
/// use glauber_pixels::{Colours, Extent, Image, mask};
///
/// let drawn = Image::new(Extent::new(1, 2)?, Colours::Grey, vec![0.0, 1.0])?.enlarged(32)?;
/// let painted = mask(&drawn, Extent::new(2, 4)?);
/// assert_eq!(painted, [false, false, true, true, false, false, true, true]);
/// # Ok::<(), glauber_pixels::PixelError>(())
/// ```
#[must_use]
pub fn mask(image: &Image, extent: Extent) -> Vec<bool> {
    let image = image.to_colours(Colours::Grey).middle(extent);
    let white: Vec<bool> = image.values().iter().map(|&value| value >= 0.5).collect();
    reached(&white, image.extent(), extent)
}

/// The [`mask`] that a file shows; what is transparent is black.
///
/// # Errors
/// As [`Image::open`].
pub fn read_mask(path: impl AsRef<Path>, extent: Extent) -> Result<Vec<bool>, PixelError> {
    Ok(mask(&Image::try_from(laid_over(0, read(path.as_ref())?))?, extent))
}

/// Marked pixels of one extent, as all those pixels of another, laid over the same area, that they reach into. Both have shape
/// `[pixel]`, row by row.
///
/// # Panics
/// When there is not one entry for each pixel of `from`.
#[must_use]
pub fn reached(marked: &[bool], from: Extent, to: Extent) -> Vec<bool> {
    assert_eq!(marked.len(), from.pixels(), "one entry for each of {from} pixels");
    let mut reached = vec![false; to.pixels()];
    for (pixel, _) in marked.iter().enumerate().filter(|(_, marked)| **marked) {
        let (row, column) = (pixel / from.width(), pixel % from.width());
        let columns = reach(column, from.width(), to.width());
        for row in reach(row, from.height(), to.height()) {
            reached[row * to.width()..][columns.clone()].fill(true);
        }
    }
    reached
}

/// Which of `to` equal parts of a line one of `from` equal parts reaches into.
fn reach(part: usize, from: usize, to: usize) -> Range<usize> {
    part * to / from..((part + 1) * to).div_ceil(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(height: usize, width: usize) -> Extent {
        Extent::new(height, width).unwrap()
    }

    #[test]
    fn a_mask_of_the_grid_size_is_taken_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        let grid = extent(4, 5);
        let expected: Vec<bool> = (0..20).map(|site| site % 3 == 0).collect();
        let bytes: Vec<u8> = expected.iter().map(|&painted| if painted { 255 } else { 0 }).collect();
        Image::from_bytes(grid, Colours::Grey, &bytes).unwrap().save_png(&path).unwrap();
        assert_eq!(read_mask(&path, grid).unwrap(), expected);
        assert!(matches!(read_mask(folder.path().join("none.png"), grid), Err(PixelError::Io { .. })));
    }

    #[test]
    fn a_dot_is_not_averaged_away() {
        let dot = |height, width, at: usize| {
            let values = (0..height * width).map(|pixel| f32::from(u8::from(pixel == at))).collect();
            Image::new(extent(height, width), Colours::Grey, values).unwrap()
        };
        let marked = |image: &Image, to: Extent| -> Vec<usize> {
            mask(image, to).iter().enumerate().filter(|(_, marked)| **marked).map(|(pixel, _)| pixel).collect()
        };
        assert_eq!(marked(&dot(100, 100, 3456), extent(8, 8)), [2 * 8 + 4]);
        // Pixel 1 of 3 reaches into both of 2.
        assert_eq!(marked(&dot(3, 3, 4), extent(2, 2)), [0, 1, 2, 3]);
        // The middle of a wide mask counts, here columns 15 to 24 of 40.
        assert_eq!(marked(&dot(10, 40, 15), extent(5, 5)), [0]);
        assert!(marked(&dot(10, 40, 14), extent(5, 5)).is_empty());
    }

    #[test]
    fn transparent_is_black() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        let pixels = vec![255, 255, 255, 0, 255, 255, 255, 255, 0, 0, 0, 0, 255, 255, 255, 200];
        image::RgbaImage::from_raw(4, 1, pixels).unwrap().save(&path).unwrap();
        assert_eq!(read_mask(&path, extent(1, 4)).unwrap(), [false, true, false, true]);
    }

    proptest::proptest! {
        #[test]
        fn what_reaches_is_reached_back(
            from in (1usize..20, 1usize..20),
            to in (1usize..20, 1usize..20),
            seed in 0usize..1000,
        ) {
            let (from, to) = (extent(from.0, from.1), extent(to.0, to.1));
            let marked: Vec<bool> = (0..from.pixels()).map(|pixel| (pixel * 7919 + seed * 31) % 5 == 0).collect();
            let back = reached(&reached(&marked, from, to), to, from);
            proptest::prop_assert!(marked.iter().zip(&back).all(|(marked, back)| !marked || *back));
        }
    }
}
