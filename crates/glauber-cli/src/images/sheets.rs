//! Images side by side.

use std::path::Path;

use anyhow::Context;
use glauber_pixels::{Image, SheetStyle, contact_sheet};

/// Images on a sheet are enlarged to about this many pixels a side.
const SHOWN_SIDE: usize = 96;

/// Images in rows on one sheet, enlarged where they are small.
pub fn sheet(images: &[Image], columns: usize) -> anyhow::Result<Image> {
    let side = images.first().map_or(1, |image| image.extent().height().max(image.extent().width()));
    let style =
        SheetStyle { columns, scale: SHOWN_SIDE.div_ceil(side).clamp(1, 8), background: 0.5, ..SheetStyle::default() };
    Ok(contact_sheet(images, &style)?)
}

/// Writes images on one sheet.
pub fn write_sheet(images: &[Image], columns: usize, path: &Path) -> anyhow::Result<()> {
    sheet(images, columns)?.save_png(path).with_context(|| path.display().to_string())
}
