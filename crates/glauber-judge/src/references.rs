//! Reference texts.

use glauber_chain::ChainRng;

use crate::{JudgeError, TextNgram, TextSettings, Texts};

/// Context lengths of the n-grams that generate reference rows, in characters.
const ORDERS: [usize; 3] = [5, 3, 1];

/// References for samples: named rows of windows of equal length, held-out text first. Also further real texts, for
/// judges that train a classifier against samples.
pub(crate) struct References {
    pub rows: Vec<(String, Texts)>,
    pub real: Texts,
}

impl References {
    pub fn new(training: &Texts, held_out: &Texts, settings: &TextSettings) -> Result<Self, JudgeError> {
        let TextSettings { windows, len, seed, .. } = *settings;
        let both = held_out.windows(2 * windows, len)?;
        let every_other =
            |first| Texts::from_characters(both.iter().skip(first).step_by(2).map(<[_]>::to_vec).collect());
        let mut rows = vec![
            ("held-out text".to_owned(), every_other(0)),
            ("training text".to_owned(), training.windows(windows, len)?),
        ];
        for order in ORDERS {
            let written = TextNgram::fit(order, training)?.sample(windows, len, seed);
            rows.push((format!("order-{order} n-gram"), written));
        }
        rows.push(("shuffled words".to_owned(), shuffled_words(training, windows, len, seed)?));
        Ok(Self { rows, real: every_other(1) })
    }
}

/// Windows of a text of independently drawn words of the training text.
fn shuffled_words(training: &Texts, count: usize, len: usize, seed: u64) -> Result<Texts, JudgeError> {
    let runs = training.iter().flat_map(|text| text.split(|character| character.is_whitespace()));
    let words: Vec<&[char]> = runs.filter(|word| !word.is_empty()).collect();
    if words.is_empty() {
        return Err(JudgeError::TooFew { what: "words in the training text", found: 0, expected: 1 });
    }
    let (mut rng, mut written) = (ChainRng::new(seed, 0), Vec::new());
    // The first window begins with a word that is not cut: it is left out.
    while written.len() < (count + 1) * len {
        written.extend_from_slice(words[rng.below(words.len())]);
        written.push(' ');
    }
    Ok(Texts::from_characters(written.chunks_exact(len).skip(1).take(count).map(<[_]>::to_vec).collect()))
}
