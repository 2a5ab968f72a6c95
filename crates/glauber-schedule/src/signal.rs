//! Shapes of the signal decay.

use std::f64::consts::PI;

/// The signal level `α(u)` after a fraction `u` of the sweeps. Every shape has `α(0) = 1` and `α(1) = ε` exactly, ε being the
/// *final level*.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "kebab-case"))]
pub enum SignalShape {
    /// `α = 1 − (1 − ε) u`: each sweep destroys the same share of the initial tokens. SEDD calls this noise "log-linear".
    #[default]
    Linear,
    /// `α = ε + (1 − ε) cos²(πu/2)`: slow at both ends.
    Cosine,
    /// `α = σ(Λ(1 − 2u)) / σ(Λ)` with `Λ = ln(1/ε)` and `σ` the logistic function: the log signal-to-noise ratio of `α σ(Λ)` is
    /// linear in `u`.
    LogLinear,
    /// `α = ε^u`: every sweep has the same `β`.
    ConstantBeta,
}

impl SignalShape {
    /// The signal level at position `u`, clamped to `[0, 1]`, for a final level in `(0, 1)`.
    pub fn level(self, u: f64, final_level: f64) -> f64 {
        if u <= 0.0 {
            return 1.0;
        }
        if u >= 1.0 {
            return final_level;
        }
        let span = 1.0 - final_level;
        match self {
            Self::Linear => 1.0 - span * u,
            Self::Cosine => final_level + span * (PI * u / 2.0).cos().powi(2),
            // σ(Λ) = 1/(1 + ε), and e^{−Λ(1−2u)} = ε^{1−2u}.
            Self::LogLinear => (1.0 + final_level) / (1.0 + final_level.powf(1.0 - 2.0 * u)),
            Self::ConstantBeta => final_level.powf(u),
        }
    }

    /// The position `u` at which the level is reached: the inverse of [`level`](Self::level). Levels outside `[final_level, 1]`
    /// are clamped to it.
    pub fn position(self, level: f64, final_level: f64) -> f64 {
        if level >= 1.0 {
            return 0.0;
        }
        if level <= final_level {
            return 1.0;
        }
        let span = 1.0 - final_level;
        let u = match self {
            Self::Linear => (1.0 - level) / span,
            Self::Cosine => ((level - final_level) / span).sqrt().acos() * 2.0 / PI,
            Self::LogLinear => {
                let log_odds = (level / (1.0 + final_level - level)).ln();
                0.5 * (1.0 + log_odds / final_level.ln())
            }
            Self::ConstantBeta => level.ln() / final_level.ln(),
        };
        u.clamp(0.0, 1.0)
    }
}

/// The level `α(u)` after a fraction `u` of the sweeps.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Curve {
    Shape(SignalShape),
    /// Levels after 0, 1, … sweeps, shape `[sweep + 1]`; straight lines in between.
    Listed(Vec<f64>),
}

impl Curve {
    pub fn level(&self, u: f64, last: f64) -> f64 {
        match self {
            Self::Shape(shape) => shape.level(u, last),
            Self::Listed(levels) => {
                let at = u * (levels.len() - 1) as f64;
                let from = (at as usize).min(levels.len() - 2);
                let share = at - from as f64;
                levels[from] * (1.0 - share) + levels[from + 1] * share
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHAPES: [SignalShape; 4] =
        [SignalShape::Linear, SignalShape::Cosine, SignalShape::LogLinear, SignalShape::ConstantBeta];

    #[test]
    fn the_ends_are_exact() {
        for shape in SHAPES {
            for end in [1e-9, 1e-3, 0.5] {
                assert_eq!(shape.level(0.0, end), 1.0);
                assert_eq!(shape.level(1.0, end), end);
                assert_eq!(shape.position(1.0, end), 0.0);
                assert_eq!(shape.position(end, end), 1.0);
            }
        }
    }

    #[test]
    fn log_linear_has_a_linear_log_snr() {
        let end: f64 = 1e-3;
        let lambda = -end.ln();
        let sigma = |x: f64| 1.0 / (1.0 + (-x).exp());
        for u in [0.1, 0.25, 0.5, 0.9] {
            let snr = SignalShape::LogLinear.level(u, end) * sigma(lambda);
            let log_snr = (snr / (1.0 - snr)).ln();
            assert!((log_snr - lambda * (1.0 - 2.0 * u)).abs() < 1e-10);
        }
    }

    proptest! {
        #[test]
        fn position_inverts_level(shape in 0usize..4, u in 0.001..0.999f64, end in 1e-6..0.5f64) {
            let shape = SHAPES[shape];
            let found = shape.position(shape.level(u, end), end);
            prop_assert!((found - u).abs() < 1e-8, "{shape:?}: {found} for {u}");
        }

        #[test]
        fn levels_decrease(shape in 0usize..4, u in 0.0..0.99f64, end in 1e-6..0.5f64) {
            let shape = SHAPES[shape];
            let (a, b) = (shape.level(u, end), shape.level(u + 0.01, end));
            prop_assert!(1.0 >= a && a > b && b >= end);
        }
    }
}
