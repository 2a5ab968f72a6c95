//! Text reduced to 27 symbols: the alphabet of Shannon's experiments.

use std::path::PathBuf;

use anyhow::ensure;
use glauber_chain::ChainRng;
use glauber_text::{Corpus, CorpusConfig};
use glauber_tokens::Token;
use glauber_train::{SequenceSource, TrainError};

/// Token 0 is the space, 1 to 26 are the letters: the order of their code points.
pub const ALPHABET: &str = " abcdefghijklmnopqrstuvwxyz";

/// One stretch in so many is held out.
const STRETCHES: usize = 20;
/// Symbols of a stretch, at most.
const STRETCH: usize = 8192;

/// A stream of symbols.
pub struct Letters {
    /// Stretches of text, each of symbols that follow each other.
    parts: Vec<Vec<Token>>,
    counts: Vec<u64>,
}

impl Letters {
    /// Reads files: training and held-out stretches, the latter spread evenly over all of the text.
    pub fn read(paths: &[PathBuf], length: usize) -> anyhow::Result<[Self; 2]> {
        let corpus = Corpus::open(&CorpusConfig::new(paths))?;
        let mut symbols = Vec::new();
        for passage in corpus.documents() {
            reduce(&passage?.text, &mut symbols);
        }
        let stretch = (symbols.len() / STRETCHES).min(STRETCH);
        ensure!(
            stretch >= length,
            "`--data`: {} letters and spaces, expected at least {}: give more text",
            symbols.len(),
            length * STRETCHES
        );
        Ok(divide(&symbols, stretch))
    }

    fn new(parts: Vec<Vec<Token>>) -> Self {
        let mut counts = vec![0; ALPHABET.len()];
        parts.iter().flatten().for_each(|&token| counts[token as usize] += 1);
        Self { parts, counts }
    }

    /// Counts of symbols, shape `[token]`.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Symbols in all.
    pub fn symbols(&self) -> usize {
        self.parts.iter().map(Vec::len).sum()
    }
}

/// Appends a text in lower case; other characters than letters become one space.
fn reduce(text: &str, symbols: &mut Vec<Token>) {
    for character in text.chars() {
        let symbol = ALPHABET.find(character.to_ascii_lowercase()).unwrap_or(0) as Token;
        if symbol != 0 || symbols.last() != Some(&0) {
            symbols.push(symbol);
        }
    }
}

/// Training and held-out stretches; training stretches that follow each other are one.
fn divide(symbols: &[Token], stretch: usize) -> [Letters; 2] {
    let (mut train, mut held_out): (Vec<Vec<Token>>, Vec<Vec<Token>>) = (vec![Vec::new()], Vec::new());
    for (index, part) in symbols.chunks(stretch).enumerate() {
        if index % STRETCHES == STRETCHES / 2 {
            held_out.push(part.to_vec());
            train.push(Vec::new());
        } else if let Some(last) = train.last_mut() {
            last.extend_from_slice(part);
        }
    }
    [train, held_out].map(Letters::new)
}

impl SequenceSource for Letters {
    /// A window at a uniform position within one contiguous range.
    fn draw(&self, rng: &mut ChainRng, out: &mut [Token]) -> Result<Option<usize>, TrainError> {
        let windows = |part: &Vec<Token>| (part.len() + 1).saturating_sub(out.len());
        let mut at = rng.below(self.parts.iter().map(windows).sum());
        for part in &self.parts {
            if at < windows(part) {
                out.copy_from_slice(&part[at..][..out.len()]);
                break;
            }
            at -= windows(part);
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols(text: &str) -> String {
        let mut symbols = Vec::new();
        reduce(text, &mut symbols);
        symbols.iter().map(|&token| ALPHABET.as_bytes()[token as usize] as char).collect()
    }

    #[test]
    fn whatever_is_no_letter_is_one_space() {
        assert_eq!(symbols("It's 4 o'clock --\n\nEmma, é!"), "it s o clock emma ");
        assert_eq!(symbols("aZ"), "az");
    }

    #[test]
    fn nothing_is_on_both_sides_and_windows_do_not_cross() {
        // Stretches that differ: symbol `n mod 27` throughout.
        let symbols: Vec<Token> = (0..60 * 8).map(|at| (at / 8 % 27) as Token).collect();
        let [train, held_out] = divide(&symbols, 8);
        assert_eq!((train.symbols(), held_out.symbols()), (57 * 8, 3 * 8));
        assert_eq!(held_out.parts, [vec![10; 8], vec![3; 8], vec![23; 8]]);
        let mut rng = ChainRng::new(1, 0);
        let mut out = [0; 8];
        for _ in 0..200 {
            held_out.draw(&mut rng, &mut out).unwrap();
            assert!([10, 3, 23].contains(&out[0]) && out == [out[0]; 8]);
            train.draw(&mut rng, &mut out).unwrap();
            let step = |pair: &[Token]| (pair[1] + 27 - pair[0]) % 27;
            assert!(out.windows(2).all(|pair| step(pair) <= 1), "{out:?} crosses a gap");
        }
    }
}
