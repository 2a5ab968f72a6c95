//! The tokens of a text with their positions, and the text without tokens.

use std::cell::RefCell;
use std::ops::Range;

use glauber_tokens::Token;
use tokenizers::models::ModelWrapper;
use tokenizers::models::bpe::BPE;
use tokenizers::normalizer::Range as Within;
use tokenizers::{Model, NormalizedString, OffsetReferential, OffsetType, PreTokenizer, Result, Tokenizer};

use super::coverage::Coverage;

/// The encoding of a byte of the text, the worst last. Removed by normalising or splitting.
const GONE: u8 = 0;
/// Encoded by a token.
const NAMED: u8 = 1;
/// Encoded by the unknown token.
const UNKNOWN: u8 = 2;
/// Without a token in the model.
const NAMELESS: u8 = 3;

/// An encoded text.
pub(crate) struct Traced<'a> {
    tokenizer: &'a Tokenizer,
    text: &'a str,
    pub(super) tokens: Vec<Token>,
    /// The byte range of each token, shape `[token]`.
    pub(super) places: Vec<Range<usize>>,
    /// Shape `[byte]`.
    marks: Vec<u8>,
}

impl<'a> Traced<'a> {
    /// Encodes as [`Tokenizer::encode`], without its post-processor, which trims spaces off the positions.
    pub(super) fn new(tokenizer: &'a Tokenizer, unknown: Option<Token>, text: &'a str) -> Result<Self> {
        let marks = RefCell::new(vec![GONE; text.len()]);
        let mark = |place: Range<usize>, what: u8| {
            let mut marks = marks.borrow_mut();
            marks.get_mut(place).into_iter().flatten().for_each(|mark| *mark = (*mark).max(what));
        };
        let model = tokenizer.get_model();
        let mut pieces = tokenizer.get_added_vocabulary().extract_and_normalize(tokenizer.get_normalizer(), text);
        if let Some(cut) = tokenizer.get_pre_tokenizer() {
            cut.pre_tokenize(&mut pieces)?;
        }
        for (_, (start, end), tokens) in pieces.get_splits(OffsetReferential::Original, OffsetType::Byte) {
            if tokens.is_some() {
                mark(start..end, NAMED);
            }
        }
        pieces.tokenize(|piece| {
            let mut tokens = model.tokenize(piece.get())?;
            let (start, unchanged) = (piece.offsets_original().0, piece.get() == piece.get_original());
            // Byte by byte where normalising may have taken out what stood between.
            let mark_piece = |stretch: Range<usize>, what: u8| match unchanged {
                true => mark(start + stretch.start..start + stretch.end, what),
                false => {
                    stretch.filter_map(|at| piece.convert_offsets(Within::Normalized(at..at + 1))).for_each(|place| {
                        mark(start + place.start..start + place.end, what);
                    })
                }
            };
            match model {
                ModelWrapper::BPE(bpe) if tokens.last().map_or(0, |token| token.offsets.1) < piece.len() => {
                    let kept = kept_bytes(bpe, piece.get());
                    for at in 0..piece.len() {
                        mark_piece(at..at + 1, if kept.binary_search(&at).is_ok() { NAMED } else { NAMELESS });
                    }
                    for token in &mut tokens {
                        let (start, end) = token.offsets;
                        if let (Some(&first), Some(&last)) = (kept.get(start), kept.get(end.wrapping_sub(1))) {
                            token.offsets = (first, last + 1);
                        }
                    }
                }
                _ => {
                    for token in &tokens {
                        let what = if Some(token.id) == unknown { UNKNOWN } else { NAMED };
                        mark_piece(token.offsets.0..token.offsets.1, what);
                    }
                }
            }
            Ok(tokens)
        })?;
        let encoding = pieces.into_encoding(None, 0, OffsetType::Byte)?;
        let places = encoding.get_offsets().iter().map(|&(start, end)| start..end).collect();
        Ok(Self { tokenizer, text, tokens: encoding.get_ids().to_vec(), places, marks: marks.into_inner() })
    }

    /// The tokens that start in a range of the text; prepended tokens belong to its start.
    pub(super) fn within(&self, stretch: &Range<usize>) -> Vec<Token> {
        let places = self.tokens.iter().zip(&self.places);
        places.filter(|(_, place)| stretch.contains(&place.start)).map(|(&token, _)| token).collect()
    }

    /// The tokens of disjoint ranges, and whether the vocabulary has all text between them. `None` if a token overlaps
    /// the border of a range.
    pub(crate) fn divide(&self, stretches: &[Range<usize>]) -> Option<(Vec<Vec<Token>>, bool)> {
        let mut tokens = vec![Vec::new(); stretches.len()];
        for (&token, place) in self.tokens.iter().zip(&self.places) {
            let touches = |stretch: &Range<usize>| stretch.start < place.end && place.start < stretch.end;
            let Some(at) = stretches.iter().position(touches) else { continue };
            if place.start < stretches[at].start || place.end > stretches[at].end {
                return None;
            }
            tokens[at].push(token);
        }
        let between = self
            .text
            .char_indices()
            .filter(|(at, c)| !c.is_whitespace() && !stretches.iter().any(|stretch| stretch.contains(at)));
        let known = between.map(|(at, _)| self.marks[at]).all(|mark| mark == NAMED);
        Some((tokens, known))
    }

    /// The coverage of a range of the text.
    pub(super) fn coverage(&self, stretch: Range<usize>) -> Coverage {
        let mut coverage = Coverage::default();
        let mut spaces_put_back = None;
        // White space that is judged already ends here.
        let (mut judged, mut kept) = (stretch.start, true);
        for (at, character) in self.text[stretch.clone()].char_indices().map(|(at, c)| (stretch.start + at, c)) {
            coverage.characters += 1;
            match self.marks[at] {
                UNKNOWN => coverage.unknown += 1,
                NAMED => {}
                GONE if character.is_whitespace() => {
                    if at >= judged {
                        let run = self.white_space(at);
                        judged = run.end;
                        kept = self.marks[run].iter().any(|&mark| mark != GONE)
                            || *spaces_put_back.get_or_insert_with(|| self.puts_spaces_back());
                    }
                    coverage.lost += u64::from(!kept);
                }
                GONE if self.is_composed(at, character) => {}
                _ => coverage.lost += 1,
            }
        }
        coverage
    }

    /// Whether the tokens decode to the text.
    pub(super) fn comes_back(&self) -> bool {
        let decoded = self.tokenizer.decode(&self.tokens, false).is_ok_and(|text| text == self.text);
        decoded || self.tokenizer.get_decoder().is_none() && spelled(self.tokenizer, &self.tokens) == self.text
    }

    /// The white space around a position.
    fn white_space(&self, at: usize) -> Range<usize> {
        let start = self.text[..at].trim_end().len();
        let end = self.text.len() - self.text[at..].trim_start().len();
        start..end
    }

    /// Whether decoding restores white space removed by splitting, judged from the first two words around it. Without
    /// such words, `true`.
    fn puts_spaces_back(&self) -> bool {
        let between = |pair: &[Range<usize>]| {
            let (Some(word), Some(gap), Some(next)) = (
                self.text.get(pair[0].clone()),
                self.text.get(pair[0].end..pair[1].start),
                self.text.get(pair[1].clone()),
            ) else {
                return false;
            };
            !gap.is_empty()
                && gap.chars().all(char::is_whitespace)
                && word.ends_with(char::is_alphanumeric)
                && next.starts_with(char::is_alphanumeric)
        };
        let Some(first) = self.places.windows(2).position(between) else { return true };
        let decoded = self.tokenizer.decode(&self.tokens[first..first + 2], false);
        decoded.is_ok_and(|text| text.trim().contains(char::is_whitespace))
    }

    /// Whether a character was composed with the one before: an accent, or a vowel of a Hangul syllable.
    fn is_composed(&self, at: usize, character: char) -> bool {
        let joins =
            character >= '\u{300}' && !character.is_alphanumeric() || matches!(character, '\u{1160}'..='\u{11FF}');
        let before = self.text[..at].char_indices().rev().take(4).find(|&(start, _)| self.marks[start] != GONE);
        let (true, Some((start, _))) = (joins, before) else { return false };
        let apart = &self.text[start..at + character.len_utf8()];
        NormalizedString::from(apart).nfc().get().chars().count() < apart.chars().count()
    }
}

/// The names of tokens one after another.
pub(super) fn spelled(tokenizer: &Tokenizer, tokens: &[Token]) -> String {
    tokens.iter().filter_map(|&token| tokenizer.id_to_token(token)).collect()
}

/// The bytes of a piece with tokens in a byte-pair encoding. Without an unknown token it skips the others, and its
/// offsets do not count them.
fn kept_bytes(model: &BPE, piece: &str) -> Vec<usize> {
    let affix = |affix: &Option<String>, there: bool| affix.clone().filter(|_| there).unwrap_or_default();
    let mut kept = Vec::new();
    for (at, character) in piece.char_indices() {
        let end = at + character.len_utf8();
        let name = format!(
            "{}{character}{}",
            affix(&model.continuing_subword_prefix, at > 0),
            affix(&model.end_of_word_suffix, end == piece.len())
        );
        let known = |name: &str| model.token_to_id(name).is_some();
        if known(&name) || model.byte_fallback && name.bytes().all(|byte| known(&format!("<0x{byte:02X}>"))) {
            kept.extend(at..end);
        }
    }
    kept
}
