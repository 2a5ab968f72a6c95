//! The text around a passage of a long document.

use super::split::Assigned;

/// Minimal number of bytes from each side.
const LEAST: usize = 256;
/// Minimal share of the passage's length from each side, because a passage cut within a line is long, and so may be its
/// words.
const PART: usize = 32;

/// The text on both sides of a passage that can affect its tokens. Empty at the ends of a document, or if the neighbour
/// is in the other split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Surroundings<'a> {
    pub(super) before: &'a str,
    pub(super) after: &'a str,
}

impl<'a> Surroundings<'a> {
    /// Of a passage between the one before and the one behind.
    pub(super) fn new(before: Option<&'a Assigned>, passage: &Assigned, after: Option<&'a Assigned>) -> Self {
        let reach = (passage.passage.text.len() / PART).max(LEAST);
        let joined = |first: &Assigned, second: &Assigned| {
            second.passage.continues && first.index + 1 == second.index && first.validation == second.validation
        };
        let before = before.filter(|before| joined(before, passage)).map(|before| tail(&before.passage.text, reach));
        let after = after.filter(|after| joined(passage, after)).map(|after| head(&after.passage.text, reach));
        Self { before: before.unwrap_or_default(), after: after.unwrap_or_default() }
    }
}

/// The last bytes of a text, starting with a character other than a space, because some tokenizers strip a leading
/// space.
fn tail(text: &str, bytes: usize) -> &str {
    let cut = &text[text.ceil_char_boundary(text.len().saturating_sub(bytes))..];
    let trimmed = cut.trim_start();
    if trimmed.is_empty() { cut } else { trimmed }
}

/// The first bytes of a text.
fn head(text: &str, bytes: usize) -> &str {
    let cut = &text[..text.floor_char_boundary(bytes)];
    let trimmed = cut.trim_end();
    if trimmed.is_empty() { cut } else { trimmed }
}
