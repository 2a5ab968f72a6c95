//! Points of real coordinates, written as bits.

use glauber_chain::ChainRng;
use glauber_plane::{GrayCode, PlaneSet};
use glauber_tokens::Token;

use crate::{Target, target::log_sum_exp};

/// A density of the plane on `2 · bits` bits: of each coordinate a sign, then the Gray code of its length, the highest
/// bit first. The coarse grids of 16 bits in all can be enumerated; 32 bits is the resolution of the published rows.
///
/// `γ` is the density at the middle of a cell times its area, so `Z` is the mass within the code's reach, nearly 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlanePoints {
    set: PlaneSet,
    bits: usize,
    scale: f64,
}

impl PlanePoints {
    /// A set with so many bits of a coordinate.
    ///
    /// # Panics
    /// When the bits are not between 2 and 16.
    pub fn new(set: PlaneSet, bits: usize) -> Self {
        assert!((2..=16).contains(&bits), "{bits} bits of a coordinate");
        let full = (-GrayCode::of(set).log_cell() / 2.0).exp();
        Self { set, bits, scale: full / f64::from(1u32 << (16 - bits)) }
    }

    /// The sequence of the cell of a point, shape `[site]`. What lies outside is moved to the border.
    pub fn tokens(&self, point: [f64; 2]) -> Vec<Token> {
        let word = GrayCode::of(self.set).word(point);
        // The first digits of a Gray code are that of the number's first digits.
        let bit = |site: usize| word >> (31 - 16 * (site / self.bits) - site % self.bits) & 1;
        (0..2 * self.bits).map(bit).collect()
    }

    /// The middle of the cell of a sequence.
    pub fn point(&self, tokens: &[Token]) -> [f64; 2] {
        let coordinate = |bits: &[Token]| {
            let mut length = 0;
            let mut shown = 0;
            for &bit in &bits[1..] {
                // A bit of the Gray code says whether the binary digit changes.
                shown ^= bit;
                length = 2 * length + shown;
            }
            let middle = (f64::from(length) + 0.5) / self.scale;
            if bits[0] == 1 { -middle } else { middle }
        };
        [coordinate(&tokens[..self.bits]), coordinate(&tokens[self.bits..])]
    }
}

impl Target for PlanePoints {
    fn vocab(&self) -> usize {
        2
    }

    fn len(&self) -> usize {
        2 * self.bits
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        self.set.log_density(self.point(tokens)) - 2.0 * self.scale.ln()
    }
}

/// Coordinates of eight bits each, the highest first: `value = bits / 2⁸ · scale − translate`.
fn coordinates(tokens: &[Token], scale: f64, translate: f64) -> impl Iterator<Item = f64> {
    let byte = |bits: &[Token]| bits.iter().fold(0, |value, bit| 2 * value + bit);
    tokens.chunks_exact(8).map(move |bits| f64::from(byte(bits)) / 256.0 * scale - translate)
}

/// A mixture of 40 Gaussians of variance 1 in a box of side 100 (Carter et al. 2026), eight bits a coordinate.
///
/// The published centres come from another library's generator; these are uniform between −40 and 40 by a seed of ours.
#[derive(Debug, Clone, PartialEq)]
pub struct GaussianMixture {
    /// Shape `[centre][coordinate]`.
    centres: Vec<Vec<f64>>,
}

impl GaussianMixture {
    /// A mixture in some dimensions.
    ///
    /// # Panics
    /// When there is no dimension.
    pub fn new(dimensions: usize, seed: u64) -> Self {
        assert!(dimensions > 0, "no dimension");
        let mut rng = ChainRng::new(seed, 0);
        let mut centre = || (0..dimensions).map(|_| 80.0 * rng.uniform() - 40.0).collect();
        Self { centres: (0..40).map(|_| centre()).collect() }
    }
}

impl Target for GaussianMixture {
    fn vocab(&self) -> usize {
        2
    }

    fn len(&self) -> usize {
        8 * self.centres[0].len()
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        let x: Vec<f64> = coordinates(tokens, 100.0, 50.0).collect();
        let near = |centre: &Vec<f64>| -centre.iter().zip(&x).map(|(c, x)| (c - x).powi(2)).sum::<f64>() / 2.0;
        let all: Vec<f64> = self.centres.iter().map(near).collect();
        log_sum_exp(&all)
    }
}

/// Pairs of a double well and a Gaussian, `Σ −x⁴ + 6x² + x/2 − y²/2`, in a box of side 8, eight bits a coordinate
/// (Midgley et al. 2023; the box of Carter et al. 2026).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManyWell {
    coordinates: usize,
}

impl ManyWell {
    /// A number of coordinates, two to a well.
    ///
    /// # Panics
    /// When the coordinates are odd or there is none.
    pub fn new(coordinates: usize) -> Self {
        assert!(coordinates > 0 && coordinates.is_multiple_of(2), "{coordinates} coordinates");
        Self { coordinates }
    }

    /// `log Z` over the grid: the wells are independent.
    pub fn log_partition(&self) -> f64 {
        let values: Vec<f64> = (0..256).map(|byte| f64::from(byte) / 256.0 * 8.0 - 4.0).collect();
        let wells: Vec<f64> = values.iter().map(|x| -x.powi(4) + 6.0 * x * x + 0.5 * x).collect();
        let gauss: Vec<f64> = values.iter().map(|y| -y * y / 2.0).collect();
        (self.coordinates / 2) as f64 * (log_sum_exp(&wells) + log_sum_exp(&gauss))
    }
}

impl Target for ManyWell {
    fn vocab(&self) -> usize {
        2
    }

    fn len(&self) -> usize {
        8 * self.coordinates
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        let all: Vec<f64> = coordinates(tokens, 8.0, 4.0).collect();
        let well = |pair: &[f64]| -pair[0].powi(4) + 6.0 * pair[0].powi(2) + 0.5 * pair[0] - pair[1].powi(2) / 2.0;
        all.chunks_exact(2).map(well).sum()
    }
}
