//! The noise distribution `q` over tokens.

use glauber_tokens::Token;

use crate::ScheduleError;
use crate::moving::Moving;
#[cfg(feature = "serde")]
use crate::schedule_config::no_keys;

/// Configuration of the noise distribution; the key `kind` selects the variant.
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "snake_case", deny_unknown_fields)
)]
pub enum NoiseConfig {
    /// Uniform over all tokens.
    #[default]
    #[cfg_attr(feature = "serde", serde(deserialize_with = "no_keys"))]
    Uniform,
    /// The frequencies of the training data.
    Unigram {
        /// Added to each token's count; at least 0, default 1.
        #[cfg_attr(feature = "serde", serde(default = "one"))]
        pseudo_count: f64,
    },
    /// All mass on the mask token.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "no_keys"))]
    Absorbing,
    /// Masks far from the data, other tokens near the data ([`NoiseLaw::moving`]).
    Moving {
        /// The maximal share of sites with a token that is neither signal nor mask, in `(0, 1)`.
        share: f64,
    },
    /// A weighted mean of constant laws.
    Mixture {
        /// The laws and their weights.
        parts: Vec<MixturePart>,
    },
}

/// One law of a mixture.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct MixturePart {
    /// Its weight, at least 0; the weights need not sum to one.
    pub weight: f64,
    /// The law.
    pub law: NoiseConfig,
}

#[cfg(feature = "serde")]
fn one() -> f64 {
    1.0
}

/// A noise distribution `q` over the tokens `0..V`, validated and immutable, with a table for draws by inversion.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseLaw {
    probabilities: Vec<f64>,
    cumulative: Vec<f64>,
    last_possible: Token,
    mask: Option<Token>,
    pub(crate) moving: Option<Box<Moving>>,
}

impl NoiseLaw {
    /// `q(a) = 1/V`.
    ///
    /// # Errors
    /// [`ScheduleError::EmptyVocabulary`].
    pub fn uniform(vocab: usize) -> Result<Self, ScheduleError> {
        Self::from_weights(vec![1.0; vocab], "uniform weights", "raise the vocabulary")
    }

    /// `q(a) ∝ counts(a) + pseudo_count`, shape `[token]`.
    ///
    /// With `pseudo_count = 0` a token that never occurs has `q(a) = 0`. Noise never draws such a token, so a site
    /// shows it only as signal. Equation (H), which divides by `Π_t(a)`, does not apply to it.
    ///
    /// # Errors
    /// When there is no token, the pseudo-count is negative or not finite, or all counts and the pseudo-count are zero.
    pub fn unigram(counts: &[u64], pseudo_count: f64) -> Result<Self, ScheduleError> {
        let good = pseudo_count >= 0.0 && pseudo_count.is_finite();
        ScheduleError::unless_in_range(good, "pseudo_count", pseudo_count, "a finite number of at least 0")?;
        let weights = counts.iter().map(|&n| n as f64 + pseudo_count).collect();
        Self::from_weights(weights, "the token counts", "raise `pseudo_count`")
    }

    /// All mass on `mask`.
    ///
    /// # Errors
    /// When the vocabulary is empty or lacks `mask`.
    pub fn absorbing(vocab: usize, mask: Token) -> Result<Self, ScheduleError> {
        let mut weights = vec![0.0; vocab];
        match weights.get_mut(mask as usize) {
            Some(weight) => *weight = 1.0,
            None if vocab == 0 => return Err(ScheduleError::EmptyVocabulary),
            None => return Err(ScheduleError::OutsideVocabulary { token: mask, vocab }),
        }
        Ok(Self { mask: Some(mask), ..Self::from_weights(weights, "absorbing weights", "name a mask token")? })
    }

    /// The mean of laws over one vocabulary with weights of at least 0, which need not sum to one.
    ///
    /// # Errors
    /// When there is no part, a part moves, vocabularies differ, a weight is negative or not finite, or all are zero.
    pub fn mixture(parts: &[(f64, NoiseLaw)]) -> Result<Self, ScheduleError> {
        let vocab = parts.first().map_or(0, |(_, law)| law.vocab());
        let mut weights = vec![0.0; vocab];
        for (weight, law) in parts {
            let good = *weight >= 0.0 && weight.is_finite();
            ScheduleError::unless_in_range(good, "weight", *weight, "a finite number of at least 0")?;
            if law.is_moving() {
                let expected = "expected laws that are constant over the signal levels";
                return Err(ScheduleError::Law(format!("a part of a mixture is of kind `moving`, {expected}")));
            }
            if law.vocab() != vocab {
                return Err(ScheduleError::VocabularySize {
                    what: "probabilities in a part of a mixture",
                    found: law.vocab(),
                    vocab,
                });
            }
            for (sum, q) in weights.iter_mut().zip(law.probabilities()) {
                *sum += weight * q;
            }
        }
        if parts.is_empty() {
            return Err(no_mass("the weights of a mixture without parts", "add an entry to `parts`"));
        }
        let mask = parts.iter().find_map(|(_, law)| law.mask);
        Ok(Self { mask, ..Self::from_weights(weights, "the weights of a mixture", "raise a `weight`")? })
    }

    /// The law of a configuration. `unigram` needs `counts`, shape `[token]`; `absorbing` and `moving` need `mask`.
    ///
    /// # Errors
    /// [`ScheduleError::Law`] when a needed input is absent, and those of the constructors.
    pub fn from_config(
        config: &NoiseConfig,
        vocab: usize,
        counts: Option<&[u64]>,
        mask: Option<Token>,
    ) -> Result<Self, ScheduleError> {
        let missing = |kind: &str, missing: &str| {
            ScheduleError::Law(format!("noise kind `{kind}` needs {missing}, but none was given"))
        };
        let needed = |kind| mask.ok_or_else(|| missing(kind, "a mask token in the vocabulary"));
        match config {
            NoiseConfig::Uniform => Self::uniform(vocab),
            NoiseConfig::Unigram { pseudo_count } => {
                let counts = counts.ok_or_else(|| missing("unigram", "token counts of the training data"))?;
                if counts.len() != vocab {
                    return Err(ScheduleError::VocabularySize { what: "token counts", found: counts.len(), vocab });
                }
                Self::unigram(counts, *pseudo_count)
            }
            NoiseConfig::Absorbing => Self::absorbing(vocab, needed("absorbing")?),
            NoiseConfig::Moving { share } => Self::moving(vocab, needed("moving")?, *share),
            NoiseConfig::Mixture { parts } => {
                let laws = parts
                    .iter()
                    .map(|part| Ok((part.weight, Self::from_config(&part.law, vocab, counts, mask)?)))
                    .collect::<Result<Vec<_>, ScheduleError>>()?;
                Self::mixture(&laws)
            }
        }
    }

    fn from_weights(weights: Vec<f64>, what: &str, fix: &str) -> Result<Self, ScheduleError> {
        if weights.is_empty() {
            return Err(ScheduleError::EmptyVocabulary);
        }
        let total: f64 = weights.iter().sum();
        let last = weights.iter().rposition(|&w| w > 0.0);
        let Some(last) = last.filter(|_| total > 0.0) else {
            return Err(no_mass(what, fix));
        };
        let mut sum = 0.0;
        let cumulative = weights
            .iter()
            .map(|w| {
                sum += w;
                sum / total
            })
            .collect();
        Ok(Self {
            probabilities: weights.iter().map(|w| w / total).collect(),
            cumulative,
            last_possible: last as Token,
            mask: None,
            moving: None,
        })
    }

    /// The mask token of absorbing noise, or of the absorbing part of a mixture. Data never contain it.
    pub fn mask(&self) -> Option<Token> {
        self.mask
    }

    /// Number of tokens `V`.
    pub fn vocab(&self) -> usize {
        self.probabilities.len()
    }

    /// `q(a)`.
    ///
    /// # Panics
    /// When `a` is outside the vocabulary.
    pub fn probability(&self, a: Token) -> f64 {
        self.probabilities[a as usize]
    }

    /// `ln q(a)` in nats, `−∞` where `q(a) = 0`.
    ///
    /// # Panics
    /// When `a` is outside the vocabulary.
    pub fn log_probability(&self, a: Token) -> f64 {
        self.probability(a).ln()
    }

    /// `q`, shape `[token]`.
    pub fn probabilities(&self) -> &[f64] {
        &self.probabilities
    }

    /// The token at a uniform number in `[0, 1)`, by inversion of the cumulative distribution. Never a token of probability 0.
    pub fn draw(&self, uniform: f64) -> Token {
        // The first entry above `uniform` exceeds its predecessor, so its probability is positive.
        let at = self.cumulative.partition_point(|&c| c <= uniform);
        (at as Token).min(self.last_possible)
    }
}

fn no_mass(what: &str, fix: &str) -> ScheduleError {
    ScheduleError::Law(format!("{what} sum to zero, so they define no distribution; {fix}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn laws_have_the_stated_probabilities() {
        assert_eq!(NoiseLaw::uniform(4).unwrap().probabilities(), [0.25; 4]);
        let unigram = NoiseLaw::unigram(&[0, 2, 5], 1.0).unwrap();
        assert_eq!(unigram.probabilities(), [0.1, 0.3, 0.6]);
        let absorbing = NoiseLaw::absorbing(3, 2).unwrap();
        assert_eq!(absorbing.probabilities(), [0.0, 0.0, 1.0]);
        assert_eq!(absorbing.log_probability(0), f64::NEG_INFINITY);
        let mixture = NoiseLaw::mixture(&[(3.0, NoiseLaw::uniform(3).unwrap()), (1.0, absorbing)]).unwrap();
        for (found, expected) in mixture.probabilities().iter().zip([0.25, 0.25, 0.5]) {
            assert!((found - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let error = NoiseLaw::from_config(&NoiseConfig::Absorbing, 3, None, None).unwrap_err().to_string();
        assert!(error.contains("absorbing") && error.contains("mask"), "{error}");
        let config = NoiseConfig::Unigram { pseudo_count: 1.0 };
        let error = NoiseLaw::from_config(&config, 3, None, None).unwrap_err().to_string();
        assert!(error.contains("unigram") && error.contains("counts"), "{error}");
        assert!(NoiseLaw::from_config(&config, 3, Some(&[1, 2]), None).is_err());
    }

    #[test]
    fn laws_without_mass_are_refused() {
        assert!(NoiseLaw::uniform(0).is_err());
        assert!(NoiseLaw::unigram(&[0, 0], 0.0).is_err());
        assert!(NoiseLaw::unigram(&[1, 0], -1.0).is_err());
        assert!(NoiseLaw::unigram(&[1, 0], f64::NAN).is_err());
        assert!(NoiseLaw::absorbing(3, 3).is_err());
        assert!(NoiseLaw::mixture(&[]).is_err());
        assert!(NoiseLaw::mixture(&[(0.0, NoiseLaw::uniform(2).unwrap())]).is_err());
    }

    #[test]
    fn unknown_keys_are_refused_in_every_kind() {
        for text in [
            "kind = 'uniform'\nx = 1",
            "kind = 'absorbing'\npseudo_count = 1.0",
            "kind = 'unigram'\npseudo = 1.0",
            "kind = 'gaussian'",
        ] {
            assert!(toml::from_str::<NoiseConfig>(text).is_err(), "{text}");
        }
        let config: NoiseConfig = toml::from_str("kind = 'unigram'").unwrap();
        assert_eq!(config, NoiseConfig::Unigram { pseudo_count: 1.0 });
    }

    proptest! {
        #[test]
        fn draws_invert_the_cumulative_distribution(counts in prop::collection::vec(0u64..5, 1..9), u in 0.0..1.0f64) {
            prop_assume!(counts.iter().any(|&n| n > 0));
            let law = NoiseLaw::unigram(&counts, 0.0).unwrap();
            let token = law.draw(u) as usize;
            prop_assert!(counts[token] > 0);
            let below: f64 = law.probabilities()[..token].iter().sum();
            prop_assert!(below <= u + 1e-12 && u < below + law.probabilities()[token] + 1e-12);
        }

        #[test]
        fn the_extreme_draws_are_possible(counts in prop::collection::vec(0u64..2, 1..9)) {
            prop_assume!(counts.iter().any(|&n| n > 0));
            let law = NoiseLaw::unigram(&counts, 0.0).unwrap();
            for u in [0.0, 1.0 - f64::EPSILON / 2.0] {
                prop_assert!(counts[law.draw(u) as usize] > 0);
            }
        }
    }
}
