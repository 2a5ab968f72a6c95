//! Transformations that take valid grids to valid grids.

use glauber_chain::ChainRng;
use glauber_tokens::{Site, Token};

use crate::Size;

const MOST_LINES: usize = 9;

/// A relabelling of digits, a permutation of rows that keeps the bands of boxes together, one of columns that keeps the stacks, and
/// perhaps a transposition.
pub(crate) struct Symmetry {
    size: Size,
    rows: [u8; MOST_LINES],
    columns: [u8; MOST_LINES],
    digits: [Token; MOST_LINES],
    transposed: bool,
}

impl Symmetry {
    /// A uniform draw from the group that these transformations make.
    pub(crate) fn random(size: Size, rng: &mut ChainRng) -> Self {
        let mut digits = std::array::from_fn(|token| token as Token);
        shuffle(&mut digits[..size.vocab()], rng);
        let (rows, columns) = (random_lines(size, rng), random_lines(size, rng));
        Self { size, rows, columns, digits, transposed: rng.below(2) == 1 }
    }

    /// The transformed grid; both have shape `[site]`.
    pub(crate) fn apply(&self, grid: &[Token], out: &mut [Token]) {
        let side = self.size.side();
        for (site, token) in out.iter_mut().enumerate() {
            let (row, column) = (usize::from(self.rows[site / side]), usize::from(self.columns[site % side]));
            let from: Site = if self.transposed { column * side + row } else { row * side + column };
            *token = self.digits[grid[from] as usize];
        }
    }
}

/// The lines `0..n` in random order, those of a box side by side: bands are shuffled, and the lines in each.
fn random_lines(size: Size, rng: &mut ChainRng) -> [u8; MOST_LINES] {
    let side = size.box_side();
    let mut bands = [0, 1, 2];
    shuffle(&mut bands[..side], rng);
    let mut lines = [0; MOST_LINES];
    for (band, lines) in bands.into_iter().zip(lines[..size.side()].chunks_exact_mut(side)) {
        lines.iter_mut().enumerate().for_each(|(i, line)| *line = band * side as u8 + i as u8);
        shuffle(lines, rng);
    }
    lines
}

/// Puts items into uniformly random order.
pub(crate) fn shuffle<T>(items: &mut [T], rng: &mut ChainRng) {
    for last in (1..items.len()).rev() {
        items.swap(last, rng.below(last + 1));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{is_valid, solve};

    /// The 288 grids fall into two classes, of 96 and of 192.
    #[test]
    fn the_orbits_of_four_are_the_known_ones() {
        let mut rng = ChainRng::new(5, 0);
        let mut grids: BTreeSet<Vec<Token>> = solve(Size::Four, &[None; 16], 288).unwrap().into_iter().collect();
        let mut sizes = Vec::new();
        while let Some(first) = grids.first().cloned() {
            let mut out = vec![0; 16];
            let orbit: BTreeSet<Vec<Token>> = (0..20_000)
                .map(|_| {
                    Symmetry::random(Size::Four, &mut rng).apply(&first, &mut out);
                    out.clone()
                })
                .collect();
            assert!(orbit.iter().all(|grid| grids.remove(grid)), "orbits are disjoint and of valid grids");
            sizes.push(orbit.len());
        }
        sizes.sort();
        assert_eq!(sizes, [96, 192]);
    }

    #[test]
    fn a_grid_of_nine_stays_valid_and_moves() {
        let mut rng = ChainRng::new(6, 0);
        let grid = solve(Size::Nine, &[None; 81], 1).unwrap().remove(0);
        let mut seen = BTreeSet::new();
        for _ in 0..500 {
            let mut out = vec![0; 81];
            Symmetry::random(Size::Nine, &mut rng).apply(&grid, &mut out);
            assert!(is_valid(Size::Nine, &out));
            seen.insert(out);
        }
        assert_eq!(seen.len(), 500);
    }
}
