//! Errors of images, files and data sets.

use std::io;
use std::path::{Path, PathBuf};

use crate::Extent;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PixelError {
    /// An image without pixels, or a huge one.
    #[error("an image of {height}x{width} pixels (height x width); both sides must be 1 to {}", Extent::LONGEST)]
    Extent {
        /// Pixels from top to bottom.
        height: usize,
        /// Pixels from left to right.
        width: usize,
    },
    /// Numbers that make no image, or tokens that make no grid of greys.
    #[error("{0}")]
    Numbers(String),
    /// A setting out of range, or a part that an image does not have.
    #[error("{found}, expected {expected}")]
    OutOfRange {
        /// What was asked for.
        found: String,
        /// What may be.
        expected: String,
    },
    /// Images that do not belong together, or do not fit the codec.
    #[error("{what} has {found} pixels (height x width), expected {expected}; resize or crop it first")]
    OtherExtent {
        /// The measured quantity.
        what: &'static str,
        /// The extent found.
        found: Extent,
        /// The extent needed.
        expected: Extent,
    },
    /// Images with other channels than each other's.
    #[error("one image has {found} channels and the other {expected}; convert one with `to_colours`")]
    OtherColours {
        /// Channels of the second.
        found: usize,
        /// Channels of the first.
        expected: usize,
    },
    /// The similarity of images that the window does not fit into.
    #[error("SSIM needs images of at least {window}x{window} pixels, found {found}")]
    TooSmall {
        /// The extent of the images.
        found: Extent,
        /// The side of the window.
        window: usize,
    },
    /// A picture of nothing.
    #[error("{what} of no images; give at least one")]
    Nothing {
        /// What was to be made.
        what: &'static str,
    },
    /// An I/O error.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// The action.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file that is no image, or a damaged one.
    #[error("{path}: not a readable PNG, JPEG, WebP or GIF image: {source}")]
    Decode {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: image::ImageError,
    },
    /// A file or folder that cannot be used: missing, damaged, too large, of another kind, size or number than needed, or without images.
    #[error("{path}: {found}")]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// What was found, what was expected, and the fix.
        found: String,
    },
    /// An image could not be put into a file format.
    #[error("cannot write the images as {format}: {reason}")]
    Encode {
        /// The format.
        format: &'static str,
        /// Why not.
        reason: String,
    },
    /// Images outside the folders of the classes.
    #[error(
        "{folder}: {count} images are in no sub-folder, among them {first}; move them into the folder of their class"
    )]
    Unlabelled {
        /// The folder.
        folder: PathBuf,
        /// How many.
        count: usize,
        /// One of them.
        first: PathBuf,
    },
}

impl PixelError {
    pub(crate) fn out_of_range(found: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::OutOfRange { found: found.into(), expected: expected.into() }
    }

    pub(crate) fn unusable(path: &Path, found: impl Into<String>) -> Self {
        Self::Unusable { path: path.to_owned(), found: found.into() }
    }

    /// For `map_err`: what was tried with which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}
