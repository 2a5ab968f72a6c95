//! Noise law, site order and signal shape joined.

use std::borrow::Cow;

use glauber_tokens::{Site, Step, Token};

use crate::signal::Curve;
use crate::{NoiseLaw, ScheduleError, SignalShape, SiteOrder};

/// The maximal signal level at the horizon, unless residual signal is allowed.
pub const RESIDUAL_BOUND: f64 = 1e-3;

/// A forward chain: the sites that each step touches and its law `Π_t` on `V ∪ {φ}`. Validated and immutable.
///
/// In sweep `k` of `K` a touch keeps the token with probability `Π_t(φ) = 1 − β_k = α((k+1)/K) / α(k/K)`, `α(u)` being
/// the shape, or a list of levels ([`ending_at`](Self::ending_at)). If each sweep touches each site once, a site
/// touched `k` times has signal level `α(k/K)`.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    curve: Curve,
    allow_residual: bool,
    order: SiteOrder,
    law: NoiseLaw,
    /// For a moving law: the law of sites after each number of touches, shape `[sweep + 1]`, and the law of each touch,
    /// shape `[sweep]`.
    moving: Option<[Vec<NoiseLaw>; 2]>,
    /// `α(k/K)`, shape `[sweep + 1]`.
    levels: Vec<f64>,
    /// Signal level after each stored visit of each site, shape `[visit]`, sites in order; empty if `levels` suffices.
    visit_levels: Vec<Vec<f64>>,
    final_signal: f64,
}

impl Schedule {
    /// Builds a schedule. `final_level` is the signal level after one touch in each sweep.
    ///
    /// # Errors
    /// If `final_level` is not in `(0, 1)`. If a site ends above [`RESIDUAL_BOUND`] and `allow_residual` is false. If
    /// the law moves and the sites of a sweep have different levels.
    pub fn new(
        shape: SignalShape,
        order: SiteOrder,
        law: NoiseLaw,
        final_level: f64,
        allow_residual: bool,
    ) -> Result<Self, ScheduleError> {
        Self::along(Curve::Shape(shape), order, law, final_level, allow_residual)
    }

    /// Builds a schedule with a level for each sweep: reverse sweep `k` ends at `ends[k]`, the forward chain at
    /// `final_level`. With fewer sweeps the chain is closer to autoregression; the single sweep `[1.0]` is
    /// autoregression.
    ///
    /// ```
    /// use glauber_schedule::{NoiseLaw, Schedule, SiteOrder};
    ///
    /// // Write most of it in one sweep, then mend it in two.
    /// let order = SiteOrder::round_robin(16, 3)?;
    /// let schedule = Schedule::ending_at(&[0.85, 0.95, 1.0], order, NoiseLaw::uniform(27)?, 1e-3, false)?;
    /// assert_eq!([0, 16, 32, 48].map(|t| schedule.signal_level(0, t)), [1.0, 0.95, 0.85, 1e-3]);
    /// # Ok::<(), glauber_schedule::ScheduleError>(())
    /// ```
    ///
    /// # Errors
    /// [`ScheduleError::SweepEnds`] when the levels, one per sweep of the order, do not rise from above `final_level`
    /// to 1. Those of [`new`](Self::new).
    pub fn ending_at(
        ends: &[f64],
        order: SiteOrder,
        law: NoiseLaw,
        final_level: f64,
        allow_residual: bool,
    ) -> Result<Self, ScheduleError> {
        let levels: Vec<f64> = ends.iter().rev().copied().chain([final_level]).collect();
        let falls = levels.first() == Some(&1.0) && levels.windows(2).all(|pair| pair[0] > pair[1]);
        match falls && ends.len() == order.sweeps() {
            true => Self::along(Curve::Listed(levels), order, law, final_level, allow_residual),
            false => Err(ScheduleError::SweepEnds { found: ends.to_vec(), sweeps: order.sweeps(), final_level }),
        }
    }

    /// The same chain through other levels, one per sweep, as in [`ending_at`](Self::ending_at). Adjacent levels may be
    /// equal: at a constant level, `HeatBath` and `Remask` of `glauber-chain` correct earlier draws.
    ///
    /// # Errors
    /// [`ScheduleError::SweepEnds`] when the levels decrease, do not begin above the final level or do not end at 1.
    /// Those of [`SiteOrder::with_sweeps`] and [`new`](Self::new).
    pub fn through(&self, ends: &[f64]) -> Result<Self, ScheduleError> {
        let final_level = self.levels[self.sweeps()];
        let levels: Vec<f64> = ends.iter().rev().copied().chain([final_level]).collect();
        let rises = levels.windows(2).all(|pair| pair[0] >= pair[1]);
        if levels.first() != Some(&1.0) || !rises || ends.first().is_none_or(|first| *first <= final_level) {
            return Err(ScheduleError::SweepEnds { found: ends.to_vec(), sweeps: ends.len(), final_level });
        }
        let order = self.order.with_sweeps(ends.len())?;
        Self::along(Curve::Listed(levels), order, self.law.clone(), final_level, self.allow_residual)
    }

    fn along(
        curve: Curve,
        order: SiteOrder,
        law: NoiseLaw,
        final_level: f64,
        allow_residual: bool,
    ) -> Result<Self, ScheduleError> {
        let good = final_level > 0.0 && final_level < 1.0;
        ScheduleError::unless_in_range(good, "final_signal", final_level, "a number strictly between 0 and 1")?;
        let sweeps = order.sweeps();
        let levels: Vec<f64> = (0..=sweeps).map(|k| curve.level(k as f64 / sweeps as f64, final_level)).collect();
        if law.is_moving() && !order.is_balanced() {
            let fix = "an order that touches each site once per sweep; set another `order`";
            return Err(ScheduleError::Law(format!("noise of kind `moving` needs {fix}")));
        }
        let moving = law.is_moving().then(|| {
            let steps = levels.windows(2).map(|pair| law.between(pair[0], pair[1]).into_owned()).collect();
            [levels.iter().map(|&level| law.at(level).into_owned()).collect(), steps]
        });
        let visit_levels = Vec::new();
        let mut schedule =
            Self { curve, allow_residual, order, law, moving, levels, visit_levels, final_signal: final_level };
        if !schedule.order.is_balanced() {
            schedule.visit_levels = (0..schedule.len()).map(|site| schedule.levels_of_visits(site)).collect();
        }
        let horizon = schedule.horizon();
        let (site, level) = (0..schedule.len())
            .map(|site| (site, schedule.signal_level(site, horizon)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap_or((0, final_level));
        schedule.final_signal = level;
        if level > RESIDUAL_BOUND * (1.0 + 1e-12) && !allow_residual {
            return Err(ScheduleError::ResidualSignal { site, level, sweeps, bound: RESIDUAL_BOUND });
        }
        Ok(schedule)
    }

    /// The same chain with another number of sweeps. Shape, final level, noise law and kind of order stay the same;
    /// listed levels are interpolated linearly. More sweeps cost more and add less noise per touch. A network trained
    /// on one number of sweeps can be sampled with another.
    ///
    /// Times correspond by the fraction `t/T`. If each sweep touches each site once, the level after sweep `k` of `K`
    /// is `α(k/K)`, so both schedules agree at common ends of sweeps. Within a sweep, touched and untouched sites
    /// differ in level, more so with fewer sweeps. A network trained on many sweeps has not seen such contexts.
    ///
    /// # Errors
    /// Those of [`SiteOrder::with_sweeps`] and of [`Schedule::new`]: a random scan of fewer sweeps may leave residual signal.
    pub fn with_sweeps(&self, sweeps: usize) -> Result<Self, ScheduleError> {
        let order = self.order.with_sweeps(sweeps)?;
        // The levels end with what the shape was given; `final_signal` is what the visits made of it.
        let final_level = self.levels[self.sweeps()];
        Self::along(self.curve.clone(), order, self.law.clone(), final_level, self.allow_residual)
    }

    /// An unbalanced order is stored completely, so its stored visits are all visits.
    fn levels_of_visits(&self, site: Site) -> Vec<f64> {
        let visits = self.order.stored_visits(site).iter();
        visits
            .scan(1.0, |level, &t| {
                *level *= self.keep_probability(t);
                Some(*level)
            })
            .collect()
    }

    /// Number of steps `T`.
    pub fn horizon(&self) -> Step {
        self.order.horizon()
    }

    /// Number of sweeps `K`.
    pub fn sweeps(&self) -> usize {
        self.order.sweeps()
    }

    /// Number of sites `L`.
    #[allow(clippy::len_without_is_empty)] // at least one site always
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// The noise distribution `q`; for a moving law, `q` at the horizon.
    pub fn law(&self) -> &NoiseLaw {
        self.moving.as_ref().and_then(|[laws, _]| laws.last()).unwrap_or(&self.law)
    }

    /// `q` of a site at time `t`: the law of its token if it is not signal. Times past the horizon count as the
    /// horizon.
    ///
    /// # Panics
    /// When there is no such site.
    pub fn law_at(&self, site: Site, t: Step) -> &NoiseLaw {
        self.moving.as_ref().map_or(&self.law, |[laws, _]| &laws[self.order.touches(site, t)])
    }

    /// The law of noise drawn by a touch at step `t`.
    ///
    /// # Panics
    /// When `t ≥ T` and the law moves.
    pub fn step_law(&self, t: Step) -> &NoiseLaw {
        self.moving.as_ref().map_or(&self.law, |[_, steps]| &steps[self.order.touch_of(t)])
    }

    /// The given noise law, for levels in continuous time: [`NoiseLaw::at`], [`NoiseLaw::rate`].
    pub fn law_of_levels(&self) -> &NoiseLaw {
        &self.law
    }

    /// The site order.
    pub fn order(&self) -> &SiteOrder {
        &self.order
    }

    /// The sites that step `t` touches.
    ///
    /// # Panics
    /// When `t ≥ T`.
    pub fn sites(&self, t: Step) -> &[Site] {
        self.order.sites(t)
    }

    /// `β_t`, the probability that a touch at step `t` draws noise.
    ///
    /// # Panics
    /// When `t ≥ T`.
    pub fn beta(&self, t: Step) -> f64 {
        1.0 - self.keep_probability(t)
    }

    /// `Π_t(φ) = 1 − β_t`, the probability that a touch at step `t` leaves the token alone.
    ///
    /// # Panics
    /// When `t ≥ T`.
    pub fn keep_probability(&self, t: Step) -> f64 {
        let touch = self.order.touch_of(t);
        self.levels[touch + 1] / self.levels[touch]
    }

    /// `ln Π_t(φ)` in nats.
    ///
    /// # Panics
    /// When `t ≥ T`.
    pub fn log_keep_probability(&self, t: Step) -> f64 {
        self.keep_probability(t).ln()
    }

    /// `Π_t(a) = β_t q(a)`.
    ///
    /// # Panics
    /// When `t ≥ T` or `a` is outside the vocabulary.
    pub fn noise_probability(&self, t: Step, a: Token) -> f64 {
        self.beta(t) * self.step_law(t).probability(a)
    }

    /// `ln Π_t(a)` in nats, `−∞` where `q(a) = 0`.
    ///
    /// # Panics
    /// When `t ≥ T` or `a` is outside the vocabulary.
    pub fn log_noise_probability(&self, t: Step, a: Token) -> f64 {
        self.beta(t).ln() + self.step_law(t).log_probability(a)
    }

    /// `α_j(t)`: the probability that site `j` has drawn no noise in the steps `0..t` (equation (M)). Times past the horizon count
    /// as the horizon.
    ///
    /// # Panics
    /// When there is no such site.
    pub fn signal_level(&self, site: Site, t: Step) -> f64 {
        let touches = self.order.touches(site, t);
        match (self.visit_levels.is_empty(), touches) {
            (true, _) => self.levels[touches],
            (false, 0) => 1.0,
            (false, _) => self.visit_levels[site][touches - 1],
        }
    }

    /// `α_j(t)` of every site, shape `[site]`.
    ///
    /// # Panics
    /// When `out` does not have one entry for each site.
    pub fn signal_levels(&self, t: Step, out: &mut [f64]) {
        assert_eq!(out.len(), self.len(), "one signal level for each site");
        for (site, level) in out.iter_mut().enumerate() {
            *level = self.signal_level(site, t);
        }
    }

    /// The signal level of all sites after a fraction `u` of the horizon, in continuous time. It equals the levels at
    /// the ends of sweeps, and is geometric in between, as for noise at a constant rate.
    pub fn level(&self, u: f64) -> f64 {
        let sweeps = self.sweeps();
        let at = (u.clamp(0.0, 1.0) * sweeps as f64).min(sweeps as f64);
        let sweep = (at as usize).min(sweeps - 1);
        let (from, to) = (self.levels[sweep], self.levels[sweep + 1]);
        from * (to / from).powf(at - sweep as f64)
    }

    /// The log signal-to-noise ratio `ln(α_j(t) / (1 − α_j(t)))` in nats, `+∞` where the site is clean.
    ///
    /// # Panics
    /// When there is no such site.
    pub fn log_snr(&self, site: Site, t: Step) -> f64 {
        log_snr(self.signal_level(site, t))
    }

    /// `max_j α_j(T)`: the residual signal at the horizon.
    pub fn final_signal(&self) -> f64 {
        self.final_signal
    }

    /// The first step before which every site has `α_j ≤ level`, or the horizon if there is none.
    pub fn step_at_level(&self, level: f64) -> Step {
        if level >= 1.0 {
            return 0;
        }
        if self.visit_levels.is_empty() {
            // A sweep's last step touches some site for the first time in that sweep.
            let touches = self.levels.partition_point(|&l| l > level);
            return self.order.sweep_start(touches);
        }
        (0..self.len())
            .map(|site| {
                let at = self.visit_levels[site].partition_point(|&l| l > level);
                self.order.stored_visits(site).get(at).map_or(self.horizon(), |&t| t + 1)
            })
            .max()
            .unwrap_or(0)
    }
}

impl<'a> From<&'a Schedule> for Cow<'a, Schedule> {
    fn from(schedule: &'a Schedule) -> Self {
        Cow::Borrowed(schedule)
    }
}

impl From<Schedule> for Cow<'_, Schedule> {
    fn from(schedule: Schedule) -> Self {
        Cow::Owned(schedule)
    }
}

fn log_snr(level: f64) -> f64 {
    level.ln() - (1.0 - level).ln()
}

#[cfg(test)]
mod tests;
