//! Random numbers on the host, the same on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream of random numbers is for: streams of one seed never overlap.
#[derive(Clone, Copy)]
#[repr(u64)]
pub(crate) enum Purpose {
    Weights = 0,
    Discriminator = 1,
    Codebook = 2,
}

/// ChaCha8 keyed by a seed, one stream a purpose.
#[derive(Debug, Clone)]
pub(crate) struct HostRng(ChaCha8Rng);

impl HostRng {
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut chacha = ChaCha8Rng::from_seed(key);
        chacha.set_stream(purpose as u64);
        Self(chacha)
    }

    /// The stream after this many 32-bit words.
    pub fn at(seed: u64, purpose: Purpose, words: u64) -> Self {
        let mut rng = Self::new(seed, purpose);
        rng.0.set_word_pos(u128::from(words));
        rng
    }

    /// 32-bit words used so far.
    pub fn words(&self) -> u64 {
        self.0.get_word_pos() as u64
    }

    /// A multiple of `2⁻⁵³` in `[0, 1)`.
    pub fn uniform(&mut self) -> f64 {
        const STEP: f64 = 1.0 / (1u64 << 53) as f64;
        (self.0.next_u64() >> 11) as f64 * STEP
    }

    /// A number in `0..bound`; 0 when `bound` is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((self.uniform() * bound as f64) as usize).min(bound.saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_goes_on_where_it_stood() {
        let mut rng = HostRng::new(5, Purpose::Codebook);
        for _ in 0..7 {
            rng.uniform();
        }
        let mut again = HostRng::at(5, Purpose::Codebook, rng.words());
        assert!((0..100).all(|_| rng.uniform() == again.uniform()));
    }

    #[test]
    fn purposes_and_seeds_differ() {
        let first = |seed, purpose| HostRng::new(seed, purpose).uniform();
        assert_ne!(first(1, Purpose::Weights), first(1, Purpose::Codebook));
        assert_ne!(first(1, Purpose::Weights), first(2, Purpose::Weights));
        assert_eq!(first(1, Purpose::Weights), first(1, Purpose::Weights));
    }
}
