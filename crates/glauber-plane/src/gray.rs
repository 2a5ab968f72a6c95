//! Points as bits.

use glauber_tokens::Token;

use crate::PlaneSet;

/// Bits of a point.
pub const BITS: usize = 32;
/// Bits of a coordinate without its sign.
const MAGNITUDE: u32 = 15;

/// The code of a set: of each coordinate a sign, then 15 bits of the Gray code of its length.
///
/// Tokens are bits, or several bits each ([`with_bits`](Self::with_bits)): the same words, in fewer sites of more tokens. They begin with the
/// lowest bits of the second coordinate and end with the sign of the first one: a chain that writes from the last site to the first places a
/// point roughly before it says where exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GrayCode {
    /// Steps of a unit of length.
    scale: f64,
    /// Bits of a token.
    bits: usize,
}

impl GrayCode {
    /// With the scale of the published rows, `2^15 / (max |x| + 2)` over points that were drawn for them.
    pub fn of(set: PlaneSet) -> Self {
        let scale = match set {
            PlaneSet::Spirals => 5978.49,
            PlaneSet::Gaussians => 5289.62,
            PlaneSet::Circles => 5668.64,
            PlaneSet::Moons => 5779.76,
            PlaneSet::Pinwheel => 5510.88,
            PlaneSet::SwissRoll => 6222.63,
            PlaneSet::Checkerboard => 5461.87,
        };
        Self { scale, bits: 1 }
    }

    /// The same words in tokens of `bits` bits; `None` unless this is 1, 2, 4, 8 or 16.
    pub fn with_bits(self, bits: usize) -> Option<Self> {
        [1, 2, 4, 8, 16].contains(&bits).then_some(Self { bits, ..self })
    }

    /// Sites of a point.
    pub fn sites(&self) -> usize {
        BITS / self.bits
    }

    /// Tokens that a site can show.
    pub fn vocab(&self) -> usize {
        1 << self.bits
    }

    /// The logarithm of the area of a cell: what turns a density into the probability of a word, in nats.
    pub fn log_cell(&self) -> f64 {
        -2.0 * self.scale.ln()
    }

    /// The 32 bits as a number, the sign of the first coordinate highest. What lies outside is moved to the border.
    pub fn word(&self, point: [f64; 2]) -> u32 {
        let half = |x: f64| {
            let length = ((x.abs() * self.scale) as u32).min((1 << MAGNITUDE) - 1);
            u32::from(x < 0.0) << MAGNITUDE | length ^ (length >> 1)
        };
        half(point[0]) << 16 | half(point[1])
    }

    /// A point as tokens, shape `[site]`.
    pub fn encode(&self, point: [f64; 2]) -> Vec<Token> {
        let (word, token) = (self.word(point), self.vocab() as u32 - 1);
        (0..self.sites()).map(|site| word >> (site * self.bits) & token).collect()
    }

    /// The number of tokens: what [`word`](Self::word) gives for their point.
    ///
    /// # Panics
    /// When there are not as many as a point has.
    pub fn word_of(&self, tokens: &[Token]) -> u32 {
        assert_eq!(tokens.len(), self.sites(), "tokens of a point");
        tokens.iter().rev().fold(0u32, |word, &token| word << self.bits | (token & (self.vocab() as u32 - 1)))
    }

    /// The middle of the cell that tokens stand for.
    ///
    /// # Panics
    /// When there are not as many as a point has.
    pub fn decode(&self, tokens: &[Token]) -> [f64; 2] {
        let word = self.word_of(tokens);
        [word >> 16, word & 0xFFFF].map(|half| {
            let mut length = half & ((1 << MAGNITUDE) - 1);
            for shift in [1, 2, 4, 8] {
                length ^= length >> shift;
            }
            let sign = if half >> MAGNITUDE == 1 { -1.0 } else { 1.0 };
            sign * (f64::from(length) + 0.5) / self.scale
        })
    }
}
