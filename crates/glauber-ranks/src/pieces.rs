//! How long exchanges are split into pieces.

use std::ops::Range;

/// Entries of one exchange: a piece of each rank's part in proportion to its length, so that all ranks send and receive
/// in each exchange.
pub(crate) struct Pieces {
    /// Each rank's piece, as a range of all entries.
    pub ranges: Vec<Range<usize>>,
    /// The borders of the concatenated pieces.
    pub borders: Vec<usize>,
}

impl Pieces {
    /// Splits all entries into exchanges of about `block` entries.
    pub fn of(borders: &[usize], block: usize) -> impl Iterator<Item = Self> {
        let count = borders.last().map_or(0, |entries| entries.div_ceil(block));
        let pieces = move |at| {
            let piece = |ends: &[usize]| {
                let border = |at: usize| ends[0] + (ends[1] - ends[0]) * at / count;
                border(at)..border(at + 1)
            };
            let ranges: Vec<Range<usize>> = borders.windows(2).map(piece).collect();
            let ends = ranges.iter().scan(0, |end, range| {
                *end += range.len();
                Some(*end)
            });
            Self { borders: std::iter::once(0).chain(ends).collect(), ranges }
        };
        (0..count).map(pieces).filter(|pieces| pieces.len() > 0)
    }

    fn len(&self) -> usize {
        self.borders[self.ranges.len()]
    }

    /// The borders of equal shares, one per rank.
    pub fn shares(&self) -> Vec<usize> {
        let share = self.len().div_ceil(self.ranges.len());
        (0..self.borders.len()).map(|rank| (rank * share).min(self.len())).collect()
    }
}

/// The overlap of two ranges, relative to the start of the first.
fn overlap(range: &Range<usize>, other: &Range<usize>) -> Range<usize> {
    let start = other.start.clamp(range.start, range.end);
    let end = other.end.clamp(start, range.end);
    start - range.start..end - range.start
}

/// The number of entries of a range that each rank owns, by the borders of the parts.
pub(crate) fn lengths(range: &Range<usize>, borders: &[usize]) -> Vec<usize> {
    borders.windows(2).map(|ends| overlap(range, &(ends[0]..ends[1])).len()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_every_part_once_and_shares_every_piece() {
        // Equal parts, one large one, none, and more ranks than entries; blocks larger and smaller than the number of ranks.
        for borders in [vec![0, 10, 20, 30], vec![0, 0, 97, 98, 98], vec![0; 4], vec![0, 1, 1, 2, 2, 2], vec![0, 57]] {
            for block in [1, 2, 3, 16, 1000] {
                let (ranks, entries) = (borders.len() - 1, borders[borders.len() - 1]);
                let mut ends = borders[..ranks].to_vec();
                for pieces in Pieces::of(&borders, block) {
                    assert!(
                        pieces.len() > 0 && pieces.len() <= block + ranks,
                        "{borders:?}, {block}: {}",
                        pieces.len()
                    );
                    for (rank, range) in pieces.ranges.iter().enumerate() {
                        assert_eq!(range.start, ends[rank], "{borders:?}, {block}");
                        assert_eq!(range.len(), pieces.borders[rank + 1] - pieces.borders[rank]);
                        ends[rank] = range.end;
                    }
                    let shares = pieces.shares();
                    assert_eq!((shares.len(), shares[0], shares[ranks]), (ranks + 1, 0, pieces.len()));
                    assert!(shares.windows(2).all(|ends| ends[0] <= ends[1] && ends[1] - ends[0] <= shares[1]));
                    // What one rank sends another is what that one expects of it.
                    for (one, other) in (0..ranks).flat_map(|one| (0..ranks).map(move |other| (one, other))) {
                        let of = |borders: &[usize], rank: usize| borders[rank]..borders[rank + 1];
                        let sent = lengths(&of(&pieces.borders, one), &shares)[other];
                        assert_eq!(sent, lengths(&of(&shares, other), &pieces.borders)[one]);
                    }
                }
                assert_eq!(ends, borders[1..], "{block}");
                assert_eq!(Pieces::of(&borders, block).map(|pieces| pieces.len()).sum::<usize>(), entries);
            }
        }
    }

    #[test]
    fn an_overlap_is_counted_from_the_beginning_of_the_first() {
        assert_eq!(overlap(&(10..20), &(15..30)), 5..10);
        assert_eq!(overlap(&(10..20), &(0..12)), 0..2);
        assert!(overlap(&(10..20), &(20..30)).is_empty() && overlap(&(10..20), &(0..10)).is_empty());
    }
}
