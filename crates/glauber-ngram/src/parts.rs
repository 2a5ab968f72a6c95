//! Parts of a text for leave-one-part-out counts.

use std::ops::Range;

/// Minimal number of tokens of a range, if the text is long enough.
const SHORTEST: usize = 4096;
/// Maximal number of ranges per part.
const MOST: usize = 32;

/// Parts of a text. The text is cut into ranges of equal length, assigned to the parts round-robin. Each part thus
/// covers the whole text, and n-grams without it still cover all chapters, as for held-out blocks.
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
    /// Number of parts, at least 1.
    pub count: usize,
    /// Maximal passage length, in tokens. A passage that starts in a part is counted as within it.
    pub passage: usize,
}

impl Parts {
    /// Number of ranges of a text of `len` tokens.
    fn stretches(&self, len: usize) -> usize {
        self.count * (len / (self.count * SHORTEST.max(self.passage))).clamp(1, MOST)
    }

    /// The part of a passage that starts at a token of a text of `len`; `None` after its end.
    pub fn of(&self, start: usize, len: usize) -> Option<usize> {
        // Stretch `i` ends before the token `(i + 1) len / n`, rounded down.
        (start < len).then(|| ((start + 1) * self.stretches(len) - 1) / len % self.count)
    }

    /// The ranges of a text of `len` tokens without the passages of a part.
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
