//! Which sites are to be painted.

use std::path::Path;

use crate::{Colours, Extent, Image, PixelError};

/// The sites to be painted, shape `[site]` row by row: those where the image, brought to the grid's extent by averaging, is at least
/// half white. An image of another shape than the grid is stretched.
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
pub fn mask(image: &Image, grid: Extent) -> Vec<bool> {
    image.to_colours(Colours::Grey).averaged(grid).values().iter().map(|&value| value >= 0.5).collect()
}

/// The [`mask`] that a file shows.
///
/// # Errors
/// As [`Image::open`].
pub fn read_mask(path: impl AsRef<Path>, grid: Extent) -> Result<Vec<bool>, PixelError> {
    Ok(mask(&Image::open(path)?, grid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_of_the_grid_size_is_taken_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mask.png");
        let grid = Extent::new(4, 5).unwrap();
        let expected: Vec<bool> = (0..20).map(|site| site % 3 == 0).collect();
        let bytes: Vec<u8> = expected.iter().map(|&painted| if painted { 255 } else { 0 }).collect();
        Image::from_bytes(grid, Colours::Grey, &bytes).unwrap().save_png(&path).unwrap();
        assert_eq!(read_mask(&path, grid).unwrap(), expected);
        assert!(matches!(read_mask(folder.path().join("none.png"), grid), Err(PixelError::Io { .. })));
    }
}
