//! Many images in one.

use crate::{Colours, Extent, Image, PixelError};

/// How a sheet is laid out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SheetStyle {
    /// Images side by side, at least 1; fewer where there are fewer images.
    pub columns: usize,
    /// Pixels between images and around them.
    pub gap: usize,
    /// Each pixel of an image becomes a square of `scale` × `scale`, at least 1.
    pub scale: usize,
    /// The grey of the gaps, 0 to 1.
    pub background: f32,
}

impl Default for SheetStyle {
    /// 8 columns, gaps of 2 pixels in white, images in their size.
    fn default() -> Self {
        Self { columns: 8, gap: 2, scale: 1, background: 1.0 }
    }
}

impl SheetStyle {
    /// The extent of a sheet of `images` images of one extent.
    ///
    /// # Errors
    /// Without images, when the sheet would be larger than an image may be, and when the style is impossible.
    pub fn extent(&self, image: Extent, images: usize) -> Result<Extent, PixelError> {
        self.cells(image, images.div_ceil(self.columns.max(1)), images.min(self.columns))
    }

    fn cells(&self, image: Extent, rows: usize, columns: usize) -> Result<Extent, PixelError> {
        if self.columns == 0 || self.scale == 0 {
            let found = format!("a sheet of {} columns, images enlarged {} times", self.columns, self.scale);
            return Err(PixelError::out_of_range(found, "at least 1 of both"));
        }
        if rows == 0 {
            return Err(PixelError::Nothing { what: "a sheet" });
        }
        let side = |cells: usize, pixels: usize| {
            pixels.saturating_mul(self.scale).saturating_add(self.gap).saturating_mul(cells).saturating_add(self.gap)
        };
        Extent::new(side(rows, image.height()), side(columns, image.width()))
    }
}

/// Images in rows from left to right. It is in colour when one of them is.
///
/// # Errors
/// Without images, when they differ in extent, and when the sheet would be too large or the style is impossible.
pub fn contact_sheet(images: &[Image], style: &SheetStyle) -> Result<Image, PixelError> {
    let rows = images.len().div_ceil(style.columns.max(1));
    let placed = images.iter().enumerate();
    lay_out(placed.map(|(i, image)| (i / style.columns.max(1), i % style.columns.max(1), image)), rows, style)
}

/// Rows of originals, below each the row of their reconstructions.
///
/// # Errors
/// As [`contact_sheet`], and when there is not one reconstruction for each original.
pub fn comparison_sheet(
    originals: &[Image],
    reconstructions: &[Image],
    style: &SheetStyle,
) -> Result<Image, PixelError> {
    if originals.len() != reconstructions.len() {
        let found = format!("{} originals and {} reconstructions", originals.len(), reconstructions.len());
        return Err(PixelError::out_of_range(found, "one reconstruction for each original"));
    }
    let columns = style.columns.max(1);
    let rows = 2 * originals.len().div_ceil(columns);
    let place = |below: usize| move |(i, image): (usize, _)| (2 * (i / columns) + below, i % columns, image);
    let above = originals.iter().enumerate().map(place(0));
    lay_out(above.chain(reconstructions.iter().enumerate().map(place(1))), rows, style)
}

/// Images at (row, column) of a sheet of `rows`.
fn lay_out<'a>(
    placed: impl Iterator<Item = (usize, usize, &'a Image)> + Clone,
    rows: usize,
    style: &SheetStyle,
) -> Result<Image, PixelError> {
    let SheetStyle { gap, scale, background, .. } = *style;
    let Some((.., first)) = placed.clone().next() else { return Err(PixelError::Nothing { what: "a sheet" }) };
    let expected = first.extent();
    let images = placed.clone().map(|(.., image)| image);
    if let Some(other) = images.clone().find(|image| image.extent() != expected) {
        return Err(PixelError::OtherExtent { what: "an image of the sheet", found: other.extent(), expected });
    }
    let coloured = images.clone().any(|image| image.colours() == Colours::Rgb);
    let colours = if coloured { Colours::Rgb } else { Colours::Grey };
    let used = placed.clone().map(|(_, column, _)| column + 1).max().unwrap_or(1);
    let sheet = style.cells(expected, rows, used)?;
    let mut values = Image::filled(sheet, colours, background).values().to_vec();
    for (row, column, image) in placed {
        let image = image.to_colours(colours).enlarged(scale)?;
        let corner = (gap + row * (image.extent().height() + gap), gap + column * (image.extent().width() + gap));
        paste(&mut values, sheet, &image, corner);
    }
    Ok(Image::of_values(sheet, colours, values))
}

/// Copies an image into the values of a sheet that it fits into.
fn paste(values: &mut [f32], sheet: Extent, image: &Image, (top, left): (usize, usize)) {
    let channels = image.colours().channels();
    let length = image.extent().width() * channels;
    for (row, line) in image.values().chunks_exact(length).enumerate() {
        values[((top + row) * sheet.width() + left) * channels..][..length].copy_from_slice(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn greys(count: usize) -> Vec<Image> {
        let extent = Extent::new(2, 3).unwrap();
        (0..count).map(|i| Image::filled(extent, Colours::Grey, i as f32 / 10.0)).collect()
    }

    #[test]
    fn images_are_where_they_belong() {
        let style = SheetStyle { columns: 3, gap: 1, scale: 2, background: 1.0 };
        let sheet = contact_sheet(&greys(5), &style).unwrap();
        assert_eq!(sheet.extent(), Extent::new(2 * 5 + 1, 3 * 7 + 1).unwrap());
        assert_eq!(sheet.extent(), style.extent(Extent::new(2, 3).unwrap(), 5).unwrap());
        assert_eq!(sheet.pixel(0, 0), [1.0]);
        for i in 0..5 {
            let (top, left) = (1 + i / 3 * 5, 1 + i % 3 * 7);
            for (row, column) in [(0, 0), (3, 5)] {
                assert_eq!(sheet.pixel(top + row, left + column), [i as f32 / 10.0]);
            }
            assert_eq!(sheet.pixel(top + 4, left), [1.0]);
            assert_eq!(sheet.pixel(top, left + 6), [1.0]);
        }
        assert_eq!(sheet.pixel(8, 17), [1.0], "the sixth place is empty");
    }

    #[test]
    fn reconstructions_are_below_their_originals() {
        let style = SheetStyle { columns: 2, gap: 0, scale: 1, background: 0.0 };
        let colourful: Vec<Image> = greys(6)[3..].iter().map(|image| image.to_colours(Colours::Rgb)).collect();
        let sheet = comparison_sheet(&greys(3), &colourful, &style).unwrap();
        assert_eq!((sheet.extent(), sheet.colours()), (Extent::new(8, 6).unwrap(), Colours::Rgb));
        let found = [(0, 0), (0, 3), (2, 0), (2, 3), (4, 0), (6, 0), (6, 3)].map(|(y, x)| sheet.pixel(y, x)[0]);
        assert_eq!(found, [0.0, 0.1, 0.3, 0.4, 0.2, 0.5, 0.0]);
    }

    #[test]
    fn impossible_sheets_are_refused() {
        let style = SheetStyle::default();
        assert!(matches!(contact_sheet(&[], &style), Err(PixelError::Nothing { .. })));
        let one = Extent::new(1, 1).unwrap();
        assert!(matches!(style.extent(one, 0), Err(PixelError::Nothing { .. })));
        assert!(matches!(style.extent(one, usize::MAX), Err(PixelError::Extent { .. })));
        for (columns, scale) in [(0, 1), (1, 0)] {
            let style = SheetStyle { columns, scale, ..style };
            let message = contact_sheet(&greys(2), &style).unwrap_err().to_string();
            assert!(message.ends_with("expected at least 1 of both"), "{message}");
        }
        let huge = SheetStyle { gap: usize::MAX, ..style };
        assert!(matches!(contact_sheet(&greys(2), &huge), Err(PixelError::Extent { .. })));
        let mut mixed = greys(2);
        mixed.push(Image::filled(Extent::new(3, 2).unwrap(), Colours::Grey, 0.0));
        assert!(matches!(contact_sheet(&mixed, &style), Err(PixelError::OtherExtent { .. })));
        let message = comparison_sheet(&greys(2), &greys(1), &style).unwrap_err().to_string();
        assert_eq!(message, "2 originals and 1 reconstructions, expected one reconstruction for each original");
    }
}
