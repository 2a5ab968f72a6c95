//! A noise law that moves with the signal level.

use std::borrow::Cow;

use glauber_tokens::Token;

use crate::{NoiseLaw, ScheduleError};

/// The parameters of a moving law: its two ends and its speed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Moving {
    masks: NoiseLaw,
    tokens: NoiseLaw,
    /// `B` of the odds `B √m`.
    speed: f64,
}

impl Moving {
    /// `√m` at a signal level: the root of `1 + m + B √m = 1 / α`.
    fn root(&self, level: f64) -> f64 {
        let odds = (1.0 - level) / level;
        // The smaller of `B` and the square root cancels what is left of them near the data.
        2.0 * odds / (self.speed + (self.speed * self.speed + 4.0 * odds).sqrt())
    }

    /// The probability of tokens in the law at a level.
    fn share(&self, level: f64) -> f64 {
        self.speed / (self.speed + self.root(level))
    }

    /// A law with one weight for the mask and another for the other tokens.
    fn mixed(&self, masks: f64, tokens: f64) -> NoiseLaw {
        let parts = [(masks, self.masks.clone()), (tokens, self.tokens.clone())];
        NoiseLaw::mixture(&parts).expect("weights of at least 0 and one above it, of laws of one vocabulary")
    }
}

impl NoiseLaw {
    /// Noise that is masks far from the data and, near the data, uniform over the other tokens (GIDD, von Rütte et al.
    /// 2025). A model learns to correct tokens as well as to write them.
    ///
    /// At time `u` in `[0, 1]` a site shows its clean token with probability `α = (1 − u) / C`, the mask with `u / C`
    /// and any token with `c / C`. Here `c = B √(u (1 − u))`, `C = 1 + c` and `B = 2 share / (1 − share)`, so that
    /// `share` of the sites show such a token at the maximum, `u = 1/2`. In odds to the clean token these are `m = u /
    /// (1 − u)` masks and `B √m` tokens. The law depends only on the signal level, not on the shape of the schedule:
    /// see [`at`](Self::at).
    ///
    /// Its [`probabilities`](Self::probabilities) are those without any signal: masks only.
    ///
    /// # Errors
    /// If the vocabulary is empty, lacks `mask` or has no other token, or `share` is not in `(0, 1)`.
    pub fn moving(vocab: usize, mask: Token, share: f64) -> Result<Self, ScheduleError> {
        let good = share > 0.0 && share < 1.0;
        ScheduleError::unless_in_range(good, "share", share, "a number strictly between 0 and 1")?;
        let mut law = Self::absorbing(vocab, mask)?;
        let others: Vec<u64> = (0..vocab as Token).map(|token| u64::from(token != mask)).collect();
        let tokens = Self::unigram(&others, 0.0)?;
        let moving = Moving { masks: law.clone(), tokens, speed: 2.0 * share / (1.0 - share) };
        law.moving = Some(Box::new(moving));
        Ok(law)
    }

    /// Whether the law depends on the signal level.
    pub fn is_moving(&self) -> bool {
        self.moving.is_some()
    }

    /// `q` at a signal level: the law of the token at a site that is not signal. A constant law is returned unchanged.
    pub fn at(&self, level: f64) -> Cow<'_, Self> {
        let at = |moving: &Moving| moving.mixed(moving.root(level), moving.speed);
        self.moving.as_deref().map_or(Cow::Borrowed(self), |moving| Cow::Owned(at(moving)))
    }

    /// `q(a)` at a signal level.
    ///
    /// # Panics
    /// When `a` is outside the vocabulary.
    pub fn probability_at(&self, level: f64, a: Token) -> f64 {
        let Some(moving) = self.moving.as_deref() else { return self.probability(a) };
        let share = moving.share(level);
        (1.0 - share) * moving.masks.probability(a) + share * moving.tokens.probability(a)
    }

    /// The token at a uniform number in `[0, 1)` under the law at a signal level. Never a token of probability 0.
    pub fn draw_at(&self, level: f64, uniform: f64) -> Token {
        let Some(moving) = self.moving.as_deref() else { return self.draw(uniform) };
        let share = moving.share(level);
        match uniform < share {
            true => moving.tokens.draw(uniform / share),
            false => moving.masks.draw(0.0),
        }
    }

    /// The law of noise between a signal level and a lower one. It takes [`at`](Self::at) of the first level to that of
    /// the second: `(1 − κ) q̃ = (1 − α') q' − κ (1 − α) q`, `κ = α' / α`.
    pub fn between(&self, level: f64, lower: f64) -> Cow<'_, Self> {
        let between = |moving: &Moving| moving.mixed(moving.root(level) + moving.root(lower), moving.speed);
        self.moving.as_deref().map_or(Cow::Borrowed(self), |moving| Cow::Owned(between(moving)))
    }

    /// The law of noise at a signal level: [`between`](Self::between) of two adjacent levels.
    pub fn rate(&self, level: f64) -> Cow<'_, Self> {
        self.between(level, level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shares of clean tokens, masks and other tokens at a time, by the definition.
    fn by_time(u: f64, share: f64) -> [f64; 3] {
        let c = 2.0 * share / (1.0 - share) * (u * (1.0 - u)).sqrt();
        [1.0 - u, u, c].map(|weight| weight / (1.0 + c))
    }

    #[test]
    fn it_is_the_law_of_its_time() {
        for share in [0.1, 0.3, 0.9] {
            let law = NoiseLaw::moving(4, 3, share).unwrap();
            for u in [1e-9, 0.01, 0.5, 0.7, 1.0 - 1e-6] {
                let [level, masks, tokens] = by_time(u, share);
                let at = law.at(level);
                // The root amplifies what rounding leaves of `1 − level`.
                assert!(((1.0 - level) * at.probability(3) - masks).abs() < 1e-12, "{share} {u}");
                assert!(((1.0 - level) * at.probability(0) - tokens / 3.0).abs() < 1e-12, "{share} {u}");
                for token in 0..4 {
                    assert!((law.probability_at(level, token) - at.probability(token)).abs() < 1e-15, "{share} {u}");
                }
                for uniform in [0.0, 0.2, 0.6, 0.99, 1.0 - f64::EPSILON / 2.0] {
                    let tokens = uniform < at.probabilities()[..3].iter().sum();
                    assert_eq!(law.draw_at(level, uniform) < 3, tokens, "{share} {u} {uniform}");
                }
            }
            assert!((by_time(0.5, share)[2] - share).abs() < 1e-15);
            assert_eq!(law.at(1.0).probabilities(), [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 0.0]);
        }
    }

    #[test]
    fn steps_carry_the_law_of_one_level_to_that_of_the_next() {
        let law = NoiseLaw::moving(3, 2, 0.3).unwrap();
        for (level, lower) in [(1.0, 0.9), (0.9, 0.5), (0.5, 0.4999), (0.4, 1e-3)] {
            let (before, after, step) = (law.at(level), law.at(lower), law.between(level, lower));
            let keep: f64 = lower / level;
            for token in 0..3 {
                let left = keep * (1.0 - level) * before.probability(token) + (1.0 - keep) * step.probability(token);
                assert!((left - (1.0 - lower) * after.probability(token)).abs() < 1e-14, "{level} {lower} {token}");
            }
        }
    }

    #[test]
    fn the_rate_is_the_derivative_of_the_law() {
        let law = NoiseLaw::moving(3, 2, 0.3).unwrap();
        for level in [0.95, 0.5, 0.05] {
            let (near, far) = (level * 1e-6f64.exp(), level * (-1e-6f64).exp());
            for token in 0..3 {
                let odds = |at: f64| (1.0 - at) / at * law.at(at).probability(token);
                let expected = level * (odds(far) - odds(near)) / 2e-6;
                assert!((law.rate(level).probability(token) - expected).abs() < 1e-6, "{level} {token}");
            }
        }
    }

    #[test]
    fn a_fixed_law_stays_what_it_is() {
        let law = NoiseLaw::uniform(3).unwrap();
        assert!(!law.is_moving() && matches!(law.at(0.5), Cow::Borrowed(_)));
        assert_eq!(*law.rate(0.3), law);
        assert!(NoiseLaw::moving(3, 2, 0.0).is_err() && NoiseLaw::moving(3, 2, 1.0).is_err());
        assert!(NoiseLaw::moving(3, 3, 0.5).is_err() && NoiseLaw::moving(1, 0, 0.5).is_err());
    }
}
