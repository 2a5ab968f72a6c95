//! Which passages are for training and which for validation.

use std::collections::VecDeque;
use std::iter::Peekable;

use crate::{Passage, TextError};

/// A passage with its place in the corpus and its split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assigned {
    pub(super) index: u64,
    pub(super) passage: Passage,
    pub(super) validation: bool,
}

/// Assigns passages by the hash of their text and a seed, so that equal texts land on one side. If that leaves a side empty, the
/// last passage goes there; a single passage is cut in two.
pub(super) struct Assigner<I: Iterator> {
    passages: Peekable<I>,
    ready: VecDeque<Assigned>,
    fraction: f64,
    seed: u64,
    index: u64,
    /// Passages assigned to training and to validation.
    assigned: [u64; 2],
}

impl<I: Iterator<Item = Result<Passage, TextError>>> Assigner<I> {
    pub(super) fn new(passages: I, fraction: f64, seed: u64) -> Self {
        Self { passages: passages.peekable(), ready: VecDeque::new(), fraction, seed, index: 0, assigned: [0; 2] }
    }

    fn assign(&mut self, passage: Passage) -> Option<Assigned> {
        let last = self.passages.peek().is_none();
        let mut validation = uniform(self.seed, &passage.text) < self.fraction;
        if last && self.fraction > 0.0 {
            match self.assigned {
                [0, 0] => return self.cut(passage),
                [0, _] => validation = false,
                [_, 0] => validation = true,
                _ => {}
            }
        }
        self.emit(passage, validation);
        self.ready.pop_front()
    }

    /// The leading part of the only passage for training, the rest for validation.
    fn cut(&mut self, mut passage: Passage) -> Option<Assigned> {
        let text = passage.text.split_off(cut_point(&passage.text, 1.0 - self.fraction));
        for (passage, validation) in [(passage, false), (Passage { text, continues: false }, true)] {
            if !passage.text.is_empty() {
                self.emit(passage, validation);
            }
        }
        self.ready.pop_front()
    }

    fn emit(&mut self, passage: Passage, validation: bool) {
        self.assigned[usize::from(validation)] += 1;
        self.ready.push_back(Assigned { index: self.index, passage, validation });
        self.index += 1;
    }
}

impl<I: Iterator<Item = Result<Passage, TextError>>> Iterator for Assigner<I> {
    type Item = Result<Assigned, TextError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(assigned) = self.ready.pop_front() {
            return Some(Ok(assigned));
        }
        match self.passages.next()? {
            Ok(passage) => self.assign(passage).map(Ok),
            Err(error) => Some(Err(error)),
        }
    }
}

/// A number in `[0, 1)` from the text and the seed.
fn uniform(seed: u64, text: &str) -> f64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(text.as_bytes());
    let hash = hasher.finalize();
    let bits = hash.as_bytes()[..8].iter().fold(0u64, |bits, &byte| bits << 8 | u64::from(byte));
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// Where to cut: behind the last white space before the share, else at the character there, but never before the first character
/// nor behind the last one if there are two.
fn cut_point(text: &str, share: f64) -> usize {
    let target = text.floor_char_boundary((text.len() as f64 * share).round() as usize);
    let first = text.chars().next().map_or(0, char::len_utf8);
    let last = text.char_indices().next_back().map_or(0, |(at, _)| at);
    let word =
        text[..target].rfind(char::is_whitespace).map(|at| at + text[at..].chars().next().map_or(0, char::len_utf8));
    word.unwrap_or(target).min(last).max(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assign(texts: &[&str], fraction: f64, seed: u64) -> Vec<Assigned> {
        let passages = texts.iter().map(|&text| Ok(Passage { text: text.to_owned(), continues: false }));
        Assigner::new(passages, fraction, seed).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn every_seed_leaves_both_sides_a_passage() {
        for seed in 0..200 {
            for texts in [&["a", "b"][..], &["a", "b", "c"]] {
                for fraction in [0.01, 0.5, 0.99] {
                    let split = assign(texts, fraction, seed);
                    assert_eq!(split.len(), texts.len());
                    assert!(split.iter().any(|a| a.validation) && split.iter().any(|a| !a.validation));
                }
            }
        }
    }

    #[test]
    fn the_share_of_validation_is_the_fraction() {
        let texts: Vec<String> = (0..20_000).map(|i| format!("document {i}")).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let validation = assign(&texts, 0.05, 7).iter().filter(|a| a.validation).count() as f64;
        // Five standard deviations of a binomial.
        assert!((validation - 1000.0).abs() < 5.0 * (20_000.0 * 0.05 * 0.95_f64).sqrt(), "{validation}");
    }

    #[test]
    fn equal_texts_are_on_one_side_and_seeds_differ() {
        let split = assign(&["x", "y", "x", "x", "z", "w"], 0.5, 3);
        assert!(split[0].validation == split[2].validation && split[2].validation == split[3].validation);
        let sides = |seed| {
            assign(&["a", "b", "c", "d", "e", "f", "g", "h"], 0.5, seed)
                .iter()
                .map(|a| a.validation)
                .collect::<Vec<_>>()
        };
        assert_eq!(sides(1), sides(1));
        assert!((2..10).any(|seed| sides(seed) != sides(1)));
    }

    #[test]
    fn a_single_passage_is_cut_at_a_word() {
        let text = "one two three four five six seven eight nine ten";
        let split = assign(&[text], 0.25, 0);
        let texts: Vec<&str> = split.iter().map(|a| a.passage.text.as_str()).collect();
        assert_eq!(texts, ["one two three four five six seven ", "eight nine ten"]);
        assert_eq!(assign(&["é"], 0.5, 0).len(), 1);
        assert_eq!(assign(&["éé"], 0.01, 0).len(), 2);
        assert_eq!(assign(&[text], 0.0, 0).len(), 1);
    }
}
