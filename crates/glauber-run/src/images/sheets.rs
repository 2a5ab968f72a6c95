//! Images side by side.

use std::path::Path;

use glauber_pixels::{Extent, Image, SheetStyle, contact_sheet};

use crate::error::{Context, Result};

/// Images on a sheet are enlarged to about this many pixels a side.
const SHOWN_SIDE: usize = 96;

/// Images in rows on one sheet, enlarged where they are small.
///
/// # Errors
/// When they are not of one extent, or the sheet is too large.
pub fn sheet(images: &[Image], columns: usize) -> Result<Image> {
    let side = images.first().map_or(1, |image| image.extent().height().max(image.extent().width()));
    Ok(contact_sheet(images, &style(side, columns))?)
}

/// Checks that a sheet is not too large, before there are images; `flag` is the one to change.
///
/// # Errors
/// When it is.
pub fn check_sheet(flag: &str, extent: Extent, images: usize, columns: usize) -> Result<()> {
    let side = extent.height().max(extent.width());
    style(side, columns).extent(extent, images).map(|_| ()).with_context(|| format!("`{flag}`: the sheet is too large"))
}

fn style(side: usize, columns: usize) -> SheetStyle {
    SheetStyle { columns, scale: SHOWN_SIDE.div_ceil(side).clamp(1, 8), background: 0.5, ..SheetStyle::default() }
}

/// Writes images on one sheet.
///
/// # Errors
/// As [`sheet`], and when the file cannot be written.
pub fn write_sheet(images: &[Image], columns: usize, path: &Path) -> Result<()> {
    sheet(images, columns)?.save_png(path).with_context(|| path.display().to_string())
}
