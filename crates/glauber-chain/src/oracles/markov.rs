//! A first-order Markov chain over tokens as the data distribution.

use glauber_tokens::Token;

use crate::controls::draw;
use crate::{ChainError, ChainRng, Result, SequenceLaw};

/// π as a first-order Markov chain: an initial law and a transition matrix, at any length.
#[derive(Debug, Clone, PartialEq)]
pub struct MarkovSource {
    initial: Vec<f64>,
    /// Shape `[from, to]`.
    transition: Vec<f64>,
    /// Shape `[to, from]`.
    transposed: Vec<f64>,
}

impl MarkovSource {
    /// A source from its initial law, shape `[token]`, and its transition matrix, shape `[from · to]`.
    ///
    /// # Errors
    /// When the shapes disagree, or a law is negative or does not sum to 1 within 1e-9.
    pub fn new(initial: Vec<f64>, transition: Vec<f64>) -> Result<Self> {
        let vocab = initial.len();
        if vocab == 0 || transition.len() != vocab * vocab {
            return Err(ChainError::Mismatch {
                what: "entries of the transition matrix, the square of the vocabulary",
                found: transition.len(),
                expected: vocab.max(1).pow(2),
            });
        }
        ChainError::unless_law("the initial law", &initial, 1e-9)?;
        for (from, row) in transition.chunks_exact(vocab).enumerate() {
            ChainError::unless_law(&format!("row {from} of the transition matrix"), row, 1e-9)?;
        }
        let transposed = (0..vocab * vocab).map(|at| transition[(at % vocab) * vocab + at / vocab]).collect();
        Ok(Self { initial, transition, transposed })
    }

    /// A random source: each law is proportional to `E^peakedness` with independent exponential `E`. A peakedness of 0 makes every
    /// law uniform, 1 makes it uniform on the simplex, and larger values leave ever fewer likely tokens.
    ///
    /// # Errors
    /// When the vocabulary is empty or `peakedness` is negative or not finite.
    pub fn random(vocab: usize, seed: u64, peakedness: f64) -> Result<Self> {
        let good = peakedness >= 0.0 && peakedness.is_finite();
        ChainError::unless_in_range(good, "peakedness", peakedness, "a finite number of at least 0")?;
        let mut rng = ChainRng::new(seed, 0);
        let mut law = || -> Vec<f64> {
            let weights: Vec<f64> =
                (0..vocab).map(|_| (-(1.0 - rng.uniform()).ln()).max(f64::MIN_POSITIVE).powf(peakedness)).collect();
            let sum: f64 = weights.iter().sum();
            weights.iter().map(|w| w / sum).collect()
        };
        let initial = law();
        let transition = (0..vocab).flat_map(|_| law()).collect();
        Self::new(initial, transition)
    }

    /// Number of tokens `V`.
    pub fn vocab(&self) -> usize {
        self.initial.len()
    }

    /// The law of the first token, shape `[token]`.
    pub fn initial(&self) -> &[f64] {
        &self.initial
    }

    /// The law of the token after `from`, shape `[to]`.
    ///
    /// # Panics
    /// When `from` is outside the vocabulary.
    pub fn successors(&self, from: Token) -> &[f64] {
        &self.transition[from as usize * self.vocab()..][..self.vocab()]
    }

    /// The probabilities with which each token leads to `to`, shape `[from]`.
    pub(crate) fn predecessors(&self, to: Token) -> &[f64] {
        &self.transposed[to as usize * self.vocab()..][..self.vocab()]
    }

    /// A sequence of `len` tokens. Uses one uniform number for each.
    pub fn sample(&self, len: usize, rng: &mut ChainRng) -> Vec<Token> {
        let mut law = self.initial.as_slice();
        (0..len)
            .map(|_| {
                // Laws are validated, so the draw cannot fail.
                let token = draw(law, rng.uniform()).unwrap_or_default();
                law = self.successors(token);
                token
            })
            .collect()
    }

    /// `ln π(x)` in nats, `−∞` where impossible.
    ///
    /// # Panics
    /// When a token is outside the vocabulary.
    pub fn log_probability(&self, tokens: &[Token]) -> f64 {
        let first = tokens.first().map_or(0.0, |&a| self.initial[a as usize].ln());
        let steps = tokens.windows(2).map(|pair| self.successors(pair[0])[pair[1] as usize].ln());
        first + steps.sum::<f64>()
    }

    /// The entropy of a sequence of `len` tokens in nats, by the chain rule.
    pub fn entropy(&self, len: usize) -> f64 {
        let of = |law: &[f64]| law.iter().filter(|&&p| p > 0.0).map(|p| -p * p.ln()).sum::<f64>();
        let rows: Vec<f64> = self.transition.chunks_exact(self.vocab()).map(of).collect();
        let step = |position| self.marginal(position).iter().zip(&rows).map(|(mass, row)| mass * row).sum::<f64>();
        let first = if len == 0 { 0.0 } else { of(&self.initial) };
        first + (1..len).map(|position| step(position - 1)).sum::<f64>()
    }

    /// The law of the token at a position, shape `[token]`.
    pub fn marginal(&self, position: usize) -> Vec<f64> {
        let mut law = self.initial.clone();
        for _ in 0..position {
            let mut next = vec![0.0; law.len()];
            for (from, mass) in law.iter().enumerate() {
                let row = self.successors(from as Token);
                next.iter_mut().zip(row).for_each(|(sum, p)| *sum += mass * p);
            }
            law = next;
        }
        law
    }
}

impl SequenceLaw for MarkovSource {
    fn name(&self) -> String {
        "Markov source".into()
    }

    fn vocab(&self) -> usize {
        self.vocab()
    }

    fn sample(&self, len: usize, rng: &mut ChainRng) -> Vec<Token> {
        self.sample(len, rng)
    }

    fn log_probability(&self, tokens: &[Token]) -> f64 {
        self.log_probability(tokens)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_sources_are_refused() {
        assert!(MarkovSource::new(vec![], vec![]).is_err());
        assert!(MarkovSource::new(vec![0.5, 0.5], vec![1.0, 0.0, 0.5]).is_err());
        assert!(MarkovSource::new(vec![0.5, 0.4], vec![1.0, 0.0, 0.5, 0.5]).is_err());
        assert!(MarkovSource::new(vec![0.5, 0.5], vec![1.5, -0.5, 0.5, 0.5]).is_err());
        assert!(MarkovSource::random(0, 1, 1.0).is_err());
        assert!(MarkovSource::random(3, 1, -1.0).is_err());
    }

    #[test]
    fn probabilities_of_all_sequences_sum_to_one() {
        let source = MarkovSource::random(3, 1, 2.0).unwrap();
        let mut sum = 0.0;
        for state in 0..27u32 {
            sum += source.log_probability(&[state / 9, state / 3 % 3, state % 3]).exp();
        }
        assert!((sum - 1.0).abs() < 1e-12);
        let surprise = |state: u32| {
            let log = source.log_probability(&[state / 9, state / 3 % 3, state % 3]);
            -log * log.exp()
        };
        assert!((source.entropy(3) - (0..27).map(surprise).sum::<f64>()).abs() < 1e-12);
        assert_eq!(source.entropy(0), 0.0);
        let marginal: f64 = source.marginal(4).iter().sum();
        assert!((marginal - 1.0).abs() < 1e-12);
    }
}
