//! Sheets of images.

use std::path::Path;

use glauber_pixels::{Extent, Image, SheetStyle, contact_sheet};

use crate::error::{Context, Result};

/// Approximate side length of images on a sheet, in pixels.
const SHOWN_SIDE: usize = 96;

/// Arranges images in rows on a sheet; small images are enlarged.
///
/// # Errors
/// If their extents differ, or the sheet is too large.
pub fn sheet(images: &[Image], columns: usize) -> Result<Image> {
    let side = images.first().map_or(1, |image| image.extent().height().max(image.extent().width()));
    Ok(contact_sheet(images, &style(side, columns))?)
}

/// Checks the size of a sheet before its images exist; `flag` is named in the error.
///
/// # Errors
/// If it is too large.
pub fn check_sheet(flag: &str, extent: Extent, images: usize, columns: usize) -> Result<()> {
    let side = extent.height().max(extent.width());
    style(side, columns).extent(extent, images).map(|_| ()).with_context(|| format!("`{flag}`: the sheet is too large"))
}

/// The style of a sheet of images whose longest side has so many pixels.
pub(crate) fn style(side: usize, columns: usize) -> SheetStyle {
    SheetStyle { columns, scale: SHOWN_SIDE.div_ceil(side).clamp(1, 8), background: 0.5, ..SheetStyle::default() }
}

/// Writes images on one sheet.
///
/// # Errors
/// As [`sheet`], and when the file cannot be written.
pub fn write_sheet(images: &[Image], columns: usize, path: &Path) -> Result<()> {
    sheet(images, columns)?.save_png(path).with_context(|| path.display().to_string())
}
