//! How long an evaluation is held.

use serde::{Deserialize, Serialize};

use crate::{ChainError, DrawControls};

/// After how many changes of a row's tokens its conditionals are evaluated again.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ChangesPerEvaluation {
    /// After this many, at least 1.
    Fixed(usize),
    /// After `max(1, scale · (1 − α) / α)`, rounded down, with `α` the signal level of the site at hand: many where there is much
    /// noise, because conditionals hardly depend on tokens that are noise, and one at a time near the data. `scale ≥ 0` is the number
    /// where signal and noise are even.
    Auto {
        /// Changes per evaluation at `α = 1/2`.
        scale: f64,
    },
}

impl ChangesPerEvaluation {
    /// The adaptive rule at the scale that `examples/skip_ahead.rs` settles on.
    pub const AUTO: Self = Self::Auto { scale: 1.0 };

    /// Changes after which a row is evaluated again, the last at a site of signal level `level`.
    pub(super) fn allowed(self, level: f64) -> usize {
        match self {
            Self::Fixed(changes) => changes,
            // The cast saturates, and rounds down.
            Self::Auto { scale } => ((scale * (1.0 - level) / level) as usize).max(1),
        }
    }

    fn validate(self) -> Result<(), ChainError> {
        let refuse = |key, found, expected| Err(ChainError::OutOfRange { key, found, expected });
        match self {
            Self::Fixed(0) => refuse("changes", 0.0, "at least 1 change for each evaluation"),
            Self::Auto { scale } if !(scale >= 0.0 && scale.is_finite()) => {
                refuse("scale", scale, "a finite number of at least 0")
            }
            _ => Ok(()),
        }
    }
}

/// How [`SkipAheadSampler`](crate::SkipAheadSampler) skips ahead. The default evaluates after every change and holds the conditioning
/// on the step without limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SkipAhead {
    changes: ChangesPerEvaluation,
    window: Option<usize>,
    controls: DrawControls,
}

impl Default for SkipAhead {
    fn default() -> Self {
        Self { changes: ChangesPerEvaluation::Fixed(1), window: None, controls: DrawControls::default() }
    }
}

impl SkipAhead {
    /// Evaluates a row again after so many changes, or after `window` steps of the schedule, whichever is first. A window of 1
    /// evaluates at every step, as the kernel [`Lazy`](crate::Lazy) does.
    ///
    /// # Errors
    /// When the number of changes or the window is 0, or a scale or a control is out of range.
    pub fn new(
        changes: ChangesPerEvaluation,
        window: Option<usize>,
        controls: DrawControls,
    ) -> Result<Self, ChainError> {
        changes.validate()?;
        if window == Some(0) {
            return Err(ChainError::OutOfRange { key: "window", found: 0.0, expected: "at least 1 step, or no limit" });
        }
        controls.validate()?;
        Ok(Self { changes, window, controls })
    }

    /// When tokens have changed too much to go on.
    pub fn changes(&self) -> ChangesPerEvaluation {
        self.changes
    }

    /// The most steps that an evaluation serves.
    pub fn window(&self) -> Option<usize> {
        self.window
    }

    /// How `r` is changed before the posterior is formed, as for [`Lazy`](crate::Lazy).
    pub fn controls(&self) -> DrawControls {
        self.controls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_settings_are_refused() {
        let controls = DrawControls::default();
        let one = ChangesPerEvaluation::Fixed(1);
        assert!(SkipAhead::new(one, Some(1), controls).is_ok());
        assert!(SkipAhead::new(one, Some(0), controls).is_err());
        assert!(SkipAhead::new(one, None, DrawControls { temperature: -1.0, ..controls }).is_err());
        assert!(SkipAhead::new(ChangesPerEvaluation::Fixed(0), None, controls).is_err());
        for scale in [-1.0, f64::NAN, f64::INFINITY] {
            assert!(SkipAhead::new(ChangesPerEvaluation::Auto { scale }, None, controls).is_err());
        }
    }

    #[test]
    fn noise_allows_more_changes() {
        let auto = ChangesPerEvaluation::Auto { scale: 2.0 };
        let found: Vec<usize> = [1.0, 0.9, 0.5, 0.1, 1e-3].map(|level| auto.allowed(level)).to_vec();
        assert_eq!(found, [1, 1, 2, 18, 1998]);
        assert_eq!(auto.allowed(1e-300), usize::MAX);
        assert_eq!(ChangesPerEvaluation::Auto { scale: 0.0 }.allowed(1e-3), 1);
    }
}
