//! Grids and clues as text.

use glauber_tokens::{Codec, Site, Token};

use crate::solve::given;
use crate::{Size, SudokuError};

/// Characters of a text that are no cells: box separators, and the mark of a generated digit.
const DECORATION: [char; 4] = ['|', '-', '+', MARK];
/// Stands behind a generated digit in [`SudokuCodec::pretty`].
const MARK: char = '\'';

/// Between grids and text: rows as lines, the digits 1 to `n`, `.` for a blank.
///
/// Reading is lenient. White space, line breaks, box separators (`|`, `-`, `+`) and the marks of
/// [`pretty`](Self::pretty) are passed over, and `0` or `_` is a blank too: only the number and order of cells matters.
/// What this codec writes it reads.
///
/// As a [`Codec`] it encodes complete grids: there is no token for a blank. It does not check whether a grid is valid,
/// so noisy grids can also be written.
///
/// ```
/// use glauber_sudoku::{Size, SudokuCodec};
/// use glauber_tokens::Codec;
///
/// let codec = SudokuCodec::new(Size::Four);
/// let tokens = codec.encode("1234\n3412\n2143\n4321")?;
/// assert_eq!(tokens[..5], [0, 1, 2, 3, 2]);
/// assert_eq!(codec.decode(&tokens)?, "1234\n3412\n2143\n4321");
///
/// let clues = codec.parse_clues("1... ..3. .2.. ...4")?;
/// assert_eq!(clues[..2], [Some(0), None]);
/// assert_eq!(codec.write_clues(&clues)?, "1...\n..3.\n.2..\n...4");
/// # Ok::<(), glauber_sudoku::SudokuError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SudokuCodec {
    size: Size,
}

impl SudokuCodec {
    /// The codec of a size.
    pub fn new(size: Size) -> Self {
        Self { size }
    }

    /// The size of the grids.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Reads digits and blanks, shape `[site]`.
    ///
    /// # Errors
    /// At a character that is no cell, and when there is not one cell for each site.
    pub fn parse_clues(&self, text: &str) -> Result<Vec<Option<Token>>, SudokuError> {
        let size = self.size;
        let mut cells = Vec::with_capacity(size.sites());
        for (number, line) in text.lines().enumerate() {
            for (column, found) in line.chars().enumerate() {
                if found.is_whitespace() || DECORATION.contains(&found) {
                    continue;
                }
                let refused = || SudokuError::Character { found, line: number + 1, column: column + 1, size };
                cells.push(read_cell(found, size).ok_or_else(refused)?);
            }
        }
        if cells.len() == size.sites() { Ok(cells) } else { Err(SudokuError::Cells { found: cells.len(), size }) }
    }

    /// Clues, shape `[site]`, as `n` lines of `n` characters.
    ///
    /// # Errors
    /// When there is not one clue or blank for each site, or a clue lies outside the vocabulary.
    pub fn write_clues(&self, clues: &[Option<Token>]) -> Result<String, SudokuError> {
        self.check(clues)?;
        let cells: Vec<char> = clues.iter().map(|&clue| shown(clue)).collect();
        let lines: Vec<String> = cells.chunks(self.size.side()).map(|row| row.iter().collect()).collect();
        Ok(lines.join("\n"))
    }

    /// A grid, shape `[site]`, with box separators. With a mask of the clues, also of shape `[site]`, every other digit bears a `'`.
    ///
    /// ```
    /// # use glauber_sudoku::{Size, SudokuCodec};
    /// # use glauber_tokens::Codec;
    /// let codec = SudokuCodec::new(Size::Four);
    /// let tokens = codec.encode("1234 3412 2143 4321")?;
    /// let clue_mask: Vec<bool> = (0..16).map(|site| site % 5 == 0).collect(); // the diagonal
    /// let text = codec.pretty(&tokens, Some(&clue_mask))?;
    /// let lines: Vec<&str> = text.lines().collect();
    /// assert_eq!(lines, [" 1  2'| 3' 4'", " 3' 4 | 1' 2'", "------+------", " 2' 1'| 4  3'", " 4' 3'| 2' 1"]);
    /// # Ok::<(), glauber_sudoku::SudokuError>(())
    /// ```
    ///
    /// # Errors
    /// When there is not one token (and one entry of the mask) for each site, or a token lies outside the vocabulary.
    pub fn pretty(&self, tokens: &[Token], clue_mask: Option<&[bool]>) -> Result<String, SudokuError> {
        let cells: Vec<Option<Token>> = tokens.iter().copied().map(Some).collect();
        self.check(&cells)?;
        if let Some(mask) = clue_mask {
            self.size.check_length("entries of the clue mask", mask.len())?;
        }
        Ok(self.framed(&cells, |site| clue_mask.is_some_and(|mask| !mask[site])))
    }

    /// Clues, shape `[site]`, with box separators and `.` for a blank.
    ///
    /// # Errors
    /// When there is not one clue or blank for each site, or a clue lies outside the vocabulary.
    pub fn pretty_clues(&self, clues: &[Option<Token>]) -> Result<String, SudokuError> {
        self.check(clues)?;
        Ok(self.framed(clues, |_| false))
    }

    /// Cells in boxes, some of them marked.
    fn framed(&self, cells: &[Option<Token>], is_marked: impl Fn(Site) -> bool) -> String {
        let (side, box_side) = (self.size.side(), self.size.box_side());
        let rule = vec!["-".repeat(3 * box_side); box_side].join("+");
        let mut lines = Vec::new();
        for (row, cells) in cells.chunks(side).enumerate() {
            if row > 0 && row % box_side == 0 {
                lines.push(rule.clone());
            }
            let mut line = String::new();
            for (column, &cell) in cells.iter().enumerate() {
                if column > 0 && column % box_side == 0 {
                    line.push('|');
                }
                let mark = if is_marked(row * side + column) { MARK } else { ' ' };
                line.extend([' ', shown(cell), mark]);
            }
            lines.push(line.trim_end().to_owned());
        }
        lines.join("\n")
    }

    fn check(&self, cells: &[Option<Token>]) -> Result<(), SudokuError> {
        self.size.check_length("cells", cells.len())?;
        self.size.check_tokens(given(cells))
    }
}

impl Codec for SudokuCodec {
    type Item = str;
    type Decoded = String;
    type Error = SudokuError;

    /// Reads a complete grid.
    ///
    /// # Errors
    /// As [`parse_clues`](SudokuCodec::parse_clues), and at a blank.
    fn encode(&self, item: &str) -> Result<Vec<Token>, SudokuError> {
        let side = self.size.side();
        let cells = self.parse_clues(item)?.into_iter().enumerate();
        cells.map(|(i, cell)| cell.ok_or(SudokuError::Blank { row: i / side + 1, column: i % side + 1 })).collect()
    }

    /// The grid as `n` lines of `n` digits, valid or not.
    ///
    /// # Errors
    /// When there is not one token for each site, or a token lies outside the vocabulary.
    fn decode(&self, tokens: &[Token]) -> Result<String, SudokuError> {
        self.write_clues(&tokens.iter().copied().map(Some).collect::<Vec<_>>())
    }

    fn vocab_size(&self) -> usize {
        self.size.vocab()
    }

    fn special(&self) -> &[Token] {
        &[]
    }
}

/// The cell that a character stands for, if any.
fn read_cell(character: char, size: Size) -> Option<Option<Token>> {
    match character {
        '.' | '0' | '_' => Some(None),
        _ => character.to_digit(10).filter(|&digit| digit as usize <= size.side()).map(|digit| Some(digit - 1)),
    }
}

/// The character of a cell; its token, if any, is below 9.
fn shown(cell: Option<Token>) -> char {
    cell.and_then(|token| char::from_digit(token + 1, 10)).unwrap_or('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_was_found_and_where() {
        let codec = SudokuCodec::new(Size::Four);
        let message = codec.parse_clues("12 34\n1x34").unwrap_err().to_string();
        assert_eq!(message, "line 2, column 2: found 'x', expected a digit 1 to 4 or . for a blank");
        let five = codec.parse_clues("1235").unwrap_err();
        assert_eq!(five, SudokuError::Character { found: '5', line: 1, column: 4, size: Size::Four });
        let message = codec.parse_clues("1234 ....").unwrap_err().to_string();
        assert_eq!(message, "the text has 8 cells, expected 16: 4 rows of 4 digits 1 to 4, with . for a blank");
        assert_eq!(codec.parse_clues(&".".repeat(17)), Err(SudokuError::Cells { found: 17, size: Size::Four }));
        assert_eq!(codec.encode("1234 3.12 2143 4321"), Err(SudokuError::Blank { row: 2, column: 2 }));
        let message = codec.decode(&[4; 16]).unwrap_err().to_string();
        assert!(message.starts_with("token 4 at site 0 is outside the vocabulary 0..4 of a 4x4 grid"), "{message}");
        let message = codec.decode(&[0; 15]).unwrap_err().to_string();
        assert_eq!(message, "15 cells, but a 4x4 grid has 16; give one for each site, row by row");
        assert!(
            codec.pretty(&[0; 16], Some(&[true; 15])).unwrap_err().to_string().contains("15 entries of the clue mask")
        );
    }

    #[test]
    fn blanks_have_three_names() {
        let codec = SudokuCodec::new(Size::Four);
        let expected = codec.parse_clues("1... ..3. .2.. ...4").unwrap();
        for text in ["1000003002000004", "1___\n__3_\r\n_2__\n\t___4\n", "1.|..\n..|3.\n--+--\n.2|..\n..|.4"] {
            assert_eq!(codec.parse_clues(text).as_ref(), Ok(&expected), "{text}");
        }
    }

    #[test]
    fn a_puzzle_of_nine_is_drawn_in_boxes() {
        let codec = SudokuCodec::new(Size::Nine);
        let clues: Vec<Option<Token>> = (0..81).map(|site| (site % 10 == 0).then_some(site as Token / 10)).collect();
        let text = codec.pretty_clues(&clues).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 11);
        assert_eq!(lines[0], " 1  .  . | .  .  . | .  .  .");
        assert_eq!(lines[3], "---------+---------+---------");
        assert_eq!(lines[10], " .  .  . | .  .  . | .  .  9");
    }
}
