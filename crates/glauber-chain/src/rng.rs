//! The random numbers of one chain.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// A portable stream of uniform numbers: ChaCha8 keyed by a seed, one stream per chain.
///
/// Streams of one seed never overlap, so chains use the same numbers in any order, batch or thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainRng {
    seed: u64,
    stream: u64,
    chacha: ChaCha8Rng,
}

/// The state of a [`ChainRng`], from which any machine can continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct ChainRngState {
    /// The seed.
    pub seed: u64,
    /// The stream.
    pub stream: u64,
    /// 32-bit words used so far.
    pub word_pos: u64,
}

impl ChainRng {
    /// The stream `stream` of a seed, at its beginning.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut chacha = ChaCha8Rng::from_seed(key);
        chacha.set_stream(stream);
        Self { seed, stream, chacha }
    }

    /// The streams `0..count` of a seed, one for each chain.
    pub fn streams(seed: u64, count: usize) -> Vec<Self> {
        (0..count as u64).map(|stream| Self::new(seed, stream)).collect()
    }

    /// A multiple of `2⁻⁵³` in `[0, 1)`.
    #[inline]
    pub fn uniform(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 53) as f64;
        (self.chacha.next_u64() >> 11) as f64 * STEP
    }

    /// The next uniform numbers, 8 little-endian bytes each: [`uniform`](Self::uniform) is such an integer shifted right by 11, times
    /// `2⁻⁵³`.
    #[inline]
    pub(crate) fn fill(&mut self, words: &mut [[u8; 8]]) {
        self.chacha.fill_bytes(words.as_flattened_mut());
    }

    /// A number in `0..bound`, for bounds far below `2⁵³`.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        assert!(bound > 0, "nothing is below 0");
        ((self.uniform() * bound as f64) as usize).min(bound - 1)
    }

    /// The current state.
    pub fn state(&self) -> ChainRngState {
        ChainRngState { seed: self.seed, stream: self.stream, word_pos: self.chacha.get_word_pos() as u64 }
    }

    /// Restores a stream from a state.
    pub fn from_state(state: ChainRngState) -> Self {
        let mut rng = Self::new(state.seed, state.stream);
        rng.chacha.set_word_pos(u128::from(state.word_pos));
        rng
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_goes_on_from_its_state() {
        let mut rng = ChainRng::new(3, 5);
        for _ in 0..37 {
            rng.uniform();
        }
        let mut copy = ChainRng::from_state(rng.state());
        assert_eq!(copy, rng);
        assert!((0..100).all(|_| copy.uniform() == rng.uniform()));
    }

    #[test]
    fn words_are_the_uniform_numbers() {
        let mut one_by_one = ChainRng::new(3, 5);
        one_by_one.uniform();
        let mut together = one_by_one.clone();
        for count in [1, 7, 100, 0, 33] {
            let mut words = vec![[0; 8]; count];
            together.fill(&mut words);
            for word in words {
                let k = u64::from_le_bytes(word) >> 11;
                assert_eq!(k as f64 / (1u64 << 53) as f64, one_by_one.uniform());
            }
            assert_eq!(together.state(), one_by_one.state());
        }
    }

    #[test]
    fn streams_and_seeds_differ() {
        let first = |seed, stream| ChainRng::new(seed, stream).uniform();
        assert_ne!(first(1, 0), first(1, 1));
        assert_ne!(first(1, 0), first(2, 0));
    }

    #[test]
    fn value_stability_of_uniform() {
        let mut rng = ChainRng::new(42, 7);
        let found: Vec<u64> = (0..3).map(|_| (rng.uniform() * (1u64 << 53) as f64) as u64).collect();
        assert_eq!(found, [1672451259125128, 5227415820955927, 8514544367089200]);
    }
}
