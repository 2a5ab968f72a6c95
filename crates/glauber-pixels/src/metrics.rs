//! Similarity of two images.

use crate::{Extent, Image, PixelError};

/// Side of the window of [`ssim`], its standard deviation, and the two constants that keep it from dividing by zero.
const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;
const K1: f64 = 0.01;
const K2: f64 = 0.03;

/// The peak signal-to-noise ratio in decibels, `−10 log₁₀ MSE`, with the mean squared error over all pixels and channels and peak 1.
/// Equal images have `+∞`.
///
/// # Errors
/// When the images differ in extent or channels.
pub fn psnr(one: &Image, other: &Image) -> Result<f64, PixelError> {
    check_alike(one, other)?;
    let squares = one.values().iter().zip(other.values()).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    let mean = squares.sum::<f64>() / one.values().len() as f64;
    Ok(-10.0 * mean.log10())
}

/// The structural similarity, `−1..=1`, 1 for equal images: the mean over all places where the window lies wholly inside, and over
/// channels.
///
/// Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, *Image quality assessment: from error visibility to structural similarity*,
/// IEEE Transactions on Image Processing 13(4), 2004: equation (13), with the Gaussian window of 11 × 11, σ = 1.5, K₁ = 0.01,
/// K₂ = 0.03; here the range of values is 1.
///
/// # Errors
/// When the images differ in extent or channels, or are smaller than 11 × 11.
pub fn ssim(one: &Image, other: &Image) -> Result<f64, PixelError> {
    check_alike(one, other)?;
    let extent = one.extent();
    if extent.height() < WINDOW || extent.width() < WINDOW {
        return Err(PixelError::TooSmall { found: extent, window: WINDOW });
    }
    let weights = gaussian();
    let channels = one.colours().channels();
    let channel = |image: &Image, channel: usize| -> Vec<f64> {
        image.values().iter().skip(channel).step_by(channels).map(|&value| f64::from(value)).collect()
    };
    let sum: f64 = (0..channels).map(|c| plane_ssim(&channel(one, c), &channel(other, c), extent, &weights)).sum();
    Ok(sum / channels as f64)
}

/// The similarity of two planes, shape `[row, column]`.
fn plane_ssim(x: &[f64], y: &[f64], extent: Extent, weights: &[f64; WINDOW]) -> f64 {
    let product = |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a * b).collect() };
    let [mean_x, mean_y] = [x, y].map(|plane| windowed(plane, extent, weights));
    let [xx, yy, xy] = [(x, x), (y, y), (x, y)].map(|(a, b)| windowed(&product(a, b), extent, weights));
    let (c1, c2) = (K1 * K1, K2 * K2);
    let places = mean_x.len();
    let similarity = |i: usize| {
        let (mx, my) = (mean_x[i], mean_y[i]);
        let (var_x, var_y, cov) = (xx[i] - mx * mx, yy[i] - my * my, xy[i] - mx * my);
        (2.0 * mx * my + c1) * (2.0 * cov + c2) / ((mx * mx + my * my + c1) * (var_x + var_y + c2))
    };
    (0..places).map(similarity).sum::<f64>() / places as f64
}

/// The weighted mean in every window that lies inside, shape `[row, column]` with 10 rows and columns fewer.
fn windowed(plane: &[f64], extent: Extent, weights: &[f64; WINDOW]) -> Vec<f64> {
    let (height, width) = (extent.height() + 1 - WINDOW, extent.width() + 1 - WINDOW);
    let across = |row: &[f64]| -> Vec<f64> {
        row.windows(WINDOW)
            .map(|window| window.iter().zip(weights).map(|(value, weight)| value * weight).sum())
            .collect()
    };
    let lines: Vec<f64> = plane.chunks_exact(extent.width()).flat_map(across).collect();
    let down = |place: usize| {
        let (row, column) = (place / width, place % width);
        weights.iter().enumerate().map(|(i, weight)| weight * lines[(row + i) * width + column]).sum()
    };
    (0..height * width).map(down).collect()
}

/// One side of the window; its weights sum to one.
fn gaussian() -> [f64; WINDOW] {
    let weight = |i: usize| (-((i as f64 - (WINDOW / 2) as f64) / SIGMA).powi(2) / 2.0).exp();
    let sum: f64 = (0..WINDOW).map(weight).sum();
    std::array::from_fn(|i| weight(i) / sum)
}

fn check_alike(one: &Image, other: &Image) -> Result<(), PixelError> {
    if one.extent() != other.extent() {
        let what = "the image to compare";
        return Err(PixelError::OtherExtent { what, found: other.extent(), expected: one.extent() });
    }
    if one.colours() != other.colours() {
        let (found, expected) = (other.colours().channels(), one.colours().channels());
        return Err(PixelError::OtherColours { found, expected });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Colours;

    const C1: f64 = 0.0001;
    const C2: f64 = 0.0009;

    fn drawn(side: usize, value: impl Fn(usize, usize) -> f64) -> Image {
        let values = (0..side * side).map(|place| value(place / side, place % side) as f32).collect();
        Image::new(Extent::new(side, side).unwrap(), Colours::Grey, values).unwrap()
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
    }

    #[test]
    fn psnr_of_known_errors() {
        let black = drawn(4, |_, _| 0.0);
        assert_eq!(psnr(&black, &black).unwrap(), f64::INFINITY);
        near(psnr(&black, &drawn(4, |_, _| 1.0)).unwrap(), 0.0);
        near(psnr(&black, &drawn(4, |_, _| 0.1)).unwrap(), 20.0);
        // One pixel of sixteen is wrong by a half: the error is 1/64.
        let spot = drawn(4, |row, column| if (row, column) == (2, 1) { 0.5 } else { 0.0 });
        near(psnr(&black, &spot).unwrap(), 10.0 * 64f64.log10());
    }

    #[test]
    fn equal_images_are_wholly_similar() {
        let image = drawn(20, |row, column| ((row * 7 + column * 13) % 11) as f64 / 10.0);
        near(ssim(&image, &image).unwrap(), 1.0);
        let colour = image.to_colours(Colours::Rgb);
        near(ssim(&colour, &colour.flipped()).unwrap(), ssim(&image, &image.flipped()).unwrap());
    }

    #[test]
    fn flat_images_differ_in_brightness_only() {
        let found = ssim(&drawn(13, |_, _| 0.25), &drawn(13, |_, _| 0.75)).unwrap();
        near(found, (2.0 * 0.25 * 0.75 + C1) / (0.25 * 0.25 + 0.75 * 0.75 + C1));
    }

    #[test]
    fn a_spot_in_the_only_window() {
        // The window's weight at its centre is g²; the spot has mean g² and variance g² − g⁴, the black image none of either.
        let shares: f64 = (-5..=5).map(|i| (-f64::from(i * i) / 4.5).exp()).sum();
        let mean = shares.powi(-2);
        let spot = drawn(11, |row, column| if (row, column) == (5, 5) { 1.0 } else { 0.0 });
        let expected = C1 / (mean * mean + C1) * (C2 / (mean - mean * mean + C2));
        near(ssim(&spot, &drawn(11, |_, _| 0.0)).unwrap(), expected);
    }

    #[test]
    fn ramps_have_the_mean_of_the_window_centre() {
        // y = x + 0.2: variances and covariance are equal, so only the means count, and they are those of the centre column.
        let ramp = drawn(16, |_, column| column as f64 / 40.0);
        let lifted = drawn(16, |_, column| column as f64 / 40.0 + 0.2);
        let place = |centre: usize| {
            let mean = centre as f64 / 40.0;
            (2.0 * mean * (mean + 0.2) + C1) / (mean * mean + (mean + 0.2) * (mean + 0.2) + C1)
        };
        near(ssim(&ramp, &lifted).unwrap(), (5..=10).map(place).sum::<f64>() / 6.0);
    }

    #[test]
    fn a_negative_is_dissimilar() {
        // Checks around a half and their negative: covariance = −variance = m² − 1/16 with m the mean deviation, ± (Σ ±g)² / 4.
        let sign = |row: usize, column: usize| if (row + column).is_multiple_of(2) { 1.0 } else { -1.0 };
        let checks = drawn(11, |row, column| 0.5 + 0.25 * sign(row, column));
        let negative = drawn(11, |row, column| 0.5 - 0.25 * sign(row, column));
        let alternating: f64 =
            (-5..=5).map(|i| (-f64::from(i * i) / 4.5).exp() * if i % 2 == 0 { 1.0 } else { -1.0 }).sum();
        let total: f64 = (-5..=5).map(|i| (-f64::from(i * i) / 4.5).exp()).sum();
        let m = 0.25 * (alternating / total).powi(2);
        let variance = 1.0 / 16.0 - m * m;
        let means = (2.0 * (0.25 - m * m) + C1) / (2.0 * (0.25 + m * m) + C1);
        near(ssim(&checks, &negative).unwrap(), means * (C2 - 2.0 * variance) / (C2 + 2.0 * variance));
    }

    #[test]
    fn unlike_images_are_refused() {
        let small = drawn(10, |_, _| 0.0);
        assert_eq!(
            ssim(&small, &small).unwrap_err().to_string(),
            "SSIM needs images of at least 11x11 pixels, found 10x10"
        );
        assert!(matches!(psnr(&small, &drawn(9, |_, _| 0.0)), Err(PixelError::OtherExtent { .. })));
        assert!(matches!(psnr(&small, &small.to_colours(Colours::Rgb)), Err(PixelError::OtherColours { .. })));
    }
}
