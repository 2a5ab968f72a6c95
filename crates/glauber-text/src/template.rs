//! Text with gaps, for infilling.

use std::ops::Range;

use glauber_tokens::{Codec, Token};

use crate::{TextCodec, TextError};

/// Minimal number of underscores of a gap.
const GAP: usize = 4;
/// Fillers of a gap while the surrounding text is encoded: the first one that the vocabulary has and whose tokens end
/// with the gap. Letters come first, because a gap within a word holds letters.
const FILLERS: [&str; 20] =
    ["x", "q", "z", "k", "o", "e", "ǂ", "ж", "あ", "XQ", "zq", "0", "7", "|", "~", "#", ".", ",", "\n", " "];
/// Number of tokens before a gap that affect the decoding of its tokens.
const CONTEXT: usize = 32;

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Known text.
    Known {
        /// The text, without the space that belongs to the following gap.
        text: String,
        /// Shape `[site]`; empty if the tokenizer has no token for the text, for instance white space.
        tokens: Vec<Token>,
    },
    /// Tokens to be generated: this many, or the default length.
    Gap(Option<usize>),
}

/// Text with gaps.
///
/// `____` (four underscores or more) is a gap of the default length, `{n}` one of exactly `n` tokens. Everything else
/// is known text, including shorter runs of underscores and other braces. `\{` and `\_` are literal characters, and
/// right before them `\\` is a literal backslash; any other backslash is literal.
///
/// If words include the space before them (in all vocabularies except bytes and characters), one space right before a
/// gap belongs to the gap. In `The ____ sat` the first token of the gap includes its space, as in running text. Known
/// text after a gap keeps its leading space for the same reason.
///
/// Known text has its tokens from the whole text. A tokenizer that prepends a space, or marks parts of words, treats a
/// gap without a space as a part of the word.
///
/// ```
/// use glauber_text::{Piece, Template, TextCodec};
///
/// let codec = TextCodec::bytes();
/// let template = Template::parse("a____b{2}", &codec)?;
/// let known = |text: &str| Piece::Known { text: text.into(), tokens: text.bytes().map(u32::from).collect() };
/// assert_eq!(template.pieces, [known("a"), Piece::Gap(None), known("b"), Piece::Gap(Some(2))]);
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
    /// Shape `[site]`. Free sites have an end of text as a placeholder.
    pub tokens: Vec<Token>,
    /// Which sites are known, shape `[site]`.
    pub clamp: Vec<bool>,
    /// Number of sites of the template; later sites are not part of the text.
    pub end: usize,
    /// In order; known ones with their text.
    stretches: Vec<(Range<usize>, Option<String>)>,
}

impl Template {
    /// Reads a template and encodes its known text.
    ///
    /// # Errors
    /// [`TextError::NoGap`], [`TextError::Template`] for `{0}` and too large numbers, and errors of encoding.
    pub fn parse(text: &str, codec: &TextCodec) -> Result<Self, TextError> {
        let mut pieces = Vec::new();
        let mut known = String::new();
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            let offset = text.len() - rest.len();
            if let Some((gap, length)) = gap_at(rest, offset)? {
                push_known(&mut pieces, &mut known);
                pieces.push(Piece::Gap(gap));
                rest = &rest[length..];
                continue;
            }
            // Backslashes stand for themselves, but for those right before what else begins a gap.
            let escapes = rest.trim_start_matches('\\').starts_with(['{', '_']);
            let escaped = rest.strip_prefix('\\').and_then(|r| r.chars().next()).filter(|_| escapes);
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
        push_known(&mut pieces, &mut known);
        if !pieces.iter().any(|piece| matches!(piece, Piece::Gap(_))) {
            return Err(TextError::NoGap);
        }
        encode(&mut pieces, codec)?;
        Ok(Self { pieces })
    }

    /// Lays the template out over a sequence of `len` sites; gaps without a length get `default_gap_len`.
    ///
    /// The template is at the start. If sites remain, the first of them is a clamped end of text, which marks the end
    /// of the text. The others are free, like the start of another document in training.
    ///
    /// # Errors
    /// [`TextError::Template`] when it is too long, or when a default length of zero is needed.
    pub fn layout(&self, default_gap_len: usize, len: usize, codec: &TextCodec) -> Result<Layout, TextError> {
        let (mut known, mut gaps) = (0usize, 0usize);
        for piece in &self.pieces {
            match piece {
                Piece::Known { tokens, .. } => known += tokens.len(),
                Piece::Gap(None) if default_gap_len == 0 => {
                    let reason = "the default gap length is 0, expected at least 1";
                    return Err(no_gap(&"_".repeat(GAP), 0, reason));
                }
                Piece::Gap(length) => gaps = gaps.saturating_add(length.unwrap_or(default_gap_len)),
            }
        }
        let end = known.saturating_add(gaps);
        if end > len {
            return Err(TextError::Template(format!(
                "the template needs {end} tokens ({known} known, {gaps} in gaps) but a sequence holds {len}; shorten the text or its gaps"
            )));
        }
        let mut tokens = Vec::with_capacity(len);
        let mut clamp = Vec::with_capacity(len);
        let mut stretches: Vec<(Range<usize>, Option<String>)> = Vec::new();
        for piece in &self.pieces {
            let start = tokens.len();
            let text = match piece {
                Piece::Known { text, tokens: known } => {
                    tokens.extend(known);
                    Some(text.clone())
                }
                Piece::Gap(length) => {
                    tokens.resize(start + length.unwrap_or(default_gap_len), codec.end_of_text());
                    None
                }
            };
            clamp.resize(tokens.len(), text.is_some());
            match stretches.last_mut() {
                Some((gap, None)) if text.is_none() => gap.end = tokens.len(),
                _ => stretches.push((start..tokens.len(), text)),
            }
        }
        tokens.resize(len, codec.end_of_text());
        clamp.resize(len.min(end + 1), true);
        clamp.resize(len, false);
        Ok(Layout { tokens, clamp, end, stretches })
    }
}

impl Layout {
    /// A sequence that is known except for the sites of one gap.
    ///
    /// # Errors
    /// [`TextError::OutsideVocabulary`].
    ///
    /// # Panics
    /// When the gap does not lie within the sequence.
    pub fn around(codec: &TextCodec, tokens: Vec<Token>, gap: Range<usize>) -> Result<Self, TextError> {
        let (len, before) = (tokens.len(), &tokens[..gap.start]);
        let after = codec.decode_after(context(&tokens[..gap.end]), &tokens[gap.end..])?;
        let stretches =
            vec![(0..gap.start, Some(codec.decode(before)?)), (gap.clone(), None), (gap.end..len, Some(after))];
        let clamp = (0..len).map(|site| !gap.contains(&site)).collect();
        Ok(Self { tokens, clamp, end: len, stretches })
    }

    /// The text of a finished sequence, the template's sites only, with `open` and `close` around each generated part.
    ///
    /// Known text is the text of the template, byte for byte. Generated parts are decoded one by one, in the context of
    /// the text before them. A part that ends within a character shows U+FFFD there.
    ///
    /// # Errors
    /// [`TextError::OutsideVocabulary`], or [`TextError::Template`] when `tokens` ends before the template does.
    pub fn render(&self, codec: &TextCodec, tokens: &[Token], open: &str, close: &str) -> Result<String, TextError> {
        if tokens.len() < self.end {
            let (found, expected) = (tokens.len(), self.end);
            let has = format!("the template has {expected}; render the whole sequence");
            return Err(TextError::Template(format!("{found} tokens to render, but {has}")));
        }
        let mut text = String::new();
        for (sites, known) in &self.stretches {
            match known {
                Some(known) => text.push_str(known),
                None => {
                    let before = context(&tokens[..sites.start]);
                    text.extend([open, &codec.decode_after(before, &tokens[sites.clone()])?, close]);
                }
            }
        }
        Ok(text)
    }
}

/// The last of some tokens.
fn context(tokens: &[Token]) -> &[Token] {
    &tokens[tokens.len().saturating_sub(CONTEXT)..]
}

/// A gap of an impossible length.
fn no_gap(gap: &str, offset: usize, reason: &str) -> TextError {
    TextError::Template(format!("the gap {gap} at byte {offset} of the template: {reason}"))
}

/// The gap at the start of `rest`, and its length in bytes.
fn gap_at(rest: &str, offset: usize) -> Result<Option<(Option<usize>, usize)>, TextError> {
    let run = underscores(rest);
    if run >= GAP {
        return Ok(Some((None, run)));
    }
    let Some((digits, _)) = rest.strip_prefix('{').and_then(|inner| inner.split_once('}')) else { return Ok(None) };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(None);
    }
    let refused = |reason| no_gap(&format!("{{{digits}}}"), offset, reason);
    match digits.parse::<usize>() {
        Ok(0) => Err(refused("a gap has at least one token; leave it out, or write \\{ for a brace")),
        Ok(length) => Ok(Some((Some(length), digits.len() + 2))),
        Err(_) => Err(refused("the number is too large; write \\{ for a brace")),
    }
}

fn underscores(text: &str) -> usize {
    text.bytes().take_while(|&b| b == b'_').count()
}

/// Ends the known text gathered so far.
fn push_known(pieces: &mut Vec<Piece>, known: &mut String) {
    if !known.is_empty() {
        pieces.push(Piece::Known { text: std::mem::take(known), tokens: Vec::new() });
    }
}

/// Encodes the known text, and moves the space before each gap into the gap if words include spaces.
fn encode(pieces: &mut Vec<Piece>, codec: &TextCodec) -> Result<(), TextError> {
    let within = match codec.is_piecewise() {
        true => None,
        false => encode_around_fillers(pieces, codec),
    };
    let (mut within, mut gap_follows) = (within.map(Vec::into_iter), false);
    for piece in pieces.iter_mut().rev() {
        let Piece::Known { text, tokens } = piece else {
            gap_follows = true;
            continue;
        };
        if std::mem::take(&mut gap_follows) && codec.words_carry_space() && text.ends_with(' ') {
            text.pop();
        }
        *tokens = match within.as_mut().and_then(|within| within.next_back()) {
            Some(tokens) => tokens,
            None => codec.encode(text)?,
        };
    }
    pieces.retain(|piece| !matches!(piece, Piece::Known { text, .. } if text.is_empty()));
    Ok(())
}

/// The tokens of each known piece within the whole text, with fillers in the gaps. `None` if for all fillers some token
/// overlaps a gap's border.
fn encode_around_fillers(pieces: &[Piece], codec: &TextCodec) -> Option<Vec<Vec<Token>>> {
    let mut best = None;
    for filler in FILLERS {
        let mut whole = String::new();
        let mut known = Vec::new();
        for (at, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Known { text, .. } => {
                    // The space before a gap is the gap's.
                    let own = match pieces.get(at + 1) {
                        Some(Piece::Gap(_)) if codec.words_carry_space() => text.strip_suffix(' ').unwrap_or(text),
                        _ => text,
                    };
                    known.push(whole.len()..whole.len() + own.len());
                    whole.push_str(text);
                }
                Piece::Gap(_) => whole.push_str(filler),
            }
        }
        // Where there is no unknown token a filler may be refused: then the known text is encoded
        // by itself.
        match codec.trace(&whole).ok().flatten().and_then(|traced| traced.divide(&known)) {
            Some((tokens, true)) => return Some(tokens),
            Some((tokens, false)) => best = best.or(Some(tokens)),
            None => {}
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Vec<Piece>, TextError> {
        Template::parse(text, &TextCodec::bytes()).map(|template| template.pieces)
    }

    fn known(text: &str) -> Piece {
        Piece::Known { text: text.to_owned(), tokens: text.bytes().map(Token::from).collect() }
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
        assert!(error.contains("needs 9 tokens (3 known, 6 in gaps) but a sequence holds 8"), "{error}");
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
