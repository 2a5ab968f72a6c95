//! Spelling of words.

use std::collections::HashSet;

use crate::{Bootstrap, JudgeError, Score, TextJudge, Texts};

/// The share of words that occur in the training text: by words, and by letters, which weights long invented words
/// more.
///
/// A word is a run of letters and digits, ignoring case. Words at the ends of a text may be cut and are omitted.
/// Shuffled words are spelled perfectly.
#[derive(Debug, Clone)]
pub struct Spelling {
    vocabulary: HashSet<String>,
}

impl Spelling {
    /// Collects the words of training texts.
    pub fn new(training: &Texts) -> Self {
        Self { vocabulary: training.iter().flat_map(|text| words(text).map(|(_, word)| word)).collect() }
    }
}

impl TextJudge for Spelling {
    fn judge(&self, texts: &Texts, bootstrap: &Bootstrap) -> Result<Vec<Score>, JudgeError> {
        texts.check_rows()?;
        let count = |weight: &dyn Fn(&str) -> usize| -> Vec<(f64, f64)> {
            let row = |text: &[char]| {
                let whole = words(text).filter(|(cut, _)| !cut);
                whole.fold((0.0, 0.0), |(known, all), (_, word)| {
                    let weight = weight(&word) as f64;
                    (known + if self.vocabulary.contains(&word) { weight } else { 0.0 }, all + weight)
                })
            };
            texts.iter().map(row).collect()
        };
        let by_words = bootstrap.ratio(&count(&|_| 1));
        let by_letters = bootstrap.ratio(&count(&|word| word.chars().count()));
        Ok(vec![
            Score::of("spelling", by_words, "share of words"),
            Score::of("spelled letters", by_letters, "share of letters"),
        ])
    }
}

/// Words in lower case, and whether they touch an end.
fn words(text: &[char]) -> impl Iterator<Item = (bool, String)> {
    let mut end = 0;
    let runs = text.chunk_by(|a, b| a.is_alphanumeric() == b.is_alphanumeric());
    runs.filter_map(move |run| {
        let start = end;
        end += run.len();
        let word = || run.iter().flat_map(|letter| letter.to_lowercase()).collect();
        run[0].is_alphanumeric().then(|| (start == 0 || end == text.len(), word()))
    })
}
