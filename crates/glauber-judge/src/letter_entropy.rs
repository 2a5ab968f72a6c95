//! Entropy of characters within texts.

use std::collections::BTreeMap;

use crate::{Bootstrap, JudgeError, Score, TextJudge, Texts};

/// The entropy of a text's own characters, `−Σ f log₂ f` over their frequencies within it, in bits;
/// averaged over texts.
///
/// Read it together with likelihoods, because a low temperature improves them and lowers this entropy. It depends on
/// the length of the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterEntropy;

impl TextJudge for LetterEntropy {
    fn judge(&self, texts: &Texts, bootstrap: &Bootstrap) -> Result<Vec<Score>, JudgeError> {
        texts.check_rows()?;
        let entropies: Vec<f64> = texts.iter().map(entropy).collect();
        Ok(vec![Score::of("entropy", bootstrap.mean(&entropies), "bits")])
    }
}

fn entropy(text: &[char]) -> f64 {
    let mut counts: BTreeMap<char, f64> = BTreeMap::new();
    text.iter().for_each(|&character| *counts.entry(character).or_default() += 1.0);
    let share = |count: &f64| count / text.len() as f64;
    counts.values().map(|count| -share(count) * share(count).log2()).sum()
}
