//! The exact solver: depth-first search with digits as bits.

use std::ops::ControlFlow;

use glauber_tokens::{Site, Token};

use crate::grid::{MOST_HOUSES, MOST_SITES};
use crate::{Size, SudokuError};

/// A set of digits: bit `t` stands for token `t`.
pub(crate) type Digits = u16;

/// Up to `limit` grids that agree with the clues, each of shape `[site]`; with limit 2 a test of uniqueness.
///
/// Complete: fewer than `limit` grids are all there are. Contradictory clues have none. `clues` has shape `[site]`. The search
/// branches where the fewest digits are left, and places a digit at once that has one site left in a house; the order of the grids is
/// fixed but means nothing.
///
/// # Errors
/// When there is not one clue or blank for each site, or a clue lies outside the vocabulary.
pub fn solve(size: Size, clues: &[Option<Token>], limit: usize) -> Result<Vec<Vec<Token>>, SudokuError> {
    size.check_length("clues and blanks", clues.len())?;
    size.check_tokens(given(clues))?;
    let mut solutions = Vec::new();
    if let Some(mut search) = Search::new(size, clues).filter(|_| limit > 0) {
        // Whether the limit or the end of the search came first does not matter here.
        let _ = search.run(&mut lowest, &mut |grid| {
            solutions.push(grid.to_vec());
            if solutions.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
    }
    Ok(solutions)
}

/// The clues with their sites.
pub(crate) fn given(clues: &[Option<Token>]) -> impl Iterator<Item = (Site, Token)> {
    clues.iter().enumerate().filter_map(|(site, clue)| clue.map(|token| (site, token)))
}

/// Takes the lowest digit of a set.
pub(crate) fn lowest(digits: Digits) -> Digits {
    digits & digits.wrapping_neg()
}

/// A depth-first search over the grids that agree with some clues.
pub(crate) struct Search {
    size: Size,
    houses: &'static [[u8; 3]],
    /// Digits that a house holds, shape `[house]`.
    used: [Digits; MOST_HOUSES],
    tokens: [Token; MOST_SITES],
    /// The sites to fill. At depth `d` the first `d` are filled.
    open: Vec<u8>,
}

impl Search {
    /// A search from clues of the right length and vocabulary; `None` when two of them contradict each other.
    pub(crate) fn new(size: Size, clues: &[Option<Token>]) -> Option<Self> {
        let (used, tokens) = ([0; MOST_HOUSES], [0; MOST_SITES]);
        let mut search = Self { size, houses: size.house_table(), used, tokens, open: Vec::new() };
        for (site, clue) in clues.iter().enumerate() {
            let Some(token) = *clue else {
                search.open.push(site as u8);
                continue;
            };
            if search.candidates(site) & (1 << token) == 0 {
                return None;
            }
            search.tokens[site] = token;
            search.toggle(site, 1 << token);
        }
        Some(search)
    }

    /// Visits grids until `visit` stops it. `pick` chooses one digit of a nonempty set, and thus the order of trials.
    pub(crate) fn run<P, V>(&mut self, pick: &mut P, visit: &mut V) -> ControlFlow<()>
    where
        P: FnMut(Digits) -> Digits,
        V: FnMut(&[Token]) -> ControlFlow<()>,
    {
        self.extend(0, pick, visit)
    }

    fn extend<P, V>(&mut self, depth: usize, pick: &mut P, visit: &mut V) -> ControlFlow<()>
    where
        P: FnMut(Digits) -> Digits,
        V: FnMut(&[Token]) -> ControlFlow<()>,
    {
        if depth == self.open.len() {
            return visit(&self.tokens[..self.size.sites()]);
        }
        let (at, mut digits) = self.most_constrained(depth);
        self.open.swap(depth, at);
        let site = usize::from(self.open[depth]);
        while digits != 0 {
            let digit = pick(digits);
            digits &= !digit;
            self.tokens[site] = digit.trailing_zeros();
            self.toggle(site, digit);
            let flow = self.extend(depth + 1, pick, visit);
            self.toggle(site, digit);
            flow?;
        }
        ControlFlow::Continue(())
    }

    /// Where to branch, as an index of `open`, and the digits to try there: none when the search is at a dead end.
    fn most_constrained(&self, depth: usize) -> (usize, Digits) {
        let (mut best, mut fewest) = ((depth, 0), u32::MAX);
        let (mut once, mut twice) = ([0; MOST_HOUSES], [0; MOST_HOUSES]);
        for at in depth..self.open.len() {
            let site = usize::from(self.open[at]);
            let digits = self.candidates(site);
            if digits.count_ones() < fewest {
                (best, fewest) = ((at, digits), digits.count_ones());
                if fewest <= 1 {
                    return best;
                }
            }
            for house in self.houses[site].map(usize::from) {
                twice[house] |= once[house] & digits;
                once[house] |= digits;
            }
        }
        let all: Digits = (1 << self.size.side()) - 1;
        let homeless = (0..self.size.houses()).any(|house| all & !self.used[house] & !once[house] != 0);
        if homeless { (depth, 0) } else { self.only_place(depth, &once, &twice).unwrap_or(best) }
    }

    /// An open site that is the only one of a house for a digit, with that digit.
    fn only_place(&self, depth: usize, once: &[Digits], twice: &[Digits]) -> Option<(usize, Digits)> {
        if once.iter().zip(twice).all(|(once, twice)| once & !twice == 0) {
            return None;
        }
        (depth..self.open.len()).find_map(|at| {
            let site = usize::from(self.open[at]);
            let single = self.houses[site].iter().fold(0, |single, &house| {
                let house = usize::from(house);
                single | (once[house] & !twice[house])
            });
            let digits = single & self.candidates(site);
            (digits != 0).then(|| (at, lowest(digits)))
        })
    }

    /// The digits that no house of a site holds.
    fn candidates(&self, site: Site) -> Digits {
        let [row, column, square] = self.houses[site].map(|house| self.used[usize::from(house)]);
        ((1 << self.size.side()) - 1) & !(row | column | square)
    }

    /// Puts a digit into the houses of a site, or takes it out again.
    fn toggle(&mut self, site: Site, digit: Digits) {
        for house in self.houses[site] {
            self.used[usize::from(house)] ^= digit;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SudokuCodec, is_valid};

    /// Solves by trying every digit at the first blank: slow, and hard to get wrong.
    fn solve_naively(size: Size, grid: &mut Vec<Option<Token>>, site: Site, found: &mut Vec<Vec<Token>>) {
        let Some(blank) = (site..size.sites()).find(|&s| grid[s].is_none()) else {
            let tokens: Vec<Token> = grid.iter().flatten().copied().collect();
            found.extend(is_valid(size, &tokens).then_some(tokens));
            return;
        };
        for token in 0..size.vocab() as Token {
            let shares = |s: Site| (0..3).any(|k| size.houses_of(s)[k] == size.houses_of(blank)[k]);
            if (0..size.sites()).any(|s| grid[s] == Some(token) && shares(s)) {
                continue;
            }
            grid[blank] = Some(token);
            solve_naively(size, grid, blank + 1, found);
            grid[blank] = None;
        }
    }

    #[test]
    fn there_are_288_grids_of_four() {
        let mut grids = solve(Size::Four, &[None; 16], usize::MAX).unwrap();
        assert!(grids.iter().all(|grid| is_valid(Size::Four, grid)));
        grids.sort();
        grids.dedup();
        assert_eq!(grids.len(), 288);
    }

    #[test]
    fn the_solver_agrees_with_a_naive_one() {
        let mut rng = glauber_chain::ChainRng::new(11, 0);
        let mut sizes_met = std::collections::BTreeSet::new();
        for _ in 0..3000 {
            let clue = |rng: &mut glauber_chain::ChainRng| (rng.uniform() < 0.25).then(|| rng.below(4) as Token);
            let mut clues: Vec<Option<Token>> = (0..16).map(|_| clue(&mut rng)).collect();
            let mut found = solve(Size::Four, &clues, usize::MAX).unwrap();
            let mut expected = Vec::new();
            solve_naively(Size::Four, &mut clues, 0, &mut expected);
            found.sort();
            expected.sort();
            assert_eq!(found, expected);
            sizes_met.insert(found.len());
        }
        assert!(sizes_met.contains(&0) && sizes_met.contains(&1) && sizes_met.len() > 10, "{sizes_met:?}");
    }

    #[test]
    fn a_published_puzzle_has_its_published_solution() {
        // The example of the encyclopedia article on Sudoku.
        let puzzle = "53..7.... 6..195... .98....6. 8...6...3 4..8.3..1 7...2...6 .6....28. ...419..5 ....8..79";
        let solution = "534678912 672195348 198342567 859761423 426853791 713924856 961537284 287419635 345286179";
        let codec = SudokuCodec::new(Size::Nine);
        let found = solve(Size::Nine, &codec.parse_clues(puzzle).unwrap(), 2).unwrap();
        let expected: Vec<Token> = codec.parse_clues(solution).unwrap().into_iter().flatten().collect();
        assert_eq!(found, [expected]);
    }

    #[test]
    fn the_limit_is_kept() {
        for limit in [0, 1, 2, 287, 288] {
            assert_eq!(solve(Size::Four, &[None; 16], limit).unwrap().len(), limit);
        }
        let grids = solve(Size::Nine, &[None; 81], 50).unwrap();
        assert!(grids.len() == 50 && grids.iter().all(|grid| is_valid(Size::Nine, grid)));
    }

    #[test]
    fn bad_clues_are_refused_and_contradictions_have_no_solution() {
        assert!(matches!(solve(Size::Nine, &[None; 80], 1), Err(SudokuError::Length { found: 80, .. })));
        let mut clues = [None; 16];
        clues[5] = Some(4);
        let refused = solve(Size::Four, &clues, 1).unwrap_err();
        assert_eq!(refused, SudokuError::OutsideVocabulary { token: 4, site: 5, size: Size::Four });
        clues[4] = Some(2);
        clues[5] = Some(2);
        assert_eq!(solve(Size::Four, &clues, 1), Ok(vec![]));
    }
}
