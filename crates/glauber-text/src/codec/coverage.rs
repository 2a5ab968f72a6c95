//! What of a text its tokens stand for.

use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// How much of a text its tokens stand for: encoding checked against the text, character by
/// character.
///
/// A character that a normaliser changes (case, accents, compatibility forms) has its token and is
/// not lost; that the text does not come back as it was is told by [`altered`](Self::altered).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// Characters of the text.
    pub characters: u64,
    /// Characters that no token stands for. White space that decoding puts back is none of them.
    pub lost: u64,
    /// Characters that an unknown token stands for.
    pub unknown: u64,
    /// Passages whose tokens spell another text.
    pub altered: u64,
}

impl Coverage {
    /// The share of the characters that is lost or unknown; 0 for no text.
    #[must_use]
    pub fn missing(&self) -> f64 {
        match self.characters {
            0 => 0.0,
            characters => (self.lost + self.unknown) as f64 / characters as f64,
        }
    }

    /// Whether the tokens determine the text, so that a bound on them is one on the text.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lost + self.unknown + self.altered == 0
    }
}

impl AddAssign for Coverage {
    fn add_assign(&mut self, other: Self) {
        self.characters += other.characters;
        self.lost += other.lost;
        self.unknown += other.unknown;
        self.altered += other.altered;
    }
}

impl fmt::Display for Coverage {
    /// "of 37 characters 2 have no token (5.4 %) and 3 are unknown (8.1 %)".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |count: u64| 100.0 * count as f64 / self.characters.max(1) as f64;
        write!(
            f,
            "of {} characters {} have no token ({:.2} %) and {} are unknown ({:.2} %)",
            self.characters,
            self.lost,
            share(self.lost),
            self.unknown,
            share(self.unknown)
        )
    }
}
