//! How large an image is and how many channels it has.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::PixelError;

/// Pixels from top to bottom and from left to right, each `1..=32768`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Sides", into = "Sides")]
pub struct Extent {
    height: usize,
    width: usize,
}

/// What is parsed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sides {
    height: usize,
    width: usize,
}

impl Extent {
    /// The longest side of an image.
    pub const LONGEST: usize = 32_768;

    /// An extent.
    ///
    /// # Errors
    /// When a side is 0 or longer than [`LONGEST`](Self::LONGEST).
    pub fn new(height: usize, width: usize) -> Result<Self, PixelError> {
        let fits = |side| (1..=Self::LONGEST).contains(&side);
        if fits(height) && fits(width) { Ok(Self { height, width }) } else { Err(PixelError::Extent { height, width }) }
    }

    /// Pixels from top to bottom.
    #[must_use]
    pub fn height(self) -> usize {
        self.height
    }

    /// Pixels from left to right.
    #[must_use]
    pub fn width(self) -> usize {
        self.width
    }

    /// Number of pixels.
    #[must_use]
    pub fn pixels(self) -> usize {
        self.height * self.width
    }
}

impl TryFrom<Sides> for Extent {
    type Error = PixelError;

    fn try_from(sides: Sides) -> Result<Self, PixelError> {
        Self::new(sides.height, sides.width)
    }
}

impl From<Extent> for Sides {
    fn from(extent: Extent) -> Self {
        Self { height: extent.height, width: extent.width }
    }
}

impl fmt::Display for Extent {
    /// Height before width, as `28x32`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.height, self.width)
    }
}

/// The channels of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Colours {
    /// One channel: black 0, white 1.
    Grey,
    /// Three channels: red, green, blue.
    #[default]
    Rgb,
}

impl Colours {
    /// Number of channels, 1 or 3.
    #[must_use]
    pub fn channels(self) -> usize {
        match self {
            Self::Grey => 1,
            Self::Rgb => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_checked_however_they_come_in() {
        for (height, width) in [(0, 5), (5, 0), (1, Extent::LONGEST + 1), (usize::MAX, usize::MAX)] {
            assert!(matches!(Extent::new(height, width), Err(PixelError::Extent { .. })));
        }
        let parsed: Extent = serde_json::from_str(r#"{"height": 3, "width": 4}"#).unwrap();
        assert_eq!(parsed, Extent::new(3, 4).unwrap());
        let message = serde_json::from_str::<Extent>(r#"{"height": 3, "width": 0}"#).unwrap_err().to_string();
        assert!(message.contains("3x0") && message.contains("1 to 32768"), "{message}");
        assert!(serde_json::from_str::<Extent>(r#"{"height": 3, "width": 4, "depth": 1}"#).is_err());
    }
}
