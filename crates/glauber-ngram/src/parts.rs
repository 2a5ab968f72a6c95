//! Parts of a text, each of which n-grams are also counted without.

use std::ops::Range;

/// Fewest tokens of a stretch, where a text has enough of them.
const SHORTEST: usize = 4096;
/// Most stretches of a part.
const MOST: usize = 32;

/// Parts of a text. It is cut into stretches of equal length that belong to the parts in turn: each
/// part has some of every chapter, so that n-grams without it still know the whole book, as they know
/// that of held-out blocks.
///
/// ```
/// use glauber_ngram::Parts;
///
/// let parts = Parts { count: 2, passage: 10 };
/// assert_eq!(parts.of(5_000, 16_384), Some(1)); // four stretches of 4,096 tokens
/// assert_eq!(parts.of(20_000, 16_384), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// How many there are, at least 1.
    pub count: usize,
    /// Most tokens of a passage. One that begins in a part lies in it whole.
    pub passage: usize,
}

impl Parts {
    /// Stretches that a text of `len` tokens is cut into.
    fn stretches(&self, len: usize) -> usize {
        self.count * (len / (self.count * SHORTEST.max(self.passage))).clamp(1, MOST)
    }

    /// The part of a passage that begins at a token of a text of `len`; `None` behind its end.
    pub fn of(&self, start: usize, len: usize) -> Option<usize> {
        // Stretch `i` ends before the token `(i + 1) len / n`, rounded down.
        (start < len).then(|| ((start + 1) * self.stretches(len) - 1) / len % self.count)
    }

    /// What is left of a text of `len` tokens without the passages of a part.
    pub(crate) fn others(&self, part: usize, len: usize) -> Vec<Range<usize>> {
        let stretches = self.stretches(len);
        let start = |stretch: usize| stretch * len / stretches;
        let mut others = Vec::new();
        let mut from = 0;
        for stretch in (part..stretches).step_by(self.count) {
            others.push(from..start(stretch).max(from));
            from = (start(stretch + 1) + self.passage.max(1) - 1).min(len);
        }
        others.push(from..len);
        others.retain(|range| !range.is_empty());
        others
    }
}
