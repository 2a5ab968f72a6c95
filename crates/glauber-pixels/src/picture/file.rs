//! One image, one file.

use std::io::{BufRead, Cursor, Read, Seek};
use std::path::Path;

use glauber_files::write_whole;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, LumaA, Rgba};

use super::jpeg;
use crate::{Colours, Extent, Image, PixelError};

/// Maximal bytes of a decoded image: 85 million pixels of three channels.
const MOST_BYTES: u64 = 256 << 20;

impl Image {
    /// Reads a PNG, JPEG, WebP or GIF file; of an animation, the first frame. The content decides the format, not the
    /// name.
    ///
    /// Values are taken as eight bits, transparent pixels laid over white, and pictures turned as their EXIF entry says. An image
    /// without colours has one channel.
    ///
    /// # Errors
    /// If the file cannot be read, is not such an image, or is damaged or incomplete. If a side is longer than
    /// [`Extent::LONGEST`] pixels, or the decoded image takes more than 256 MiB.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, PixelError> {
        Self::try_from(read(path.as_ref())?)
    }

    /// Writes the image as PNG of eight bits, under a temporary name first.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<(), PixelError> {
        let path = path.as_ref();
        write_whole(path, self.to_png()?).map_err(PixelError::io("write", path))
    }

    /// The image as the bytes of a PNG file of eight bits.
    ///
    /// # Errors
    /// When the encoder refuses; no image is known for which it does.
    pub fn to_png(&self) -> Result<Vec<u8>, PixelError> {
        let mut bytes = Cursor::new(Vec::new());
        let written = DynamicImage::from(self).write_to(&mut bytes, image::ImageFormat::Png);
        written.map_err(|e| PixelError::Encode { format: "PNG", reason: e.to_string() })?;
        Ok(bytes.into_inner())
    }
}

impl TryFrom<DynamicImage> for Image {
    type Error = PixelError;

    /// Eight bits of each channel, over white where it is transparent; see [`Image::open`].
    fn try_from(decoded: DynamicImage) -> Result<Self, PixelError> {
        let extent = Extent::new(decoded.height() as usize, decoded.width() as usize)?;
        match opaque(decoded) {
            DynamicImage::ImageLuma8(grey) => Self::from_bytes(extent, Colours::Grey, &grey),
            coloured => Self::from_bytes(extent, Colours::Rgb, &coloured.into_rgb8()),
        }
    }
}

impl From<&Image> for DynamicImage {
    /// Eight bits of each channel.
    fn from(image: &Image) -> Self {
        let [width, height] = [image.extent().width(), image.extent().height()].map(|side| side as u32);
        let made = match image.colours() {
            Colours::Grey => image::GrayImage::from_raw(width, height, image.to_bytes()).map(Self::from),
            Colours::Rgb => image::RgbImage::from_raw(width, height, image.to_bytes()).map(Self::from),
        };
        made.expect("one byte for each pixel and channel")
    }
}

/// A decoded file, turned upright.
pub(crate) fn read(path: &Path) -> Result<DynamicImage, PixelError> {
    let opened = glauber_files::check(path).and_then(|()| ImageReader::open(path));
    let opened = opened.and_then(ImageReader::with_guessed_format);
    let reader = opened.map_err(PixelError::io("read", path))?;
    let check = match reader.format() {
        Some(ImageFormat::Jpeg) => jpeg::check,
        Some(ImageFormat::WebP) => webp_length,
        _ => return decoded(reader, path, || Ok(())),
    };
    let format = reader.format().unwrap_or(ImageFormat::Jpeg);
    let mut bytes = Vec::new();
    reader.into_inner().read_to_end(&mut bytes).map_err(PixelError::io("read", path))?;
    decoded(ImageReader::with_format(Cursor::new(&bytes), format), path, || check(&bytes))
}

/// A WebP file begins with `RIFF` and the number of bytes that follow; the decoder does without the last of them.
fn webp_length(bytes: &[u8]) -> Result<(), &'static str> {
    let length = bytes.get(4..8).and_then(|length| length.try_into().ok()).map(u32::from_le_bytes);
    let whole = length.is_some_and(|length| bytes.len() as u64 >= u64::from(length) + 8);
    if whole { Ok(()) } else { Err("the file is truncated: its header declares more bytes") }
}

/// What a reader decodes, turned upright. `check` is asked before more than the header is read.
fn decoded<R: BufRead + Seek>(
    mut reader: ImageReader<R>,
    path: &Path,
    check: impl FnOnce() -> Result<(), &'static str>,
) -> Result<DynamicImage, PixelError> {
    let refused = |source| PixelError::Decode { path: path.to_owned(), source };
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(refused)?;
    let [height, width] = [decoder.dimensions().1, decoder.dimensions().0].map(|side| side as usize);
    let unusable = |found| PixelError::unusable(path, found);
    Extent::new(height, width).map_err(|error| unusable(format!("{error}; scale it down")))?;
    let bytes = decoder.total_bytes();
    if bytes > MOST_BYTES {
        let found = format!("the image takes {bytes} bytes decoded, at most {MOST_BYTES} are allowed; scale it down");
        return Err(unusable(found));
    }
    check().map_err(|found| unusable(format!("{found}; fetch the file again, or leave it out")))?;
    // An orientation that cannot be read turns nothing; the pixels may still be whole.
    let orientation = decoder.orientation().ok();
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(refused)?;
    if let Some(orientation) = orientation {
        decoded.apply_orientation(orientation);
    }
    Ok(decoded)
}

/// The image as `ImageLuma8` or `ImageRgb8`, transparent pixels over white.
pub(crate) fn opaque(decoded: DynamicImage) -> DynamicImage {
    laid_over(255, decoded)
}

/// The same with transparent pixels over some grey.
pub(crate) fn laid_over(grey: u8, decoded: DynamicImage) -> DynamicImage {
    let over = |value: u8, alpha: u8| {
        let [value, alpha, grey] = [value, alpha, grey].map(u32::from);
        ((value * alpha + grey * (255 - alpha) + 127) / 255) as u8
    };
    let (width, height, kind) = (decoded.width(), decoded.height(), decoded.color());
    match (kind.has_color(), kind.has_alpha()) {
        (false, false) => decoded.into_luma8().into(),
        (true, false) => decoded.into_rgb8().into(),
        (false, true) => {
            let source = decoded.into_luma_alpha8();
            let grey = |x, y| {
                let LumaA([value, alpha]) = *source.get_pixel(x, y);
                image::Luma([over(value, alpha)])
            };
            image::GrayImage::from_fn(width, height, grey).into()
        }
        (true, true) => {
            let source = decoded.into_rgba8();
            let colour = |x, y| {
                let Rgba([red, green, blue, alpha]) = *source.get_pixel(x, y);
                image::Rgb([red, green, blue].map(|value| over(value, alpha)))
            };
            image::RgbImage::from_fn(width, height, colour).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn png_files_come_back_exactly() {
        let folder = tempfile::tempdir().unwrap();
        let extent = Extent::new(5, 3).unwrap();
        for colours in [Colours::Grey, Colours::Rgb] {
            let bytes: Vec<u8> = (0..15 * colours.channels()).map(|place| place as u8 * 5).collect();
            let image = Image::from_bytes(extent, colours, &bytes).unwrap();
            let path = folder.path().join("a.png");
            image.save_png(&path).unwrap();
            assert_eq!(Image::open(&path).unwrap(), image);
        }
    }

    #[test]
    fn a_side_too_long_is_told_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("strip.png");
        image::GrayImage::new(40_000, 2).save(&path).unwrap();
        let message = Image::open(&path).unwrap_err().to_string();
        assert!(message.contains("strip.png: an image of 2x40000 pixels"), "{message}");
    }

    #[test]
    fn transparent_is_white_and_sixteen_bits_become_eight() {
        let rgba = image::RgbaImage::from_raw(3, 1, vec![0, 0, 0, 0, 100, 0, 0, 255, 0, 0, 0, 128]).unwrap();
        let image = Image::try_from(DynamicImage::from(rgba)).unwrap();
        assert_eq!(image.to_bytes(), [255, 255, 255, 100, 0, 0, 127, 127, 127]);
        let grey = image::GrayAlphaImage::from_raw(2, 1, vec![9, 0, 9, 255]).unwrap();
        assert_eq!(Image::try_from(DynamicImage::from(grey)).unwrap().to_bytes(), [255, 9]);
        let deep = image::ImageBuffer::<image::Luma<u16>, _>::from_raw(2, 1, vec![0u16, 65_535]).unwrap();
        assert_eq!(Image::try_from(DynamicImage::from(deep)).unwrap().values(), [0.0, 1.0]);
        let empty = DynamicImage::from(image::GrayImage::new(0, 4));
        assert!(matches!(Image::try_from(empty), Err(PixelError::Extent { height: 4, width: 0 })));
    }
}
