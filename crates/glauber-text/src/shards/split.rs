//! The split of passages into training and validation.

use crate::{Passage, TextError};

/// A passage with its index in the corpus and its split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Assigned {
    pub(super) index: u64,
    pub(super) passage: Passage,
    pub(super) validation: bool,
}

/// The choice of validation passages. The corpus is divided into as many equal ranges as validation passages, and one
/// passage per range is chosen by a hash of seed and range. The share is thus exact, and validation covers all parts of
/// the corpus.
#[derive(Debug, Clone)]
pub(super) struct Division {
    passages: u64,
    validation: u64,
    fraction: f64,
    seed: u64,
}

impl Division {
    /// The choice for a corpus of `passages` passages.
    pub(super) fn new(passages: u64, fraction: f64, seed: u64) -> Self {
        let wanted = (passages as f64 * fraction).round() as u64;
        let validation = match passages {
            _ if fraction == 0.0 => 0,
            // A single passage is cut instead.
            0 | 1 => 0,
            _ => wanted.clamp(1, passages - 1),
        };
        Self { passages, validation, fraction, seed }
    }

    /// Assigns the passages of the corpus, in order.
    pub(super) fn assign<I>(self, passages: I) -> impl Iterator<Item = Result<Assigned, TextError>>
    where
        I: Iterator<Item = Result<Passage, TextError>>,
    {
        let cut = self.passages == 1 && self.fraction > 0.0;
        (0..).zip(passages).flat_map(move |(index, passage)| match passage {
            Err(error) => vec![Err(error)],
            Ok(passage) if cut => cut_in_two(passage, 1.0 - self.fraction),
            Ok(passage) => vec![Ok(Assigned { index, passage, validation: self.is_validation(index) })],
        })
    }

    fn is_validation(&self, index: u64) -> bool {
        if self.validation == 0 {
            return false;
        }
        let (passages, validation) = (u128::from(self.passages), u128::from(self.validation));
        // Stretch j holds the passages from ⌊j n / m⌋ to ⌊(j + 1) n / m⌋ exclusively.
        let start = |stretch: u128| stretch * passages / validation;
        let stretch = ((u128::from(index) + 1) * validation - 1) / passages;
        let width = start(stretch + 1) - start(stretch);
        let drawn = start(stretch) + u128::from(hash(self.seed, stretch as u64)) % width;
        u128::from(index) == drawn
    }
}

fn hash(seed: u64, stretch: u64) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes()).update(&stretch.to_le_bytes());
    hasher.finalize().as_bytes()[..8].iter().fold(0, |bits, &byte| bits << 8 | u64::from(byte))
}

/// The leading part of the only passage for training, the rest for validation.
fn cut_in_two(mut passage: Passage, share: f64) -> Vec<Result<Assigned, TextError>> {
    let rest = passage.text.split_off(cut_point(&passage.text, share));
    let rest = Passage { text: rest, continues: false };
    [(0, passage, false), (1, rest, true)]
        .into_iter()
        .filter(|(_, passage, _)| !passage.text.is_empty())
        .map(|(index, passage, validation)| Ok(Assigned { index, passage, validation }))
        .collect()
}

/// Where to split: after the last white space before the share, else at that character. With at least two characters,
/// neither part is empty.
fn cut_point(text: &str, share: f64) -> usize {
    let target = text.floor_char_boundary((text.len() as f64 * share).round() as usize);
    let first = text.chars().next().map_or(0, char::len_utf8);
    let last = text.char_indices().next_back().map_or(0, |(at, _)| at);
    let word = text[..target].trim_end_matches(|c: char| !c.is_whitespace()).len();
    let cut = if word > 0 { word } else { target };
    cut.min(last).max(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assign(texts: &[&str], fraction: f64, seed: u64) -> Vec<Assigned> {
        let passages = texts.iter().map(|&text| Ok(Passage { text: text.to_owned(), continues: false }));
        Division::new(texts.len() as u64, fraction, seed).assign(passages).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn the_share_is_met_and_both_sides_have_a_passage() {
        for passages in 2..60u64 {
            for fraction in [0.001, 0.05, 0.3, 0.5, 0.77, 0.999] {
                for seed in 0..5 {
                    let split = Division::new(passages, fraction, seed);
                    let chosen = (0..passages).filter(|&index| split.is_validation(index)).count() as u64;
                    let expected = (passages as f64 * fraction).round() as u64;
                    assert_eq!(chosen, expected.clamp(1, passages - 1), "{passages} {fraction} {seed}");
                }
            }
        }
    }

    #[test]
    fn every_place_is_as_likely() {
        let mut counts = [0u32; 20];
        for seed in 0..20_000 {
            let split = Division::new(20, 0.05, seed);
            (0..20).filter(|&index| split.is_validation(index)).for_each(|index| counts[index as usize] += 1);
        }
        // Five standard deviations of a binomial.
        let allowed = 5.0 * (20_000.0 * 0.05 * 0.95_f64).sqrt();
        assert!(counts.iter().all(|&count| (f64::from(count) - 1000.0).abs() < allowed), "{counts:?}");
    }

    #[test]
    fn the_seed_decides() {
        let sides = |seed| assign(&["x"; 40], 0.25, seed).iter().map(|a| a.validation).collect::<Vec<_>>();
        assert_eq!(sides(1), sides(1));
        assert_ne!(sides(1), sides(2));
        // Pinned: a change of the draw would move passages between the sides of prepared corpora.
        let places: Vec<usize> = (0..40).filter(|&index| sides(0)[index]).collect();
        assert_eq!(places, [3, 5, 9, 13, 17, 21, 26, 29, 33, 37]);
    }

    #[test]
    fn a_single_passage_is_cut_at_a_word() {
        let text = "one two three four five six seven eight nine ten";
        let split = assign(&[text], 0.25, 0);
        let texts: Vec<&str> = split.iter().map(|a| a.passage.text.as_str()).collect();
        assert_eq!(texts, ["one two three four five six seven ", "eight nine ten"]);
        assert!(!split[0].validation && split[1].validation);
        assert_eq!(assign(&["é"], 0.5, 0).len(), 1);
        assert_eq!(assign(&["éé"], 0.01, 0).len(), 2);
        assert_eq!(assign(&["unbroken"], 0.5, 0)[0].passage.text, "unbr");
        assert_eq!(assign(&[text], 0.0, 0).len(), 1);
    }
}
