//! Cropping and scaling pictures to the requested size.

use glauber_chain::ChainRng;
use serde::{Deserialize, Serialize};

use crate::{Extent, PixelError};

/// Maximal length of a stored picture relative to the needed one; the ends of longer ones are cropped.
const LONGEST: usize = 4;
/// With more, memory is spent on what no crop of a training is likely to meet twice.
const WIDEST_MARGIN: f64 = 31.0;

/// The crop of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Crop {
    /// The middle, as large as fits.
    #[default]
    Centre,
    /// A part at a random place, drawn anew each time.
    Random {
        /// The picture is scaled until both sides are at least `1 + margin` times those of the image, 0 to 31; with 0 a picture of
        /// other proportions still leaves a choice. A large margin shows details of many places, and keeps more in memory.
        margin: f64,
    },
}

/// Where a picture is cut and how large it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placement {
    /// First row and column of what is cut out of the picture, and its extent.
    pub(crate) top: usize,
    pub(crate) left: usize,
    pub(crate) cut: Extent,
    /// The extent that the cut is scaled to; covers the image.
    pub(crate) kept: Extent,
}

impl Crop {
    pub(super) fn check(self) -> Result<(), PixelError> {
        match self {
            Self::Random { margin } if !(0.0..=WIDEST_MARGIN).contains(&margin) => {
                Err(PixelError::out_of_range(format!("a crop margin of {margin}"), "0 to 31"))
            }
            _ => Ok(()),
        }
    }

    /// How a picture is kept to crop images of `extent` out of it.
    pub(crate) fn placement(self, picture: Extent, extent: Extent) -> Placement {
        let (margin, longest) = match self {
            Self::Centre => (0.0, 1),
            Self::Random { margin } => (margin, LONGEST),
        };
        let enough = |side: usize| ((side as f64 * (1.0 + margin)).ceil() as usize).min(Extent::LONGEST);
        let [height, width] = [enough(extent.height()), enough(extent.width())];
        // The side that is shorter in proportion is kept whole and decides the scale.
        let tall = picture.height() * width >= picture.width() * height;
        let (rows, columns) = if tall {
            let (cut, kept) = long_side(picture.height(), picture.width(), height, width, longest);
            ((cut, kept), (picture.width(), width))
        } else {
            let (cut, kept) = long_side(picture.width(), picture.height(), width, height, longest);
            ((picture.height(), height), (cut, kept))
        };
        let extent = |height, width| Extent::new(height, width).expect("sides of at least one, within the limit");
        Placement {
            top: (picture.height() - rows.0) / 2,
            left: (picture.width() - columns.0) / 2,
            cut: extent(rows.0, columns.0),
            kept: extent(rows.1, columns.1),
        }
    }

    /// First row and column of an image of `extent` in a picture kept as `kept`, which covers it.
    pub(super) fn corner(self, kept: Extent, extent: Extent, rng: &mut ChainRng) -> (usize, usize) {
        let room = (kept.height() - extent.height(), kept.width() - extent.width());
        match self {
            Self::Centre => (room.0 / 2, room.1 / 2),
            Self::Random { .. } => (rng.below(room.0 + 1), rng.below(room.1 + 1)),
        }
    }
}

/// What is cut out of the side that is longer in proportion, and the length it is scaled to: `needed` at least, `longest · needed` at
/// most, at the scale `other_needed / other`.
fn long_side(side: usize, other: usize, needed: usize, other_needed: usize, longest: usize) -> (usize, usize) {
    let most = (needed * longest).min(Extent::LONGEST);
    let scale = other_needed as f64 / other as f64;
    let cut = ((most as f64 / scale).round() as usize).clamp(1, side);
    (cut, ((cut as f64 * scale).round() as usize).clamp(needed, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extent(height: usize, width: usize) -> Extent {
        Extent::new(height, width).unwrap()
    }

    #[test]
    fn the_middle_keeps_its_proportions() {
        let placed = Crop::Centre.placement(extent(300, 400), extent(32, 32));
        assert_eq!(placed, Placement { top: 0, left: 50, cut: extent(300, 300), kept: extent(32, 32) });
        let placed = Crop::Centre.placement(extent(400, 300), extent(16, 32));
        assert_eq!(placed, Placement { top: 125, left: 0, cut: extent(150, 300), kept: extent(16, 32) });
        let same = Crop::Centre.placement(extent(28, 28), extent(28, 28));
        assert_eq!(same, Placement { top: 0, left: 0, cut: extent(28, 28), kept: extent(28, 28) });
    }

    #[test]
    fn a_margin_and_the_longer_side_leave_a_choice() {
        let placed = Crop::Random { margin: 0.25 }.placement(extent(300, 400), extent(32, 32));
        assert_eq!(placed, Placement { top: 0, left: 0, cut: extent(300, 400), kept: extent(40, 53) });
        let long = Crop::Random { margin: 0.0 }.placement(extent(20, 30_000), extent(10, 10));
        assert_eq!(long, Placement { top: 0, left: 14_960, cut: extent(20, 80), kept: extent(10, 40) });
        for margin in [-0.1, 31.1, f64::NAN] {
            let message = Crop::Random { margin }.check().unwrap_err().to_string();
            assert_eq!(message, format!("a crop margin of {margin}, expected 0 to 31"));
        }
    }

    proptest::proptest! {
        #[test]
        fn crops_are_inside(
            picture in (1usize..=32_768, 1usize..=32_768),
            wanted in (1usize..=32_768, 1usize..=32_768),
            margin in 0.0f64..=31.0,
            centre: bool,
            seed: u64,
        ) {
            let (picture, wanted) = (extent(picture.0, picture.1), extent(wanted.0, wanted.1));
            let crop = if centre { Crop::Centre } else { Crop::Random { margin } };
            let placed = crop.placement(picture, wanted);
            proptest::prop_assert!(placed.top + placed.cut.height() <= picture.height());
            proptest::prop_assert!(placed.left + placed.cut.width() <= picture.width());
            let (top, left) = crop.corner(placed.kept, wanted, &mut ChainRng::new(seed, 0));
            proptest::prop_assert!(top + wanted.height() <= placed.kept.height());
            proptest::prop_assert!(left + wanted.width() <= placed.kept.width());
        }
    }
}
