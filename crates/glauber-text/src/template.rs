//! Text with gaps, for infilling.

use glauber_tokens::{Codec, Token};

use crate::{TextCodec, TextError};

/// Underscores that make a gap, at least.
const GAP: usize = 4;

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Tokens that are given, shape `[site]`.
    Known(Vec<Token>),
    /// Tokens to be generated: this many, or the default length.
    Gap(Option<usize>),
}

/// Text with gaps.
///
/// `____` (four underscores or more) is a gap of the default length, `{n}` one of exactly `n` tokens. Everything else is known
/// text, shorter runs of underscores and other braces included. `\{`, `\_` and `\\` stand for the characters themselves; any other
/// backslash is a backslash.
///
/// Where words carry the space before them (every vocabulary but bytes and characters), one space right before a gap belongs to
/// the gap and not to the known text: in `The ____ sat` the first token of the gap is the one that brings its space along, as it
/// would be in running text. Known text after a gap keeps its leading space for the same reason.
///
/// ```
/// use glauber_text::{Piece, Template, TextCodec};
///
/// let codec = TextCodec::bytes();
/// let template = Template::parse("a____b{2}", &codec)?;
/// assert_eq!(
///     template.pieces,
///     [Piece::Known(vec![97]), Piece::Gap(None), Piece::Known(vec![98]), Piece::Gap(Some(2))]
/// );
/// let layout = template.layout(3, 9, &codec)?;
/// assert_eq!(layout.clamp, [true, false, false, false, true, false, false, true, false]);
/// assert_eq!(layout.tokens[7], codec.end_of_text());
/// # Ok::<(), glauber_text::TextError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// The parts in order: no two known parts meet, and none is empty.
    pub pieces: Vec<Piece>,
}

/// A template laid out over the sites of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Shape `[site]`. At free sites an end of text stands as a placeholder for whatever the chain starts from.
    pub tokens: Vec<Token>,
    /// Which sites are known, shape `[site]`.
    pub clamp: Vec<bool>,
    /// Sites of the template itself; what lies behind is not part of the text.
    pub end: usize,
}

impl Template {
    /// Reads a template and encodes its known text.
    ///
    /// # Errors
    /// [`TextError::NoGap`], [`TextError::Gap`] for `{0}` and numbers too large to mean anything, and what encoding can meet.
    pub fn parse(text: &str, codec: &TextCodec) -> Result<Self, TextError> {
        let mut pieces = Vec::new();
        let mut known = String::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let offset = text.len() - rest.len();
            if let Some((gap, length)) = gap_at(rest, offset)? {
                push_known(&mut pieces, &mut known, codec, true)?;
                pieces.push(Piece::Gap(gap));
                rest = &rest[length..];
                continue;
            }
            let escaped =
                rest.strip_prefix('\\').and_then(|r| r.chars().next()).filter(|c| matches!(c, '{' | '_' | '\\'));
            let length = match escaped {
                Some(literal) => {
                    known.push(literal);
                    2
                }
                // A run too short for a gap is taken as a whole.
                None if character == '_' => {
                    let run = underscores(rest);
                    known.push_str(&rest[..run]);
                    run
                }
                None => {
                    known.push(character);
                    character.len_utf8()
                }
            };
            rest = &rest[length..];
        }
        push_known(&mut pieces, &mut known, codec, false)?;
        if !pieces.iter().any(|piece| matches!(piece, Piece::Gap(_))) {
            return Err(TextError::NoGap);
        }
        Ok(Self { pieces })
    }

    /// Lays the template out over a sequence of `len` sites; gaps without a length get `default_gap_len`.
    ///
    /// The template stands at the beginning. If sites remain, the first of them is a clamped end of text, so that the chain knows
    /// where the text ends, and the others are free: the beginning of some other document, as in training.
    ///
    /// # Errors
    /// [`TextError::TemplateTooLong`], or [`TextError::Gap`] when a default length of zero is needed.
    pub fn layout(&self, default_gap_len: usize, len: usize, codec: &TextCodec) -> Result<Layout, TextError> {
        let (mut known, mut gaps) = (0usize, 0usize);
        for piece in &self.pieces {
            match piece {
                Piece::Known(tokens) => known += tokens.len(),
                Piece::Gap(None) if default_gap_len == 0 => {
                    let reason = "the default gap length is 0, expected at least 1";
                    return Err(TextError::Gap { gap: "_".repeat(GAP), offset: 0, reason });
                }
                Piece::Gap(length) => gaps = gaps.saturating_add(length.unwrap_or(default_gap_len)),
            }
        }
        let end = known.saturating_add(gaps);
        if end > len {
            return Err(TextError::TemplateTooLong { needed: end, known, gaps, length: len });
        }
        let mut tokens = Vec::with_capacity(len);
        let mut clamp = Vec::with_capacity(len);
        for piece in &self.pieces {
            match piece {
                Piece::Known(known) => tokens.extend(known),
                Piece::Gap(length) => {
                    tokens.resize(tokens.len() + length.unwrap_or(default_gap_len), codec.end_of_text())
                }
            }
            clamp.resize(tokens.len(), matches!(piece, Piece::Known(_)));
        }
        tokens.resize(len, codec.end_of_text());
        clamp.resize(len.min(end + 1), true);
        clamp.resize(len, false);
        Ok(Layout { tokens, clamp, end })
    }
}

impl Layout {
    /// The text of a finished sequence, the template's sites only, with `open` and `close` around each generated stretch.
    ///
    /// Stretches are decoded one by one: a generated stretch that ends within a character shows U+FFFD there.
    ///
    /// # Errors
    /// [`TextError::OutsideVocabulary`], or [`TextError::RenderedLength`] when `tokens` ends before the template does.
    pub fn render(&self, codec: &TextCodec, tokens: &[Token], open: &str, close: &str) -> Result<String, TextError> {
        if tokens.len() < self.end {
            return Err(TextError::RenderedLength { found: tokens.len(), expected: self.end });
        }
        let mut text = String::new();
        let mut start = 0;
        for run in self.clamp[..self.end].chunk_by(|a, b| a == b) {
            let decoded = codec.decode(&tokens[start..start + run.len()])?;
            start += run.len();
            if run[0] {
                text.push_str(&decoded);
            } else {
                text.extend([open, &decoded, close]);
            }
        }
        Ok(text)
    }
}

/// The gap that `rest` begins with, and its length in bytes.
fn gap_at(rest: &str, offset: usize) -> Result<Option<(Option<usize>, usize)>, TextError> {
    let run = underscores(rest);
    if run >= GAP {
        return Ok(Some((None, run)));
    }
    let Some((digits, _)) = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) else { return Ok(None) };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    let refused = |reason| TextError::Gap { gap: format!("{{{digits}}}"), offset, reason };
    match digits.parse::<usize>() {
        Ok(0) => Err(refused("a gap has at least one token; leave it out, or write \\{ for a brace")),
        Ok(length) => Ok(Some((Some(length), digits.len() + 2))),
        Err(_) => Err(refused("the number is too large; write \\{ for a brace")),
    }
}

fn underscores(text: &str) -> usize {
    text.bytes().take_while(|&b| b == b'_').count()
}

/// Encodes the known text gathered so far.
fn push_known(
    pieces: &mut Vec<Piece>,
    known: &mut String,
    codec: &TextCodec,
    before_gap: bool,
) -> Result<(), TextError> {
    let text = std::mem::take(known);
    let text = match text.strip_suffix(' ') {
        Some(shorter) if before_gap && codec.words_carry_space() => shorter,
        _ => &text,
    };
    let tokens = codec.encode(text)?;
    if !tokens.is_empty() {
        pieces.push(Piece::Known(tokens));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Piece>, TextError> {
        Template::parse(text, &TextCodec::bytes()).map(|template| template.pieces)
    }

    fn known(text: &str) -> Piece {
        Piece::Known(text.bytes().map(Token::from).collect())
    }

    #[test]
    fn gaps_and_escapes() {
        assert_eq!(parse("a ____ b").unwrap(), [known("a "), Piece::Gap(None), known(" b")]);
        assert_eq!(parse("_______").unwrap(), [Piece::Gap(None)]);
        assert_eq!(parse("{12}{3}").unwrap(), [Piece::Gap(Some(12)), Piece::Gap(Some(3))]);
        assert_eq!(parse(r"\{4}\____ ___{1}").unwrap(), [known("{4}____ ___"), Piece::Gap(Some(1))]);
        assert_eq!(parse(r"\_____").unwrap(), [known("_"), Piece::Gap(None)]);
        assert_eq!(parse(r"C:\\{2}\n").unwrap(), [known(r"C:\"), Piece::Gap(Some(2)), known(r"\n")]);
        assert_eq!(parse("fn x() { y } {} {n} é{1}").unwrap(), [known("fn x() { y } {} {n} é"), Piece::Gap(Some(1))]);
    }

    #[test]
    fn impossible_gaps_are_named() {
        assert!(matches!(parse("no gap ___"), Err(TextError::NoGap)));
        let error = parse("ab{0}").unwrap_err().to_string();
        assert!(error.starts_with("the gap {0} at byte 2 of the template: a gap has at least one token"), "{error}");
        assert!(parse("{99999999999999999999999}").unwrap_err().to_string().contains("too large"));
    }

    #[test]
    fn a_layout_fills_the_sequence() {
        let codec = TextCodec::bytes();
        let template = Template::parse("ab{2}c____", &codec).unwrap();
        let layout = template.layout(3, 8, &codec).unwrap();
        assert_eq!(layout.end, 8);
        assert_eq!(layout.clamp, [true, true, false, false, true, false, false, false]);
        let longer = template.layout(3, 11, &codec).unwrap();
        assert_eq!(longer.clamp[8..], [true, false, false]);
        assert_eq!(longer.tokens[8], 256);
        let error = template.layout(4, 8, &codec).unwrap_err().to_string();
        assert!(error.contains("needs 9 tokens (3 known, 6 in gaps) but a sequence has 8"), "{error}");
        assert!(template.layout(0, 8, &codec).is_err());
        let huge = Template::parse(&format!("{{{}}}{{5}}", usize::MAX), &codec).unwrap();
        assert!(huge.layout(1, 8, &codec).is_err());
    }

    #[test]
    fn rendering_marks_what_was_generated() {
        let codec = TextCodec::bytes();
        let layout = Template::parse("ab{2}c____", &codec).unwrap().layout(3, 12, &codec).unwrap();
        let finished: Vec<Token> = "abXYcé!zzzz".bytes().map(Token::from).collect();
        assert_eq!(layout.render(&codec, &finished, "[", "]").unwrap(), "ab[XY]c[é!]");
        assert!(layout.render(&codec, &finished[..7], "[", "]").is_err());
        assert!(layout.render(&codec, &[999; 12], "[", "]").is_err());
    }
}
