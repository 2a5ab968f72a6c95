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
    /// A crop that leaves the image.
    #[error("a crop of {crop} pixels from row {top}, column {left} leaves the image of {image} pixels")]
    CropOutside {
        /// The extent of the crop.
        crop: Extent,
        /// Its first row.
        top: usize,
        /// Its first column.
        left: usize,
        /// The extent of the image.
        image: Extent,
    },
    /// A number of grey levels without a codec.
    #[error("{found} grey levels, expected 2 to 256")]
    Levels {
        /// The number asked for.
        found: usize,
    },
    /// A threshold that would make a level another one.
    #[error(
        "the threshold between the levels {level} and {above} is {found}, expected more than {low} and at most {high}, so that each grey level maps to itself",
        above = .level + 1
    )]
    Threshold {
        /// The lower level.
        level: usize,
        /// The threshold.
        found: f32,
        /// The grey value of the lower level.
        low: f32,
        /// The grey value of the upper level.
        high: f32,
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
    /// A comparison of unequal numbers of images.
    #[error("{originals} originals and {reconstructions} reconstructions; give one reconstruction for each original")]
    Unpaired {
        /// Number of originals.
        originals: usize,
        /// Number of reconstructions.
        reconstructions: usize,
    },
    /// An impossible style of a sheet.
    #[error("a sheet of {columns} columns, images enlarged {scale} times; both must be at least 1")]
    Style {
        /// Columns asked for.
        columns: usize,
        /// Enlargement asked for.
        scale: usize,
    },
    /// A file name that does not say which animation is wanted.
    #[error("{path}: the name of an animation must end in .gif, .png or .apng")]
    AnimationName {
        /// The file.
        path: PathBuf,
    },
    /// A delay that the format cannot hold.
    #[error("{milliseconds} ms for each frame of a .{format}; expected {least} to {most} ms, in steps of {least} ms")]
    Delay {
        /// The delay.
        milliseconds: u128,
        /// The format.
        format: &'static str,
        /// The shortest delay.
        least: u128,
        /// The longest delay.
        most: u128,
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
    /// A file or folder whose images cannot be used: damaged, too large, of no size that fits, or none at all.
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
    /// A crop margin out of range.
    #[error("a crop margin of {found}, expected 0 to 31")]
    Margin {
        /// The margin.
        found: f64,
    },
    /// A file that is no IDX file of the kind needed.
    #[error("{path}: magic number {found:#010x}, expected {expected:#010x} for {kind} as unsigned bytes")]
    IdxMagic {
        /// The file.
        path: PathBuf,
        /// The number found.
        found: u32,
        /// The number of the kind needed.
        expected: u32,
        /// The expected content.
        kind: &'static str,
    },
    /// An IDX file that is cut off or too long.
    #[error("{path}: {found} bytes of {what}, expected {expected}; fetch the file again")]
    IdxLength {
        /// The file.
        path: PathBuf,
        /// Header or data.
        what: &'static str,
        /// Bytes found; when there are too many, one more than expected.
        found: u64,
        /// Bytes that the header promises.
        expected: u64,
    },
    /// An IDX file that claims to be longer than memory.
    #[error("{path}: its header declares {found} bytes of data, at most {most} are allowed")]
    IdxHuge {
        /// The file.
        path: PathBuf,
        /// Bytes promised.
        found: u128,
        /// Bytes allowed.
        most: u128,
    },
    /// An IDX pair without items.
    #[error("{path}: it holds no items")]
    IdxEmpty {
        /// The file.
        path: PathBuf,
    },
    /// Images and labels that do not belong together.
    #[error("{images} has {image_count} images, but {labels} has {label_count} labels; give files of one set")]
    IdxCounts {
        /// The file of the images.
        images: PathBuf,
        /// Number of images.
        image_count: usize,
        /// The file of the labels.
        labels: PathBuf,
        /// Number of labels.
        label_count: usize,
    },
    /// A label without a class.
    #[error("{path}: label {found} of item {item}, but there are {classes} classes")]
    IdxLabel {
        /// The file.
        path: PathBuf,
        /// The item, from 0.
        item: usize,
        /// The label.
        found: u8,
        /// Number of classes.
        classes: usize,
    },
    /// A file of the four is not there.
    #[error("{folder}: no {expected} (or the same name with .gz)")]
    MnistFile {
        /// The folder.
        folder: PathBuf,
        /// The usual name.
        expected: String,
    },
    /// A share that leaves nothing to train on or nothing held out.
    #[error(
        "a held-out share of {fraction} of {len} images; expected a share between 0 and 1 (both excluded) and at least 2 images"
    )]
    HeldOut {
        /// The share.
        fraction: f64,
        /// Number of images.
        len: usize,
    },
}

impl PixelError {
    /// For `map_err`: what was tried with which path.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}
