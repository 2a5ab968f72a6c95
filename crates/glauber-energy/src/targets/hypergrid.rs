//! The hypergrid of the GFlowNet papers.

use glauber_tokens::{Site, Token};

use crate::target::log_sum_exp;
use crate::{EnergyError, Result, Target};

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

fn check(side: usize, dimensions: usize, rewards: &[f64]) -> Result<()> {
    EnergyError::unless_in_range((2..=65_536).contains(&side), "side", side as f64, "2 to 65536")?;
    EnergyError::unless_in_range((1..=4096).contains(&dimensions), "dimensions", dimensions as f64, "1 to 4096")?;
    let wrong = rewards.iter().enumerate().find(|(at, r)| !r.is_finite() || **r < 0.0 || (*at == 0 && **r == 0.0));
    let found = wrong.map_or(0.0, |(_, r)| *r);
    EnergyError::unless_in_range(wrong.is_none(), "rewards", found, "R0 above 0, the others at least 0")
}

impl Hypergrid {
    /// A grid of `side^dimensions` cells with `R0, R1, R2`: torchgfn's are .1, .5, 2.
    ///
    /// # Errors
    /// When the side is not 2 to 65536, the dimensions are not 1 to 4096, `R0` is not positive, or another reward negative.
    pub fn new(side: usize, dimensions: usize, rewards: [f64; 3]) -> Result<Self> {
        check(side, dimensions, &rewards)?;
        Ok(Self { side, dimensions, rewards })
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
        let best: f64 = self.rewards.iter().sum();
        let log_share = self.log_cells(best, |token| self.band(token)) - self.log_partition();
        (self.rewards[2] > 0.0).then_some(log_share.exp())
    }

    /// `log Z = ln(R0 H^D + R1 o^D + R2 b^D)`, with `o` and `b` the coordinates in ring and band.
    pub fn log_partition(&self) -> f64 {
        let [r0, r1, r2] = self.rewards;
        log_sum_exp(&[
            self.log_cells(r0, |_| true),
            self.log_cells(r1, |token| self.ring(token)),
            self.log_cells(r2, |token| self.band(token)),
        ])
    }

    /// The logarithm of a reward times the cells whose coordinates are all inside.
    fn log_cells(&self, reward: f64, inside: impl Fn(Token) -> bool) -> f64 {
        let count = (0..self.side as Token).filter(|&token| inside(token)).count();
        reward.ln() + self.dimensions as f64 * (count as f64).ln()
    }
}

impl Target for Hypergrid {
    fn vocab(&self) -> usize {
        self.side
    }

    fn len(&self) -> usize {
        self.dimensions
    }

    fn log_ratios(&self, tokens: &[Token], site: Site, out: &mut [f64]) {
        let others = |inside: &dyn Fn(Token) -> bool| {
            f64::from(tokens.iter().enumerate().all(|(at, &token)| at == site || inside(token)))
        };
        let [r0, r1, r2] = self.rewards;
        let (ring, band) = (r1 * others(&|token| self.ring(token)), r2 * others(&|token| self.band(token)));
        let log = |token| (r0 + ring * f64::from(self.ring(token)) + band * f64::from(self.band(token))).ln();
        let here = log(tokens[site]);
        (0..).zip(out).for_each(|(token, ratio)| *ratio = log(token) - here);
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
    /// # Errors
    /// As [`Hypergrid::new`].
    pub fn new(side: usize, dimensions: usize, rewards: [f64; 2]) -> Result<Self> {
        check(side, dimensions, &rewards)?;
        Ok(Self { side, dimensions, rewards })
    }

    fn wave(&self, token: Token) -> f64 {
        let a = away(self.side, token);
        let density = (-(5.0 * a).powi(2) / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
        ((50.0 * a).cos() + 1.0) * density
    }

    /// `log Z = ln(R0 H^D + R1 (Σ_x wave)^D)`.
    pub fn log_partition(&self) -> f64 {
        let sum: f64 = (0..self.side as Token).map(|token| self.wave(token)).sum();
        let log = |reward: f64, value: f64| reward.ln() + self.dimensions as f64 * value.ln();
        log_sum_exp(&[log(self.rewards[0], self.side as f64), log(self.rewards[1], sum)])
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
