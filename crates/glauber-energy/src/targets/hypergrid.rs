//! The hypergrid of the GFlowNet papers.

use glauber_tokens::Token;

use crate::Target;

/// Slack at the strict borders of the regions.
const BORDER: f64 = 1e-12;

/// `γ(x) = R0 + R1 Π_d 1{.25 < |x_d/(H−1) − ½|} + R2 Π_d 1{.3 < |x_d/(H−1) − ½| < .4}` (E5) on `H^D` (Bengio et al. 2021).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hypergrid {
    side: usize,
    dimensions: usize,
    rewards: [f64; 3],
}

/// `|x/(H−1) − ½|`.
fn away(side: usize, token: Token) -> f64 {
    (f64::from(token) / (side - 1) as f64 - 0.5).abs()
}

impl Hypergrid {
    /// A grid of `side^dimensions` cells with `R0, R1, R2`: torchgfn's are .1, .5, 2.
    ///
    /// # Panics
    /// When the side is less than 2, there is no dimension, or a reward is negative or all are 0.
    pub fn new(side: usize, dimensions: usize, rewards: [f64; 3]) -> Self {
        assert!(side > 1 && dimensions > 0, "a grid of {side} cells in {dimensions} dimensions");
        assert!(rewards.iter().all(|&r| r >= 0.0) && rewards[0] > 0.0, "rewards {rewards:?}");
        Self { side, dimensions, rewards }
    }

    fn ring(&self, token: Token) -> bool {
        away(self.side, token) > 0.25 + BORDER
    }

    fn band(&self, token: Token) -> bool {
        let away = away(self.side, token);
        away > 0.3 + BORDER && away < 0.4 - BORDER
    }

    /// The probability of the cells whose coordinates are all in the band; `None` if they are not the best.
    pub fn mode_share(&self) -> Option<f64> {
        let band = (0..self.side as Token).filter(|&token| self.band(token)).count();
        let best: f64 = self.rewards.iter().sum();
        let share = (band as f64).powi(self.dimensions as i32) * best / self.log_partition().exp();
        (self.rewards[2] > 0.0).then_some(share)
    }

    /// `log Z = ln(R0 H^D + R1 o^D + R2 b^D)`, with `o` and `b` the coordinates in ring and band.
    pub fn log_partition(&self) -> f64 {
        let tokens = 0..self.side as Token;
        let outer = tokens.clone().filter(|&token| self.ring(token)).count();
        let band = tokens.filter(|&token| self.band(token)).count();
        let power = |count: usize| (count as f64).powi(self.dimensions as i32);
        let [r0, r1, r2] = self.rewards;
        (r0 * power(self.side) + r1 * power(outer) + r2 * power(band)).ln()
    }
}

impl Target for Hypergrid {
    fn vocab(&self) -> usize {
        self.side
    }

    fn len(&self) -> usize {
        self.dimensions
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        let all = |inside: &dyn Fn(Token) -> bool| f64::from(tokens.iter().all(|&token| inside(token)));
        let [r0, r1, r2] = self.rewards;
        (r0 + r1 * all(&|token| self.ring(token)) + r2 * all(&|token| self.band(token))).ln()
    }
}

/// The cosine variant: `γ(x) = R0 + R1 Π_d (cos 50a + 1) φ(5a)`, `a = |x_d/(H−1) − ½|`, φ the standard normal density.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cosine {
    side: usize,
    dimensions: usize,
    rewards: [f64; 2],
}

impl Cosine {
    /// A grid of `side^dimensions` cells with `R0, R1`.
    ///
    /// # Panics
    /// When the side is less than 2, there is no dimension, or `R0` is not positive or `R1` negative.
    pub fn new(side: usize, dimensions: usize, rewards: [f64; 2]) -> Self {
        assert!(side > 1 && dimensions > 0, "a grid of {side} cells in {dimensions} dimensions");
        assert!(rewards[0] > 0.0 && rewards[1] >= 0.0, "rewards {rewards:?}");
        Self { side, dimensions, rewards }
    }

    fn wave(&self, token: Token) -> f64 {
        let a = away(self.side, token);
        let density = (-(5.0 * a).powi(2) / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        ((50.0 * a).cos() + 1.0) * density
    }

    /// `log Z = ln(R0 H^D + R1 (Σ_x wave)^D)`.
    pub fn log_partition(&self) -> f64 {
        let sum: f64 = (0..self.side as Token).map(|token| self.wave(token)).sum();
        let power = |value: f64| value.powi(self.dimensions as i32);
        (self.rewards[0] * power(self.side as f64) + self.rewards[1] * power(sum)).ln()
    }
}

impl Target for Cosine {
    fn vocab(&self) -> usize {
        self.side
    }

    fn len(&self) -> usize {
        self.dimensions
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        let wave: f64 = tokens.iter().map(|&token| self.wave(token)).product();
        (self.rewards[0] + self.rewards[1] * wave).ln()
    }
}
