//! Points as bits.

use glauber_tokens::Token;

use crate::PlaneSet;

/// Bits of a point.
pub const BITS: usize = 32;
/// Bits of a coordinate without its sign.
const MAGNITUDE: u32 = 15;

/// The code of a set: of each coordinate a sign, then 15 bits of the Gray code of its length.
///
/// Tokens begin with the lowest bit of the second coordinate and end with the sign of the first one: a chain that writes from the last
/// site to the first places a point roughly before it says where exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GrayCode {
    /// Steps of a unit of length.
    scale: f64,
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
        Self { scale }
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

    /// The bits as tokens 0 and 1, shape `[site]` with 32 sites.
    pub fn encode(&self, point: [f64; 2]) -> [Token; BITS] {
        let word = self.word(point);
        std::array::from_fn(|site| word >> site & 1)
    }

    /// The number of tokens: what [`word`](Self::word) gives for their point.
    ///
    /// # Panics
    /// When there are not 32 tokens.
    pub fn word_of(tokens: &[Token]) -> u32 {
        assert_eq!(tokens.len(), BITS, "a point has 32 bits");
        tokens.iter().rev().fold(0u32, |word, &token| word << 1 | (token & 1))
    }

    /// The middle of the cell that tokens stand for.
    ///
    /// # Panics
    /// When there are not 32 tokens.
    pub fn decode(&self, tokens: &[Token]) -> [f64; 2] {
        let word = Self::word_of(tokens);
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
