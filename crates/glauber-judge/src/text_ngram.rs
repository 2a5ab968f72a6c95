//! Cross-entropy of texts under an n-gram.

use glauber_chain::{ChainRng, SequenceLaw};

use crate::alphabet::Alphabet;
use crate::{Bootstrap, JudgeError, Ngram, Score, TextJudge, Texts};

/// The cross-entropy of texts under a Witten–Bell n-gram of characters, in bits per character: total bits divided by
/// total characters.
///
/// Its alphabet is that of the training text, plus one character for all others. Texts start without a context. Values
/// below held-out text mean too probable or copied texts; compare the difference to held-out text.
#[derive(Debug, Clone)]
pub struct TextNgram {
    alphabet: Alphabet,
    ngram: Ngram,
}

impl TextNgram {
    /// Counts training texts with contexts of up to `order` characters.
    ///
    /// # Errors
    /// Those of [`Ngram::fit`].
    pub fn fit(order: usize, training: &Texts) -> Result<Self, JudgeError> {
        let alphabet = Alphabet::of(training);
        let rows: Vec<_> = training.iter().map(|text| alphabet.encode(text)).collect();
        let ngram = Ngram::fit(order, alphabet.vocab(), rows)?;
        Ok(Self { alphabet, ngram })
    }

    /// The bits of each text, shape `[row]`, for paired differences.
    pub fn bits(&self, texts: &Texts) -> Vec<f64> {
        let nats = texts.iter().map(|text| -self.ngram.log_probability(&self.alphabet.encode(text)));
        nats.map(|nats| nats / std::f64::consts::LN_2).collect()
    }

    /// Windows of `len` characters of its own running text, each after as many discarded characters.
    ///
    /// Window `i` uses stream `i` of the seed.
    pub fn sample(&self, count: usize, len: usize, seed: u64) -> Texts {
        let window = |mut rng: ChainRng| {
            let tokens = self.ngram.sample(2 * len, &mut rng);
            self.alphabet.decode(&tokens[len..])
        };
        Texts::from_characters(ChainRng::streams(seed, count).into_iter().map(window).collect())
    }

    /// Generates a number of characters after a context.
    pub fn continued(&self, before: &[char], count: usize, rng: &mut ChainRng) -> Vec<char> {
        self.alphabet.decode(&self.ngram.continued(&self.alphabet.encode(before), count, rng))
    }
}

impl TextJudge for TextNgram {
    fn judge(&self, texts: &Texts, bootstrap: &Bootstrap) -> Result<Vec<Score>, JudgeError> {
        texts.check_rows()?;
        let rows: Vec<_> =
            self.bits(texts).into_iter().zip(texts.iter()).map(|(bits, text)| (bits, text.len() as f64)).collect();
        let name = format!("order-{} judge", self.ngram.order());
        Ok(vec![Score::of(name, bootstrap.ratio(&rows), "bits/character")])
    }

    fn by_gap(&self, _: &Score) -> bool {
        true
    }
}
