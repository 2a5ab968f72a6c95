//! Configuration of a schedule.

use glauber_tokens::Token;

use crate::{NoiseConfig, NoiseLaw, OrderConfig, RESIDUAL_BOUND, Schedule, ScheduleError, SignalShape, SiteOrder};

/// The sweeps of a schedule: their number, or the signal levels at the ends of reverse sweeps.
///
/// ```
/// use glauber_schedule::{ScheduleConfig, Sweeps};
///
/// let config: ScheduleConfig = toml::from_str("sweeps = [0.85, 0.95, 1.0]")?;
/// assert_eq!(config.sweeps, Sweeps::EndingAt(vec![0.85, 0.95, 1.0]));
/// assert_eq!(config.sweeps.count(), 3);
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(untagged, expecting = "expected a number of sweeps, or a list of the signal levels that they end at")
)]
pub enum Sweeps {
    /// A number of sweeps, with the levels of the shape.
    Count(usize),
    /// One sweep per level, in the order of the reverse chain. Levels increase, and the last is 1.
    EndingAt(Vec<f64>),
}

impl Sweeps {
    /// The number of sweeps.
    pub fn count(&self) -> usize {
        match self {
            Self::Count(count) => *count,
            Self::EndingAt(levels) => levels.len(),
        }
    }
}

impl From<usize> for Sweeps {
    fn from(count: usize) -> Self {
        Self::Count(count)
    }
}

/// Configuration of a schedule.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct ScheduleConfig {
    /// Shape of the signal decay; default `linear`.
    pub shape: SignalShape,
    /// Sweeps over the sites: their number, or the levels at the ends of reverse sweeps; default 8.
    pub sweeps: Sweeps,
    /// Signal level of a site after one touch in each sweep, in `(0, 1)`; default 1e-3.
    pub final_signal: f64,
    /// Accept a chain with residual signal at the horizon; default false.
    pub allow_residual_signal: bool,
    /// The order of the sites; default round-robin.
    pub order: OrderConfig,
    /// The noise distribution; default uniform.
    pub noise: NoiseConfig,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            shape: SignalShape::default(),
            sweeps: Sweeps::Count(8),
            final_signal: RESIDUAL_BOUND,
            allow_residual_signal: false,
            order: OrderConfig::default(),
            noise: NoiseConfig::default(),
        }
    }
}

/// Reads a variant without keys. serde alone would ignore unknown keys here.
#[cfg(feature = "serde")]
pub(crate) fn no_keys<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoKeys {}
    <NoKeys as serde::Deserialize>::deserialize(deserializer).map(|NoKeys {}| ())
}

impl Schedule {
    /// The schedule of a configuration over `len` sites and `vocab` tokens. Unigram noise needs `counts`, shape
    /// `[token]`; absorbing and moving noise need `mask`.
    ///
    /// # Errors
    /// Those of [`SiteOrder::from_config`], [`NoiseLaw::from_config`], [`Schedule::new`] and
    /// [`Schedule::ending_at`].
    pub fn from_config(
        config: &ScheduleConfig,
        len: usize,
        vocab: usize,
        counts: Option<&[u64]>,
        mask: Option<Token>,
    ) -> Result<Self, ScheduleError> {
        let order = SiteOrder::from_config(&config.order, len, config.sweeps.count())?;
        let law = NoiseLaw::from_config(&config.noise, vocab, counts, mask)?;
        let (last, residual) = (config.final_signal, config.allow_residual_signal);
        match &config.sweeps {
            Sweeps::Count(_) => Self::new(config.shape, order, law, last, residual),
            Sweeps::EndingAt(ends) => Self::ending_at(ends, order, law, last, residual),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Boundary, MixturePart, Neighbourhood};

    const SHAPES: [SignalShape; 4] =
        [SignalShape::Linear, SignalShape::Cosine, SignalShape::LogLinear, SignalShape::ConstantBeta];

    #[test]
    fn configurations_survive_a_round_trip() {
        let chromatic = OrderConfig::Chromatic {
            height: 4,
            width: 4,
            neighbourhood: Neighbourhood::Eight,
            boundary: Boundary::Torus,
        };
        let mixture = NoiseConfig::Mixture {
            parts: vec![
                MixturePart { weight: 0.9, law: NoiseConfig::Absorbing },
                MixturePart { weight: 0.1, law: NoiseConfig::Unigram { pseudo_count: 0.5 } },
            ],
        };
        let permutation = OrderConfig::Permutation { seed: 7 };
        let scan = OrderConfig::RandomScan { seed: 7 };
        let strided = OrderConfig::Strided { block: 4 };
        let spaced = OrderConfig::Spaced { height: 4, width: 4, spacing: 3 };
        let blocks = OrderConfig::BlockByBlock { block: 4 };
        for order in
            [OrderConfig::RoundRobin, permutation, scan, chromatic, spaced, strided, blocks, OrderConfig::AllAtOnce]
        {
            for noise in [NoiseConfig::Uniform, NoiseConfig::Moving { share: 0.2 }, mixture.clone()] {
                for shape in SHAPES {
                    let noise = noise.clone();
                    let config = ScheduleConfig { shape, order: order.clone(), noise, ..Default::default() };
                    let text = toml::to_string(&config).unwrap();
                    assert_eq!(toml::from_str::<ScheduleConfig>(&text).unwrap(), config, "{text}");
                }
            }
        }
    }

    #[test]
    fn an_empty_configuration_is_the_default() {
        let config: ScheduleConfig = toml::from_str("").unwrap();
        assert_eq!(config, ScheduleConfig::default());
        assert!(toml::from_str::<ScheduleConfig>("sweep = 3").is_err());
        let error = toml::from_str::<ScheduleConfig>("sweeps = 'many'").unwrap_err().to_string();
        assert!(error.contains("a number of sweeps, or a list"), "{error}");
        let text = "shape = 'log-linear'\n[order]\nkind = 'random-scan'\nseed = 3";
        let config: ScheduleConfig = toml::from_str(text).unwrap();
        assert_eq!(config.order, OrderConfig::RandomScan { seed: 3 });
        let schedule = Schedule::from_config(&ScheduleConfig::default(), 5, 3, None, None).unwrap();
        assert_eq!((schedule.horizon(), schedule.sweeps(), schedule.len()), (40, 8, 5));
    }
}
