//! A schedule as a run configuration states it.

use glauber_tokens::Token;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{NoiseConfig, NoiseLaw, OrderConfig, RESIDUAL_BOUND, Schedule, ScheduleError, SignalShape, SiteOrder};

/// A schedule as a run configuration states it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ScheduleConfig {
    /// How the signal decays, by default `linear`.
    pub shape: SignalShape,
    /// Number of sweeps over the sites, by default 8.
    pub sweeps: usize,
    /// Signal level of a site after one touch in each sweep, in `(0, 1)`, by default 1e-3.
    pub final_signal: f64,
    /// Accept a chain that does not forget the data, by default false.
    pub allow_residual_signal: bool,
    /// Which sites each step touches, by default round-robin.
    pub order: OrderConfig,
    /// What a noised token becomes, by default uniform.
    pub noise: NoiseConfig,
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self {
            shape: SignalShape::default(),
            sweeps: 8,
            final_signal: RESIDUAL_BOUND,
            allow_residual_signal: false,
            order: OrderConfig::default(),
            noise: NoiseConfig::default(),
        }
    }
}

/// Reads a variant without keys. By itself serde passes over the keys that stand there.
pub(crate) fn no_keys<'de, D: Deserializer<'de>>(deserializer: D) -> Result<(), D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NoKeys {}
    NoKeys::deserialize(deserializer).map(|NoKeys {}| ())
}

impl Schedule {
    /// The schedule a configuration describes over `len` sites and `vocab` tokens. `counts`, shape `[token]`, is what unigram
    /// noise needs, `mask` what absorbing noise needs.
    ///
    /// # Errors
    /// Those of [`SiteOrder::from_config`], [`NoiseLaw::from_config`] and [`Schedule::new`].
    pub fn from_config(
        config: &ScheduleConfig,
        len: usize,
        vocab: usize,
        counts: Option<&[u64]>,
        mask: Option<Token>,
    ) -> Result<Self, ScheduleError> {
        let order = SiteOrder::from_config(&config.order, len, config.sweeps)?;
        let law = NoiseLaw::from_config(&config.noise, vocab, counts, mask)?;
        Self::new(config.shape, order, law, config.final_signal, config.allow_residual_signal)
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
        for order in [OrderConfig::RoundRobin, permutation, scan, chromatic, spaced, strided] {
            for noise in [NoiseConfig::Uniform, mixture.clone()] {
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
        let text = "shape = 'log-linear'\n[order]\nkind = 'random-scan'\nseed = 3";
        let config: ScheduleConfig = toml::from_str(text).unwrap();
        assert_eq!(config.order, OrderConfig::RandomScan { seed: 3 });
        let schedule = Schedule::from_config(&ScheduleConfig::default(), 5, 3, None, None).unwrap();
        assert_eq!((schedule.horizon(), schedule.sweeps(), schedule.len()), (40, 8, 5));
    }
}
