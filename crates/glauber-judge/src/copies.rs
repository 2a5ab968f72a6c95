//! Text copied from the training text.

use glauber_tokens::Token;

use crate::alphabet::Alphabet;
use crate::{Bootstrap, JudgeError, Score, TextJudge, Texts};

/// Characters of a run that counts as copied.
const RUN: usize = 20;
/// Maximal length of runs; longer runs count as this.
const LONGEST: usize = 512;

/// Runs of characters that also occur in the training text: the longest over all texts, the mean longest per text, and
/// the share of 20-grams.
///
/// Held-out text also has some, such as common phrases. Runs longer than 512 characters count as 512.
#[derive(Debug, Clone)]
pub struct Copies {
    alphabet: Alphabet,
    /// The training texts, each followed by a separator token.
    text: Vec<Token>,
    /// Suffix array of the text, sorted by the first [`LONGEST`] tokens.
    suffixes: Vec<u32>,
}

impl Copies {
    /// Sorts the suffixes of training texts.
    ///
    /// # Panics
    /// When the texts have 2³² characters or more.
    pub fn new(training: &Texts) -> Self {
        let alphabet = Alphabet::of(training);
        let end = alphabet.unknown() + 1;
        let ended = |text: &[char]| [alphabet.encode(text), vec![end]].concat();
        let text = training.iter().map(ended).collect::<Vec<_>>().concat();
        let suffixes = sorted_suffixes(&text, end);
        Self { alphabet, text, suffixes }
    }

    /// Length of the longest prefix that occurs in the training text.
    fn copied(&self, tokens: &[Token]) -> usize {
        let sought = &tokens[..tokens.len().min(LONGEST)];
        let at = self.suffixes.partition_point(|&start| self.suffix(start) < sought);
        // The longest match is with a neighbour in the order.
        let neighbours = self.suffixes[at.saturating_sub(1)..].iter().take(2);
        let common = |&start: &u32| self.suffix(start).iter().zip(sought).take_while(|(a, b)| a == b).count();
        neighbours.map(common).max().unwrap_or(0)
    }

    fn suffix(&self, start: u32) -> &[Token] {
        beginning(&self.text, start)
    }
}

fn beginning(text: &[Token], start: u32) -> &[Token] {
    let rest = &text[start as usize..];
    &rest[..rest.len().min(LONGEST)]
}

fn sorted_suffixes(text: &[Token], most: Token) -> Vec<u32> {
    assert!(u32::try_from(text.len()).is_ok(), "a text below 2³² characters");
    // First by as many tokens as fit in 64 bits, then those that are equal.
    let bits = most.max(1).ilog2() + 1;
    let highest = (64 / bits - 1) * bits;
    let mut key = 0;
    let pack = |(start, &token): (usize, &Token)| {
        key = key >> bits | u64::from(token) << highest;
        (key, start as u32)
    };
    let mut keys: Vec<(u64, u32)> = text.iter().enumerate().rev().map(pack).collect();
    keys.sort_unstable();
    for equal in keys.chunk_by_mut(|a, b| a.0 == b.0).filter(|equal| equal.len() > 1) {
        equal.sort_unstable_by(|a, b| beginning(text, a.1).cmp(beginning(text, b.1)));
    }
    keys.into_iter().map(|(_, start)| start).collect()
}

impl TextJudge for Copies {
    fn judge(&self, texts: &Texts, bootstrap: &Bootstrap) -> Result<Vec<Score>, JudgeError> {
        texts.check_rows()?;
        let row = |text: &[char]| {
            let tokens = self.alphabet.encode(text);
            let lengths: Vec<usize> = (0..tokens.len()).map(|start| self.copied(&tokens[start..])).collect();
            let runs = (tokens.len() + 1).saturating_sub(RUN);
            let copied = lengths.iter().filter(|&&length| length >= RUN).count();
            (lengths.into_iter().max().unwrap_or(0) as f64, (copied as f64, runs as f64))
        };
        let (longest, runs): (Vec<f64>, Vec<_>) = texts.iter().map(row).unzip();
        let most = longest.iter().copied().fold(0.0, f64::max);
        Ok(vec![
            Score { name: "longest copy".into(), value: most, standard_error: None, unit: "characters" },
            Score::of("mean copy", bootstrap.mean(&longest), "characters"),
            Score::of(format!("copied {RUN}-grams"), bootstrap.ratio(&runs), "share"),
        ])
    }
}
