//! Repetition within texts.

use std::collections::HashSet;

use crate::{Bootstrap, JudgeError, Score, TextJudge, Texts};

/// The share of character n-grams that occurred earlier in the same text, over all texts.
///
/// It grows with the length of the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeats {
    /// Characters of an n-gram, at least 1.
    pub length: usize,
}

impl TextJudge for Repeats {
    fn judge(&self, texts: &Texts, bootstrap: &Bootstrap) -> Result<Vec<Score>, JudgeError> {
        texts.check_rows()?;
        let row = |text: &[char]| {
            let grams = text.windows(self.length);
            let (all, different) = (grams.len(), grams.collect::<HashSet<_>>().len());
            ((all - different) as f64, all as f64)
        };
        let rows: Vec<_> = texts.iter().map(row).collect();
        Ok(vec![Score::of(format!("repeated {}-grams", self.length), bootstrap.ratio(&rows), "share")])
    }
}
