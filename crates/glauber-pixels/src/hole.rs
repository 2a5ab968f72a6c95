//! Images with a hidden part.

use crate::{Extent, Image};

impl Image {
    /// The image without its hidden part, shape `[pixel]` row by row: layer by layer from the edge inwards, every
    /// hidden pixel becomes the mean of its known neighbours (left, right, above, below). Nothing of its value remains.
    /// Where everything is hidden the image becomes the middle grey.
    ///
    /// For encoders with a receptive field of several pixels: the encoding of the visible part must not depend on the
    /// hidden one.
    ///
    /// # Panics
    /// When there is not one entry for each pixel.
    #[must_use]
    pub fn without(&self, hidden: &[bool]) -> Self {
        let extent = self.extent();
        assert_eq!(hidden.len(), extent.pixels(), "one entry for each of {extent} pixels");
        if hidden.iter().all(|&hidden| hidden) {
            return Self::filled(extent, self.colours(), 0.5);
        }
        let channels = self.colours().channels();
        let mut values = self.values().to_vec();
        let mut known: Vec<bool> = hidden.iter().map(|&hidden| !hidden).collect();
        let mut layer: Vec<usize> = (0..hidden.len()).filter(|&pixel| borders(pixel, extent, &known)).collect();
        while !layer.is_empty() {
            for &pixel in &layer {
                let seen: Vec<usize> = neighbours(pixel, extent).filter(|&other| known[other]).collect();
                for channel in 0..channels {
                    let sum: f32 = seen.iter().map(|&other| values[other * channels + channel]).sum();
                    values[pixel * channels + channel] = sum / seen.len() as f32;
                }
            }
            layer.iter().for_each(|&pixel| known[pixel] = true);
            let mut next: Vec<usize> = layer.iter().flat_map(|&pixel| neighbours(pixel, extent)).collect();
            next.retain(|&pixel| !known[pixel]);
            next.sort_unstable();
            next.dedup();
            layer = next;
        }
        Self::of_values(extent, self.colours(), values)
    }

    /// The image with the marked pixels in one grey, shape `[pixel]` row by row.
    ///
    /// # Panics
    /// When there is not one entry for each pixel.
    #[must_use]
    pub fn covered(&self, marked: &[bool], grey: f32) -> Self {
        self.overlaid(marked, &Self::filled(self.extent(), self.colours(), grey))
    }

    /// The image with the marked pixels of another, shape `[pixel]` row by row.
    ///
    /// # Panics
    /// When there is not one entry for each pixel, or the other image has another extent.
    #[must_use]
    pub fn overlaid(&self, marked: &[bool], other: &Self) -> Self {
        assert_eq!(marked.len(), self.extent().pixels(), "one entry for each of {} pixels", self.extent());
        assert_eq!(other.extent(), self.extent(), "images of one extent");
        let channels = self.colours().channels();
        let (mut values, other) = (self.values().to_vec(), other.to_colours(self.colours()));
        for (pixel, _) in marked.iter().enumerate().filter(|(_, marked)| **marked) {
            let place = pixel * channels..(pixel + 1) * channels;
            values[place.clone()].copy_from_slice(&other.values()[place]);
        }
        Self::of_values(self.extent(), self.colours(), values)
    }
}

fn neighbours(pixel: usize, extent: Extent) -> impl Iterator<Item = usize> {
    let width = extent.width();
    let (row, column) = (pixel / width, pixel % width);
    let above = (row > 0).then(|| pixel - width);
    let below = (row + 1 < extent.height()).then_some(pixel + width);
    let left = (column > 0).then(|| pixel - 1);
    let right = (column + 1 < width).then_some(pixel + 1);
    [above, below, left, right].into_iter().flatten()
}

/// Whether an unknown pixel has a known neighbour.
fn borders(pixel: usize, extent: Extent, known: &[bool]) -> bool {
    !known[pixel] && neighbours(pixel, extent).any(|other| known[other])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Colours;

    fn image(seed: usize, colours: Colours) -> Image {
        let extent = Extent::new(6, 7).unwrap();
        let value = |place: usize| ((place * (31 + seed) + seed) % 101) as f32 / 101.0;
        Image::new(extent, colours, (0..42 * colours.channels()).map(value).collect()).unwrap()
    }

    #[test]
    fn nothing_is_left_of_what_is_hidden() {
        for colours in [Colours::Grey, Colours::Rgb] {
            let channels = colours.channels();
            for modulus in [2, 3, 5, 41] {
                let hidden: Vec<bool> = (0..42).map(|pixel| pixel % modulus != 0).collect();
                let (one, other) = (image(1, colours), image(2, colours));
                let mixed = |place: usize| {
                    let of = if hidden[place / channels] { &other } else { &one };
                    of.values()[place]
                };
                let mixed = Image::new(one.extent(), colours, (0..42 * channels).map(mixed).collect()).unwrap();
                assert_ne!(mixed, one);
                assert_eq!(mixed.without(&hidden), one.without(&hidden));
                for pixel in (0..42).filter(|pixel| !hidden[*pixel]) {
                    assert_eq!(one.without(&hidden).pixel(pixel / 7, pixel % 7), one.pixel(pixel / 7, pixel % 7));
                }
            }
        }
    }

    #[test]
    fn edges_go_on_inwards() {
        let row =
            |values: &[f32]| Image::new(Extent::new(1, values.len()).unwrap(), Colours::Grey, values.to_vec()).unwrap();
        let filled = row(&[0.25, 0.9, 0.9, 0.9, 0.75]).without(&[false, true, true, true, false]);
        assert_eq!(filled.values(), [0.25, 0.25, 0.5, 0.75, 0.75]);
        assert_eq!(row(&[0.9, 0.1]).without(&[true, true]).values(), [0.5, 0.5]);
        assert_eq!(row(&[0.9, 0.1]).without(&[false, false]).values(), [0.9, 0.1]);
        assert_eq!(row(&[0.9, 0.1]).covered(&[false, true], 0.5).values(), [0.9, 0.5]);
        let coloured = row(&[0.9, 0.1]).to_colours(Colours::Rgb);
        let mixed = coloured.overlaid(&[true, false], &row(&[0.2, 0.3]));
        assert_eq!(mixed.values(), [0.2, 0.2, 0.2, 0.1, 0.1, 0.1]);
    }
}
