#![doc = include_str!("../README.md")]
//! | noun                                  | what it is                                                                       |
//! |---------------------------------------|----------------------------------------------------------------------------------|
//! | [`Image`]                             | height × width × channels of values in `0..=1`; planes in `-1..=1` for networks   |
//! | [`PixelCodec`]                        | grey images of `k` levels as `k` tokens, one for each pixel, row by row           |
//! | [`ImageSource`]                       | numbered images, perhaps with classes: a [`FolderSource`], [`Mnist`], [`ShapeSource`] |
//! | [`split`]                             | a source as one part to train on and one held out                                |
//! | [`psnr`], [`ssim`]                    | how like two images are                                                          |
//! | [`contact_sheet`], [`comparison_sheet`], [`animate`] | many images in one file                                            |
//! | [`read_mask`]                         | which pixels are to be painted                                                   |

mod codec;
mod error;
mod extent;
mod geometry;
mod hole;
mod image;
mod metrics;
mod picture;
mod source;

pub use self::image::Image;
pub use codec::PixelCodec;
pub use error::PixelError;
pub use extent::{Colours, Extent};
pub use metrics::{psnr, ssim};
pub use picture::{SheetStyle, animate, comparison_sheet, contact_sheet, mask, reached, read_mask};
pub use source::{
    BrokenFile, Crop, Example, Fitted, FolderConfig, FolderReport, FolderSource, ImageSource, Mnist, MnistSource,
    ShapeConfig, ShapeSource, Subset, split,
};
