//! Images one after the other.

use std::path::Path;
use std::time::Duration;

use glauber_files::write_whole;
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame};

use crate::{Colours, Image, PixelError};

/// GIF counts hundredths of a second in 16 bits, APNG as used here thousandths.
const GIF_STEP: u128 = 10;
const APNG_STEP: u128 = 1;

/// Writes the frames as an animation that starts over for ever, each shown for `delay`: GIF where the name ends in `.gif`, APNG where
/// it ends in `.png` or `.apng`. The file is written under a temporary name and then renamed.
///
/// APNG keeps every frame as it is. GIF does where a frame has at most 256 colours, so grey images are exact; others lose shades. Many
/// programs slow a GIF down that is faster than 20 ms a frame. To let the last frame rest, repeat it.
///
/// # Errors
/// Without frames, when they differ in extent, when the name ends otherwise or the delay does not fit the format, and when the file
/// cannot be written.
pub fn animate(path: impl AsRef<Path>, frames: &[Image], delay: Duration) -> Result<(), PixelError> {
    let path = path.as_ref();
    let Some(first) = frames.first() else { return Err(PixelError::Nothing { what: "an animation" }) };
    let expected = first.extent();
    if let Some(other) = frames.iter().find(|frame| frame.extent() != expected) {
        return Err(PixelError::OtherExtent { what: "a frame", found: other.extent(), expected });
    }
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    let bytes = match ending.as_deref() {
        Some("gif") => gif(frames, milliseconds(delay, "gif", GIF_STEP)?)?,
        Some("png" | "apng") => apng(frames, milliseconds(delay, "png", APNG_STEP)?)?,
        _ => return Err(PixelError::unusable(path, "the name of an animation must end in .gif, .png or .apng")),
    };
    write_whole(path, &bytes).map_err(PixelError::io("write", path))
}

/// A delay in steps of `least` milliseconds, rounded down, 1 to 65535 of them.
fn milliseconds(delay: Duration, format: &str, least: u128) -> Result<u32, PixelError> {
    let (milliseconds, most) = (delay.as_millis(), least * u128::from(u16::MAX));
    if !(least..=most).contains(&milliseconds) {
        let found = format!("{milliseconds} ms for each frame of a .{format}");
        return Err(PixelError::out_of_range(found, format!("{least} to {most} ms, in steps of {least} ms")));
    }
    Ok((milliseconds / least * least) as u32)
}

fn gif(frames: &[Image], milliseconds: u32) -> Result<Vec<u8>, PixelError> {
    let failed = |e: image::ImageError| PixelError::Encode { format: "GIF", reason: e.to_string() };
    let mut bytes = Vec::new();
    // 10 of 30: a fraction of the slowest setting's time; only frames of more than 256 colours depend on it.
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, 10);
    encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
    for frame in frames {
        let pixels = DynamicImage::from(frame).into_rgba8();
        let frame = Frame::from_parts(pixels, 0, 0, Delay::from_numer_denom_ms(milliseconds, 1));
        encoder.encode_frame(frame).map_err(failed)?;
    }
    drop(encoder); // writes the end of the file
    Ok(bytes)
}

fn apng(frames: &[Image], milliseconds: u32) -> Result<Vec<u8>, PixelError> {
    let failed = |e: png::EncodingError| PixelError::Encode { format: "APNG", reason: e.to_string() };
    let coloured = frames.iter().any(|frame| frame.colours() == Colours::Rgb);
    let (colours, kind) =
        if coloured { (Colours::Rgb, png::ColorType::Rgb) } else { (Colours::Grey, png::ColorType::Grayscale) };
    let extent = frames[0].extent();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, extent.width() as u32, extent.height() as u32);
    encoder.set_color(kind);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_animated(frames.len() as u32, 0).map_err(failed)?;
    encoder.set_frame_delay(milliseconds as u16, 1000).map_err(failed)?;
    let mut writer = encoder.write_header().map_err(failed)?;
    for frame in frames {
        writer.write_image_data(&frame.to_colours(colours).to_bytes()).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::BufReader;

    use image::AnimationDecoder;
    use image::codecs::gif::GifDecoder;
    use image::codecs::png::PngDecoder;

    use super::*;
    use crate::Extent;

    fn frames(colours: Colours) -> Vec<Image> {
        let extent = Extent::new(6, 9).unwrap();
        let frame = |i: usize| {
            let bytes: Vec<u8> = (0..54 * colours.channels()).map(|place| (place * 3 + i * 40) as u8).collect();
            Image::from_bytes(extent, colours, &bytes).unwrap()
        };
        (0..4).map(frame).collect()
    }

    fn decoded(frames: image::Frames<'_>) -> Vec<(Image, u32)> {
        let frames = frames.collect_frames().unwrap().into_iter();
        let shown = |frame: &Frame| frame.delay().numer_denom_ms();
        frames.map(|f| (shown(&f), f)).map(|((ms, parts), f)| (colourful(f), ms / parts)).collect()
    }

    fn colourful(frame: Frame) -> Image {
        Image::try_from(DynamicImage::from(frame.into_buffer())).unwrap()
    }

    #[test]
    fn every_frame_comes_back_with_its_delay() {
        let folder = tempfile::tempdir().unwrap();
        for colours in [Colours::Grey, Colours::Rgb] {
            let frames = frames(colours);
            let expected: Vec<(Image, u32)> =
                frames.iter().map(|frame| (frame.to_colours(Colours::Rgb), 120)).collect();
            let [gif, apng] = ["a.gif", "a.PNG"].map(|name| folder.path().join(name));
            animate(&gif, &frames, Duration::from_millis(129)).unwrap();
            let decoder = GifDecoder::new(BufReader::new(File::open(&gif).unwrap())).unwrap();
            assert_eq!(decoded(decoder.into_frames()), expected);
            animate(&apng, &frames, Duration::from_millis(120)).unwrap();
            let decoder = PngDecoder::new(BufReader::new(File::open(&apng).unwrap())).unwrap();
            assert!(decoder.is_apng().unwrap());
            assert_eq!(decoded(decoder.apng().unwrap().into_frames()), expected);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing unfinished is left");
    }

    #[test]
    fn what_cannot_be_animated_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (frames, second) = (frames(Colours::Grey), Duration::from_secs(1));
        for name in ["a.mp4", "a", "gif"] {
            let refused = animate(folder.path().join(name), &frames, second);
            assert!(refused.unwrap_err().to_string().contains("the name of an animation must end in"));
        }
        assert!(matches!(animate("a.gif", &[], second), Err(PixelError::Nothing { .. })));
        for (name, delay) in [("a.gif", 9), ("a.gif", 655_351), ("a.png", 0), ("a.png", 65_536)] {
            let refused = animate(folder.path().join(name), &frames, Duration::from_millis(delay));
            assert!(refused.unwrap_err().to_string().contains(" ms for each frame of a ."), "{name} {delay}");
        }
        let other = Image::filled(Extent::new(1, 1).unwrap(), Colours::Grey, 0.0);
        let refused = animate(folder.path().join("a.gif"), &[frames[0].clone(), other], second);
        assert!(matches!(refused, Err(PixelError::OtherExtent { .. })));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
