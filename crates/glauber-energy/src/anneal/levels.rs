//! The levels that an annealed chain climbs.

use super::{Increment, LevelStep, Population, Watch};
use crate::{EnergyError, Result};

/// Levels `0 < b ≤ 1`, ascending, one for each block update or one for each sweep; the last is 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Levels {
    /// A curve through (share of the work, level), both from 0 to 1, ascending.
    curve: Vec<f64>,
    sweeps: usize,
    by_sweep: bool,
}

impl Levels {
    /// Levels that rise linearly over a number of sweeps, one for each block update.
    ///
    /// # Errors
    /// When there is no sweep or more than 2²⁴.
    pub fn linear(sweeps: usize) -> Result<Self> {
        Self::along(vec![0.0, 1.0], sweeps)
    }

    /// Levels along a curve: `curve[k]` is the level after `k / (points − 1)` of the updates.
    ///
    /// # Errors
    /// When there is no sweep or more than 2²⁴, or the curve does not rise from 0 to 1.
    pub fn along(curve: Vec<f64>, sweeps: usize) -> Result<Self> {
        EnergyError::unless_in_range((1..=1 << 24).contains(&sweeps), "sweeps", sweeps as f64, "1 to 2^24")?;
        let rises = curve.len() > 1 && curve[0] == 0.0 && curve.last() == Some(&1.0) && curve.is_sorted();
        EnergyError::unless_in_range(rises, "levels", curve.len() as f64, "a curve that rises from 0 to 1")?;
        Ok(Self { curve, sweeps, by_sweep: false })
    }

    /// The same levels, but they rise at the beginning of each sweep only.
    pub fn by_sweep(self) -> Self {
        Self { by_sweep: true, ..self }
    }

    /// A curve found by a pilot run: each level is as far from the last as the conditional effective sample size of the
    /// pilot's particles allows, found by bisection. The pilot's own weights are not used, so what anneals along the
    /// frozen curve stays unbiased.
    ///
    /// `keep` is that size as a share of the particles, for instance 0.99. At most `limit` sweeps are spent; what is
    /// left of the way is then one jump of the pilot. The watcher sees the sweeps of the pilot.
    ///
    /// # Errors
    /// When `keep` is not between 0 and 1, there is no sweep, the target has no law somewhere, or the watcher stops.
    pub fn from_pilot(
        pilot: &mut dyn Population,
        keep: f64,
        limit: usize,
        sweeps: usize,
        watch: &mut Watch<'_>,
    ) -> Result<Self> {
        EnergyError::unless_in_range(keep > 0.0 && keep < 1.0, "keep", keep, "a share between 0 and 1")?;
        Self::linear(sweeps)?; // the number of sweeps is refused before the work
        let (mut curve, mut level) = (vec![0.0], 0.0);
        for update in 0..limit * pilot.blocks() {
            // Particles that the target forbids are no guide.
            let slopes: Vec<f64> = pilot.slopes().into_iter().filter(|slope| slope.is_finite()).collect();
            if slopes.is_empty() {
                return Err(EnergyError::NoSupport);
            }
            let to = next_level(&slopes, level, keep);
            let step = LevelStep { from: level, to, block: update % pilot.blocks() };
            pilot.weigh(step, Increment::Annealed)?;
            pilot.redraw(step)?;
            level = to;
            curve.push(level);
            if level == 1.0 {
                break;
            }
            let (done, last) = ((update + 1) / pilot.blocks(), (update + 1) % pilot.blocks() == 0);
            if last && watch(done, limit).is_break() {
                return Err(EnergyError::Stopped { done, of: limit });
            }
        }
        if level < 1.0 {
            curve.push(1.0);
        }
        Self::along(curve, sweeps)
    }

    /// The level after a share of the updates.
    pub fn at(&self, share: f64) -> f64 {
        let place = share.clamp(0.0, 1.0) * (self.curve.len() - 1) as f64;
        let below = (place as usize).min(self.curve.len() - 2);
        let part = place - below as f64;
        // At the end exactly 1: the last level is the target itself.
        if part >= 1.0 {
            self.curve[below + 1]
        } else {
            self.curve[below] + part * (self.curve[below + 1] - self.curve[below])
        }
    }

    /// The steps, sweep by sweep, of a population with so many blocks.
    pub fn sweeps(&self, blocks: usize) -> impl DoubleEndedIterator<Item = Vec<LevelStep>> + ExactSizeIterator {
        let updates = self.sweeps as f64 * blocks as f64;
        let level = move |sweep: usize, block: usize| match self.by_sweep {
            true => self.at((sweep + block.min(1)) as f64 / self.sweeps as f64),
            false => self.at((sweep as f64 * blocks as f64 + block as f64) / updates),
        };
        let step = move |sweep, block| LevelStep { from: level(sweep, block), to: level(sweep, block + 1), block };
        (0..self.sweeps).map(move |sweep| (0..blocks).map(|block| step(sweep, block)).collect())
    }
}

/// The largest level up to which the conditional effective sample size of `(b' − b) · slope` stays at `keep`.
fn next_level(slopes: &[f64], level: f64, keep: f64) -> f64 {
    let share = |to: f64| {
        let logs: Vec<f64> = slopes.iter().map(|slope| (to - level) * slope).collect();
        super::effective_particles(&logs) / slopes.len() as f64
    };
    if share(1.0) >= keep {
        return 1.0;
    }
    let (mut low, mut high) = (level, 1.0);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if share(middle) >= keep { low = middle } else { high = middle }
    }
    high
}
