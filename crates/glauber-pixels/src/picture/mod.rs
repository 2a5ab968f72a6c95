//! Images in files: single ones, sheets, animations, masks.

mod animation;
mod file;
mod jpeg;
mod mask;
mod sheet;

pub use animation::animate;
pub use mask::{mask, reached, read_mask};
pub use sheet::{SheetStyle, comparison_sheet, contact_sheet};

pub(crate) use file::{laid_over, opaque, read};
