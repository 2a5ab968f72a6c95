//! Images in and out, without any network: an [`Image`] type, a codec of grey levels, data sources, metrics and pictures.
//!
//! | noun                                  | what it is                                                                       |
//! |---------------------------------------|----------------------------------------------------------------------------------|
//! | [`Image`]                             | height × width × channels of values in `0..=1`; planes in `-1..=1` for networks   |
//! | [`PixelCodec`]                        | grey images of `k` levels as `k` tokens, one for each pixel, row by row           |
//! | [`ImageSource`]                       | numbered images, perhaps with classes: a [`FolderSource`], [`Mnist`], [`ShapeSource`] |
//! | [`split`]                             | a source as one part to train on and one held out                                |
//! | [`psnr`], [`ssim`]                    | how like two images are                                                          |
//! | [`contact_sheet`], [`comparison_sheet`], [`animate`] | many images in one file                                            |
//! | [`read_mask`]                         | which pixels are to be painted                                                   |
//!
//! ```
//! use glauber_chain::ChainRng;
//! use glauber_pixels::{Colours, Extent, Image, ImageSource, PixelCodec, ShapeConfig, ShapeSource, psnr};
//! use glauber_tokens::Codec;
//!
//! let extent = Extent::new(16, 16)?;
//! let source = ShapeSource::new(ShapeConfig { extent, colours: Colours::Grey, count: 100, seed: 7 });
//! let example = source.get(3, &mut ChainRng::new(0, 0));
//! println!("a picture of {}", source.class_names()[example.class.unwrap()]);
//!
//! let codec = PixelCodec::new(extent, 4)?; // four grey levels
//! let tokens = codec.encode(&example.image)?; // shape [site] = [16 · 16]
//! let seen: Image = codec.decode(&tokens)?;
//! assert!(psnr(&example.image, &seen)? > 15.0);
//! assert_eq!(codec.encode(&seen)?, tokens); // what has four levels comes back as it was
//! # Ok::<(), glauber_pixels::PixelError>(())
//! ```

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
