//! Diversity of samples.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use glauber_chain::statistics::Estimate;
use glauber_tokens::TokenBatch;

use crate::{Bootstrap, Judge, JudgeError, Score, TextJudge, Texts};

/// Distinct-1, distinct-2 and so on: the number of different n-grams divided by that of all n-grams in the samples.
///
/// The shares fall with the number and length of samples, so compare sets of equal size. Noise has higher shares than
/// data, and repetitive samples lower ones. Errors are the jackknife's, because bootstrap duplicates would add no
/// n-grams.
///
/// J. Li and others, "A Diversity-Promoting Objective Function for Neural Conversation Models", 2016.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distinct {
    /// Length of the longest n-grams, in tokens or characters.
    pub longest: usize,
}

impl Distinct {
    fn scores<T: Eq + Hash>(self, rows: &[&[T]]) -> Result<Vec<Score>, JudgeError> {
        let Some(len) = rows.iter().map(|row| row.len()).min() else { return Err(JudgeError::Empty) };
        if len < self.longest {
            return Err(JudgeError::Short { len, longest: self.longest });
        }
        Ok((1..=self.longest).map(|n| Score::of(format!("distinct-{n}"), share(rows, n), "share")).collect())
    }
}

impl Judge for Distinct {
    fn name(&self) -> String {
        "distinct n-grams".into()
    }

    fn judge(&self, samples: &TokenBatch) -> Result<Vec<Score>, JudgeError> {
        self.scores(&samples.iter().collect::<Vec<_>>())
    }
}

impl TextJudge for Distinct {
    fn judge(&self, texts: &Texts, _: &Bootstrap) -> Result<Vec<Score>, JudgeError> {
        self.scores(&texts.iter().collect::<Vec<_>>())
    }
}

/// The share of distinct n-grams, and its jackknife error from leaving out each row.
fn share<T: Eq + Hash>(rows: &[&[T]], n: usize) -> Estimate {
    let grams = |row: usize| rows[row].windows(n);
    // How many rows have an n-gram, and the first of them.
    let mut having: HashMap<&[T], (usize, usize)> = HashMap::new();
    for row in 0..rows.len() {
        for gram in grams(row).collect::<HashSet<_>>() {
            having.entry(gram).or_insert((0, row)).0 += 1;
        }
    }
    let mut own = vec![0; rows.len()];
    having.values().filter(|(count, _)| *count == 1).for_each(|&(_, row)| own[row] += 1);
    let all: usize = (0..rows.len()).map(|row| grams(row).len()).sum();
    let without = |row: usize| (having.len() - own[row]) as f64 / (all - grams(row).len()) as f64;
    // The jackknife's error is that of a mean, times one less than the number of rows.
    let left = Estimate::independent(&(0..rows.len()).map(without).collect::<Vec<_>>());
    Estimate { mean: having.len() as f64 / all as f64, standard_error: left.standard_error * (rows.len() as f64 - 1.0) }
}
