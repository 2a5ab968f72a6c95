//! Round trips of images and tokens.

use glauber_pixels::{Colours, Extent, Image, PixelCodec, mask};
use glauber_tokens::{Codec, Token};
use proptest::prelude::*;

/// An extent and one number below `bound` for each of its pixels.
fn grids(bound: u32) -> impl Strategy<Value = (Extent, Vec<u32>)> {
    (1usize..20, 1usize..20).prop_flat_map(move |(height, width)| {
        let extent = Extent::new(height, width).unwrap();
        (Just(extent), prop::collection::vec(0..bound, extent.pixels()))
    })
}

proptest! {
    #[test]
    fn any_tokens_come_back((extent, tokens) in grids(256), levels in 2usize..=256) {
        let codec = PixelCodec::new(extent, levels).unwrap();
        let tokens: Vec<Token> = tokens.iter().map(|token| token % levels as Token).collect();
        let image = codec.decode(&tokens).unwrap();
        prop_assert_eq!(codec.encode(&image).unwrap(), tokens.clone());
        // An image of `levels` levels is the same after encoding and decoding, and through a file of eight bits.
        prop_assert_eq!(codec.decode(&codec.encode(&image).unwrap()).unwrap(), image.clone());
        let stored = Image::from_bytes(extent, Colours::Grey, &image.to_bytes()).unwrap();
        prop_assert_eq!(codec.encode(&stored).unwrap(), tokens);
    }

    #[test]
    fn any_grey_becomes_the_nearest_level((extent, values) in grids(1 << 20), levels in 2usize..=256) {
        let values: Vec<f32> = values.iter().map(|&value| value as f32 / ((1 << 20) - 1) as f32).collect();
        let image = Image::new(extent, Colours::Grey, values).unwrap();
        let codec = PixelCodec::new(extent, levels).unwrap();
        let seen = codec.decode(&codec.encode(&image).unwrap()).unwrap();
        let half_a_step = 0.5 / (levels - 1) as f32 + 1e-6;
        for (before, after) in image.values().iter().zip(seen.values()) {
            prop_assert!((before - after).abs() <= half_a_step);
        }
    }

    #[test]
    fn black_and_white_obeys_its_threshold((extent, values) in grids(256), threshold in 1u8..=255) {
        let bytes: Vec<u8> = values.iter().map(|&value| value as u8).collect();
        let image = Image::from_bytes(extent, Colours::Grey, &bytes).unwrap();
        let codec = PixelCodec::binary(extent, f32::from(threshold) / 255.0).unwrap();
        let expected: Vec<Token> = bytes.iter().map(|&byte| Token::from(byte >= threshold)).collect();
        prop_assert_eq!(codec.encode(&image).unwrap(), expected.clone());
        let decoded = codec.decode(&expected).unwrap();
        prop_assert_eq!(codec.encode(&decoded).unwrap(), expected.clone());
        // The same picture, enlarged, is a mask of these sites.
        let painted: Vec<bool> = expected.iter().map(|&token| token == 1).collect();
        prop_assert_eq!(mask(&decoded, extent), painted);
    }

    #[test]
    fn bytes_come_back_through_every_form((extent, values) in grids(256), coloured: bool) {
        let colours = if coloured { Colours::Rgb } else { Colours::Grey };
        let bytes: Vec<u8> = (0..colours.channels()).flat_map(|c| values.iter().map(move |v| (v + 50 * c as u32) as u8)).collect();
        let image = Image::from_bytes(extent, colours, &bytes).unwrap();
        prop_assert_eq!(image.to_bytes(), bytes.clone());
        let planes = Image::from_planes(extent, colours, &image.to_planes()).unwrap();
        prop_assert_eq!(planes.to_bytes(), bytes);
        let dynamic = image::DynamicImage::from(&image);
        prop_assert_eq!(Image::try_from(dynamic).unwrap(), image);
    }
}
