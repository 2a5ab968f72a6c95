//! Sizes, and when a grid is valid.

use std::fmt;
use std::str::FromStr;

use glauber_tokens::{Site, Token};

use crate::SudokuError;

/// The largest number of sites of any [`Size`].
pub(crate) const MOST_SITES: usize = 81;
/// The largest number of houses of any [`Size`].
pub(crate) const MOST_HOUSES: usize = 27;

static HOUSES_OF_FOUR: [[u8; 3]; 16] = houses_by_site::<16>(2);
static HOUSES_OF_NINE: [[u8; 3]; 81] = houses_by_site::<81>(3);

/// The size of a grid: side `n = b²` for boxes of side `b`.
///
/// Sites are counted row by row, `0..n²`; token `t` of the vocabulary `0..n` shows the digit `t + 1`. A *house* is a row, a column or a
/// box: what holds every digit once in a valid grid. Houses are counted rows first, then columns, then boxes, each `0..n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Size {
    /// 4×4, boxes of 2×2: 288 valid grids.
    Four,
    /// 9×9, boxes of 3×3: about 6.67·10²¹ valid grids (Felgenhauer and Jarvis, 2005).
    Nine,
}

impl Size {
    /// Every size.
    pub const ALL: [Self; 2] = [Self::Four, Self::Nine];

    /// The side `b` of a box.
    pub const fn box_side(self) -> usize {
        match self {
            Self::Four => 2,
            Self::Nine => 3,
        }
    }

    /// The side `n` of the grid: the number of rows, of columns, of boxes and of digits.
    pub const fn side(self) -> usize {
        self.box_side() * self.box_side()
    }

    /// The number of sites, `n²`.
    pub const fn sites(self) -> usize {
        self.side() * self.side()
    }

    /// The number of tokens, `n`.
    pub const fn vocab(self) -> usize {
        self.side()
    }

    /// The number of houses, `3n`.
    pub const fn houses(self) -> usize {
        3 * self.side()
    }

    /// The fewest clues that leave one solution: 4, and 17 (McGuire, Tugemann and Civario, 2014).
    pub const fn fewest_clues(self) -> usize {
        match self {
            Self::Four => 4,
            Self::Nine => 17,
        }
    }

    /// The row, the column and the box of a site, as houses `0..3n`.
    ///
    /// # Panics
    /// When there is no such site.
    pub fn houses_of(self, site: Site) -> [usize; 3] {
        self.house_table()[site].map(usize::from)
    }

    /// [`houses_of`](Self::houses_of) every site, shape `[site, 3]`.
    pub(crate) fn house_table(self) -> &'static [[u8; 3]] {
        match self {
            Self::Four => &HOUSES_OF_FOUR,
            Self::Nine => &HOUSES_OF_NINE,
        }
    }

    /// Checks that something has one entry for each site.
    pub(crate) fn check_length(self, what: &'static str, found: usize) -> Result<(), SudokuError> {
        if found == self.sites() { Ok(()) } else { Err(SudokuError::Length { what, found, size: self }) }
    }

    /// Checks that tokens lie in the vocabulary.
    pub(crate) fn check_tokens(self, tokens: impl IntoIterator<Item = (Site, Token)>) -> Result<(), SudokuError> {
        match tokens.into_iter().find(|&(_, token)| token as usize >= self.vocab()) {
            Some((site, token)) => Err(SudokuError::OutsideVocabulary { token, site, size: self }),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{0}x{0}", self.side())
    }
}

impl FromStr for Size {
    type Err = SudokuError;

    /// Reads `4x4` or `9x9`.
    fn from_str(text: &str) -> Result<Self, SudokuError> {
        let found = Self::ALL.into_iter().find(|size| size.to_string() == text);
        found.ok_or_else(|| SudokuError::UnknownSize { found: text.to_owned() })
    }
}

const fn houses_by_site<const SITES: usize>(box_side: usize) -> [[u8; 3]; SITES] {
    let side = box_side * box_side;
    let mut table = [[0; 3]; SITES];
    let mut site = 0;
    while site < SITES {
        let (row, column) = (site / side, site % side);
        let square = row / box_side * box_side + column / box_side;
        table[site] = [row as u8, (side + column) as u8, (2 * side + square) as u8];
        site += 1;
    }
    table
}

/// Number of violations: pairs of a house and a digit that the house lacks. 0 for a valid grid, at most `3n(n−1)`.
///
/// In a full grid every digit that a house lacks is a surplus copy of another, so this also counts the duplicates: a digit that
/// stands `k` times in a house counts `k − 1`. A token outside the vocabulary shows no digit, and neither does a site that is not
/// there; `tokens` has shape `[site]`.
pub fn violations(size: Size, tokens: &[Token]) -> usize {
    let mut seen = [0u16; MOST_HOUSES];
    for (&token, houses) in tokens.iter().zip(size.house_table()) {
        if (token as usize) < size.vocab() {
            houses.iter().for_each(|&house| seen[usize::from(house)] |= 1 << token);
        }
    }
    let present: u32 = seen.iter().map(|digits| digits.count_ones()).sum();
    size.houses() * size.side() - present as usize
}

/// Whether tokens, shape `[site]`, are a complete grid with every digit once in each row, column and box.
pub fn is_valid(size: Size, tokens: &[Token]) -> bool {
    tokens.len() == size.sites() && violations(size, tokens) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOUR: [Token; 16] = [0, 1, 2, 3, 2, 3, 0, 1, 1, 0, 3, 2, 3, 2, 1, 0];

    #[test]
    fn houses_are_rows_columns_and_boxes() {
        assert_eq!(Size::Four.houses_of(6), [1, 4 + 2, 8 + 1]);
        assert_eq!(Size::Nine.houses_of(80), [8, 9 + 8, 18 + 8]);
        assert_eq!(Size::Nine.houses_of(30), [3, 9 + 3, 18 + 4]);
        for size in Size::ALL {
            let mut sites = vec![0; size.houses()];
            for site in 0..size.sites() {
                size.houses_of(site).into_iter().for_each(|house| sites[house] += 1);
            }
            assert!(sites.iter().all(|&count| count == size.side()), "{size}");
        }
    }

    #[test]
    fn violations_count_surplus_copies() {
        assert_eq!(violations(Size::Four, &FOUR), 0);
        let mut grid = FOUR;
        grid[0] = 1; // a second 2 in its row, its column (at site 8) and its box
        assert_eq!(violations(Size::Four, &grid), 3);
        for size in Size::ALL {
            let n = size.side();
            assert_eq!(violations(size, &vec![0; size.sites()]), 3 * n * (n - 1));
        }
        let rows_only: Vec<Token> = (0..81).map(|site| site % 9).collect(); // every row 123456789: a box has 3 digits, a column 1
        assert_eq!(violations(Size::Nine, &rows_only), 9 * 8 + 9 * 6);
    }

    #[test]
    fn what_is_no_grid_is_not_valid() {
        assert!(is_valid(Size::Four, &FOUR));
        assert!(!is_valid(Size::Nine, &FOUR));
        assert!(!is_valid(Size::Four, &FOUR[..15]));
        assert!(!is_valid(Size::Four, &[&FOUR[..], &[0]].concat()));
        let mut outside = FOUR;
        outside[3] = 4;
        assert!(!is_valid(Size::Four, &outside));
        assert_eq!(violations(Size::Four, &outside), 3);
        outside[3] = Token::MAX;
        assert!(!is_valid(Size::Four, &outside));
    }

    #[test]
    fn sizes_are_read_as_they_are_shown() {
        for size in Size::ALL {
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        assert!("16x16".parse::<Size>().unwrap_err().to_string().contains("write 4x4 or 9x9"));
    }
}
