//! Bit sequences with planted modes.

use glauber_chain::ChainRng;
use glauber_tokens::Token;

use crate::Target;

/// `log γ(x) = −c · min_y Hamming(x, y) / n` over planted modes `y` (Malkin et al. 2022; `c/n` is 3/120 in gfnx, 1 in
/// torchgfn). Tokens are bits.
#[derive(Debug, Clone, PartialEq)]
pub struct BitSequence {
    /// Shape `[mode][site]`.
    modes: Vec<Vec<Token>>,
    /// `c / n`: nats a wrong bit.
    price: f64,
}

/// The five motifs of eight bits.
const MOTIFS: [u8; 5] = [0b0000_0000, 0b1111_1111, 0b1111_0000, 0b0000_1111, 0b0011_1100];

impl BitSequence {
    /// Modes of `bits / 8` motifs each, drawn at random; `price` is in nats a wrong bit.
    ///
    /// # Panics
    /// When the bits are not a positive multiple of 8 or there is no mode.
    pub fn random(bits: usize, modes: usize, price: f64, seed: u64) -> Self {
        assert!(bits > 0 && bits.is_multiple_of(8) && modes > 0, "{modes} modes of {bits} bits");
        let mut rng = ChainRng::new(seed, 0);
        let mut motif = || MOTIFS[rng.below(MOTIFS.len())];
        let mut mode = || -> Vec<Token> {
            let words = (0..bits / 8).map(|_| motif()).collect::<Vec<_>>();
            words.iter().flat_map(|word| (0..8).rev().map(move |bit| Token::from(word >> bit & 1))).collect()
        };
        Self { modes: (0..modes).map(|_| mode()).collect(), price }
    }

    /// The modes, shape `[mode][site]`.
    pub fn modes(&self) -> &[Vec<Token>] {
        &self.modes
    }

    /// Wrong bits to the nearest mode.
    pub fn distance(&self, tokens: &[Token]) -> usize {
        let wrong = |mode: &Vec<Token>| mode.iter().zip(tokens).filter(|(a, b)| a != b).count();
        self.modes.iter().map(wrong).min().expect("a mode")
    }
}

impl Target for BitSequence {
    fn vocab(&self) -> usize {
        2
    }

    fn len(&self) -> usize {
        self.modes[0].len()
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        -self.price * self.distance(tokens) as f64
    }
}
