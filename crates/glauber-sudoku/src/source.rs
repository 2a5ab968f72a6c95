//! Complete grids to train on.

use std::ops::ControlFlow;

use glauber_chain::ChainRng;
use glauber_tokens::Token;

use crate::grid::MOST_SITES;
use crate::solve::{Digits, Search};
use crate::symmetry::Symmetry;
use crate::{Size, solve};

/// Draws complete valid grids.
///
/// *4×4*: exactly uniform over the 288 grids, which are listed once.
///
/// *9×9*: each grid is made afresh. An empty grid is filled by depth-first search with backtracking: a digit with one site left in a
/// house goes there, else the most constrained site is given a uniformly random digit out of those left. Then a random symmetry is applied (digits relabelled; bands, stacks, and the rows
/// and columns in them permuted; perhaps transposed), uniform over the 9!·6⁸·2 of them. The law is therefore exactly invariant under these
/// symmetries: all grids of one class are equally likely. Every grid can come out. But it is **not exactly uniform** over the
/// 6.67·10²¹ grids: a random fill prefers some of the 5,472,730,538 classes (Russell and Jarvis, 2006) to others. Do not compare
/// class frequencies with the uniform law.
#[derive(Debug, Clone)]
pub struct SolutionSource {
    size: Size,
    /// Every grid, shape `[grid, site]`, where they can be listed.
    listed: Option<Vec<Token>>,
}

impl SolutionSource {
    /// A source of grids of a size.
    pub fn new(size: Size) -> Self {
        let listed = match size {
            Size::Four => Some(solve(size, &[None; 16], usize::MAX).expect("an empty grid is no error").concat()),
            Size::Nine => None,
        };
        Self { size, listed }
    }

    /// The size of the grids.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Draws one grid into `out`, shape `[site]`.
    ///
    /// # Panics
    /// When `out` does not have [`Size::sites`] entries.
    pub fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) {
        let sites = self.size.sites();
        assert_eq!(out.len(), sites, "one token for each site of a {} grid", self.size);
        match &self.listed {
            Some(grids) => out.copy_from_slice(&grids[rng.below(grids.len() / sites) * sites..][..sites]),
            None => {
                let mut grid = [0; MOST_SITES];
                fill(self.size, rng, &mut grid[..sites]);
                Symmetry::random(self.size, rng).apply(&grid[..sites], out);
            }
        }
    }

    /// Draws one grid, shape `[site]`.
    pub fn sample(&self, rng: &mut ChainRng) -> Vec<Token> {
        let mut grid = vec![0; self.size.sites()];
        self.draw(rng, &mut grid);
        grid
    }
}

/// Fills an empty grid, digits in random order, shape `[site]`.
fn fill(size: Size, rng: &mut ChainRng, out: &mut [Token]) {
    let mut search = Search::new(size, &[None; MOST_SITES][..size.sites()]).expect("no clues, no contradiction");
    let flow = search.run(&mut |digits| random_digit(digits, rng), &mut |grid| {
        out.copy_from_slice(grid);
        ControlFlow::Break(())
    });
    debug_assert!(flow.is_break(), "an empty grid has a solution");
}

/// A uniform digit of a set that is not empty. One that stands alone uses no random number.
fn random_digit(mut digits: Digits, rng: &mut ChainRng) -> Digits {
    let count = digits.count_ones() as usize;
    let skipped = if count == 1 { 0 } else { rng.below(count) };
    for _ in 0..skipped {
        digits &= digits - 1;
    }
    digits & digits.wrapping_neg()
}
