//! Similarity between texts.

use std::collections::HashMap;

use crate::{Bootstrap, JudgeError, Score, TextJudge, Texts};

/// Self-BLEU-4: BLEU of each text against all others, by n-grams of 1 to 4 characters, averaged.
///
/// BLEU is the geometric mean of the four shares of n-grams that another text has, each clipped at its maximal count in
/// one text. It is multiplied by `e^(1 − r/c)` if the text of `c` characters is shorter than `r`, the nearest length.
/// It is 0 if a share is 0. High values mean similar texts; it grows with their number and length.
///
/// K. Papineni and others, "BLEU", 2002; Y. Zhu and others, "Texygen", 2018.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SelfBleu {
    /// Maximal number of compared texts.
    pub texts: usize,
}

/// Length of the longest n-grams, in characters.
const LONGEST: usize = 4;

impl Default for SelfBleu {
    /// 128 texts.
    fn default() -> Self {
        Self { texts: 128 }
    }
}

impl TextJudge for SelfBleu {
    fn judge(&self, texts: &Texts, bootstrap: &Bootstrap) -> Result<Vec<Score>, JudgeError> {
        let rows: Vec<&[char]> = texts.iter().take(self.texts).collect();
        if rows.len() < 2 {
            return Err(JudgeError::TooFew { what: "texts to compare", found: rows.len(), expected: 2 });
        }
        let mut logarithms = vec![0.0; rows.len()];
        for n in 1..=LONGEST {
            let shares = shared(&rows, n);
            logarithms.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share.ln() / LONGEST as f64);
        }
        let scores: Vec<f64> = (0..rows.len()).map(|row| (logarithms[row] + brevity(&rows, row)).exp()).collect();
        Ok(vec![Score::of(format!("self-BLEU-{LONGEST}"), bootstrap.mean(&scores), "share")])
    }
}

/// The share of each row's n-grams that another row has, shape `[row]`.
fn shared(rows: &[&[char]], n: usize) -> Vec<f64> {
    let count = |row: &&[char]| {
        let mut counts: HashMap<Vec<char>, usize> = HashMap::new();
        row.windows(n).for_each(|gram| *counts.entry(gram.to_vec()).or_default() += 1);
        counts
    };
    let counts: Vec<_> = rows.iter().map(count).collect();
    // Of each n-gram the two highest counts, and the row of the highest.
    let mut highest: HashMap<&[char], (usize, usize, usize)> = HashMap::new();
    for (row, counts) in counts.iter().enumerate() {
        for (gram, &count) in counts {
            let entry = highest.entry(gram).or_insert((0, 0, row));
            *entry = match *entry {
                (first, _, _) if count > first => (count, first, row),
                (first, second, owner) => (first, second.max(count), owner),
            };
        }
    }
    let share = |(row, counts): (usize, &HashMap<Vec<char>, usize>)| {
        let elsewhere = |gram: &[char]| match highest[gram] {
            (_, second, owner) if owner == row => second,
            (first, ..) => first,
        };
        let found: usize = counts.iter().map(|(gram, &count)| count.min(elsewhere(gram))).sum();
        found as f64 / counts.values().sum::<usize>().max(1) as f64
    };
    counts.iter().enumerate().map(share).collect()
}

/// The logarithm of the brevity penalty.
fn brevity(rows: &[&[char]], row: usize) -> f64 {
    let length = rows[row].len();
    let others = rows.iter().enumerate().filter(|(other, _)| *other != row).map(|(_, other)| other.len());
    let next = others.min_by_key(|other| (other.abs_diff(length), *other)).unwrap_or(length);
    (1.0 - next as f64 / length as f64).min(0.0)
}
