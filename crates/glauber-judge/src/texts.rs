//! Texts as rows of characters.

use serde::Deserialize;

use crate::JudgeError;

/// Texts for scoring or fitting, each a row of characters.
///
/// Characters are common to all vocabularies: letters, bytes and pieces of words are decoded first. Many scores depend
/// on the number and length of texts, so compare [cut](Self::cut) texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Texts(Vec<Vec<char>>);

impl<S: AsRef<str>> FromIterator<S> for Texts {
    fn from_iter<I: IntoIterator<Item = S>>(texts: I) -> Self {
        Self(texts.into_iter().map(|text| text.as_ref().chars().collect()).collect())
    }
}

impl Texts {
    /// Texts that are already characters.
    pub fn from_characters(rows: Vec<Vec<char>>) -> Self {
        Self(rows)
    }

    /// One text per line; skips empty lines.
    pub fn from_lines(lines: &str) -> Self {
        lines.lines().filter(|line| !line.is_empty()).collect()
    }

    /// One JSON value per line: a string, or an object with a string `text`. Skips empty lines.
    ///
    /// # Errors
    /// [`JudgeError::Line`] for a line that is neither.
    pub fn from_json_lines(lines: &str) -> Result<Self, JudgeError> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Line {
            Text(String),
            Object { text: String },
        }
        let texts = lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(|(number, line)| {
            match serde_json::from_str(line) {
                Ok(Line::Text(text) | Line::Object { text }) => Ok(text),
                Err(_) => Err(JudgeError::Line { number: number + 1 }),
            }
        });
        texts.collect()
    }

    /// Disjoint windows of `len` characters, evenly spaced over the texts.
    ///
    /// # Errors
    /// [`JudgeError::TooFew`] when the texts have fewer windows.
    ///
    /// # Panics
    /// When `len` is 0.
    pub fn windows(&self, count: usize, len: usize) -> Result<Self, JudgeError> {
        let all: Vec<&[char]> = self.iter().flat_map(|text| text.chunks_exact(len)).collect();
        if all.len() < count {
            return Err(JudgeError::TooFew { what: "disjoint windows of the text", found: all.len(), expected: count });
        }
        Ok(Self((0..count).map(|window| all[(2 * window + 1) * all.len() / (2 * count)].to_vec()).collect()))
    }

    /// The first `len` characters of all texts that are long enough.
    pub fn cut(&self, len: usize) -> Self {
        Self(self.iter().filter_map(|text| text.get(..len)).map(<[char]>::to_vec).collect())
    }

    /// The first texts, at most `count`.
    pub fn first(&self, count: usize) -> Self {
        Self(self.iter().take(count).map(<[char]>::to_vec).collect())
    }

    /// Number of texts.
    pub fn rows(&self) -> usize {
        self.0.len()
    }

    /// Number of characters of all texts.
    pub fn characters(&self) -> usize {
        self.iter().map(<[char]>::len).sum()
    }

    /// The texts, shape `[row][character]`.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[char]> + Clone {
        self.0.iter().map(Vec::as_slice)
    }

    pub(crate) fn check_rows(&self) -> Result<(), JudgeError> {
        if self.rows() == 0 { Err(JudgeError::Empty) } else { Ok(()) }
    }
}
