//! Coverage of a text by its tokens.

use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// The coverage of a text by its tokens, measured by comparing the encoding with the text, character by character.
///
/// A character that a normaliser changes (case, accents, compatibility forms) has its token and is not lost.
/// [`altered`](Self::altered) counts texts that do not decode to themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Coverage {
    /// Characters of the text.
    pub characters: u64,
    /// Characters without a token, except white space that decoding restores.
    pub lost: u64,
    /// Characters encoded as an unknown token.
    pub unknown: u64,
    /// Passages whose tokens decode to another text.
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

    /// Whether the tokens determine the text, so that a bound on tokens is a bound on the text.
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
