//! The seam for reverse kernels: how a site is drawn that a step has touched.

use std::fmt::Debug;
use std::ops::Deref;

use glauber_schedule::{Schedule, SiteOrder};
use glauber_tokens::{Site, Step, Token};
use rayon::prelude::*;

use crate::controls::draw;
use crate::{ChainError, Chains, Result, SiteConditional, StepDiagnostics, update};

/// One touch of one site, to be undone: step `t` drew from the noise law `Π_t`, and the site shows
/// a token now.
#[derive(Debug, Clone, Copy)]
pub struct Touch<'a> {
    /// The step `t`: conditionals are those of `X_t`, before it.
    pub step: Step,
    /// The site.
    pub site: Site,
    /// The token that the site shows after the step.
    pub shown: Token,
    /// `Π_t(φ)`, the probability that the step left the token alone.
    pub keep: f64,
    /// What the step draws that draws noise, shape `[token]`.
    pub(crate) noise: &'a [f64],
    pub(crate) schedule: Option<&'a Schedule>,
}

impl<'a> Touch<'a> {
    /// Step `step` of a schedule touched `site`, which shows `shown` after it.
    ///
    /// # Panics
    /// When `step` is not below the horizon.
    pub fn new(schedule: &'a Schedule, step: Step, site: Site, shown: Token) -> Self {
        let (keep, noise) = (schedule.keep_probability(step), schedule.step_law(step).probabilities());
        Self { step, site, shown, keep, noise, schedule: Some(schedule) }
    }

    /// `Π_t(token)`, the probability that the step drew this token.
    ///
    /// # Panics
    /// When the token is outside the vocabulary.
    pub fn noise(&self, token: Token) -> f64 {
        (1.0 - self.keep) * self.noise[token as usize]
    }

    /// `α_i(t)`, the probability that the site was still data before the step.
    pub fn signal_level(&self) -> f64 {
        self.schedule.map_or(1.0, |schedule| schedule.signal_level(self.site, self.step))
    }

    /// The touch of a step that leaves nothing of its sites.
    pub(crate) fn forgetful(step: Step, noise: &'a [f64]) -> Self {
        Self { step, site: 0, shown: 0, keep: 0.0, noise, schedule: None }
    }

    pub(crate) fn at(self, site: Site, shown: Token) -> Self {
        Self { site, shown, ..self }
    }
}

/// The sites that each step touches and what it draws there: those of a [`Schedule`], or of a
/// [`SiteOrder`] alone.
///
/// An order alone is for a target that stays what it is, as in Markov-chain Monte Carlo. Its steps
/// leave nothing of a site, `Π_t(φ) = 0`, and draw every token alike.
#[derive(Debug, Clone, Copy)]
pub struct Steps<'a> {
    pub(crate) order: &'a SiteOrder,
    pub(crate) schedule: Option<&'a Schedule>,
}

impl<'a> From<&'a Schedule> for Steps<'a> {
    fn from(schedule: &'a Schedule) -> Self {
        Self { order: schedule.order(), schedule: Some(schedule) }
    }
}

impl<'a> From<&'a SiteOrder> for Steps<'a> {
    fn from(order: &'a SiteOrder) -> Self {
        Self { order, schedule: None }
    }
}

/// Why no token could be drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refusal {
    /// The total weight of the conditional is this, not a positive finite number.
    Mass(f64),
    /// The token shown has probability 0.
    Shown,
}

impl Refusal {
    pub(crate) fn at(self, row: usize, touch: &Touch<'_>) -> ChainError {
        let Touch { step, site, shown, .. } = *touch;
        match self {
            Self::Mass(mass) => ChainError::of_mass(row, site, step, mass),
            Self::Shown => ChainError::Impossible { site, token: shown, step },
        }
    }
}

/// How a reverse chain draws a site anew, given the conditional `r` of the site at the time before
/// the step.
///
/// A kernel is its law, [`log_probabilities`](Self::log_probabilities): samplers draw from it with
/// one uniform number, and likelihood bounds sum over it. A chain down a schedule is exact, with
/// exact conditionals and single sites, if the law takes `Π_t(φ) r + Π_t`, what a site shows after
/// the step, to `r`. [`HeatBath`](crate::HeatBath) and [`Lazy`](crate::Lazy) do.
///
/// ```
/// use glauber_chain::{DrawControls, Refusal, ReverseKernel, ReverseSampler, Sampler, Touch, oracles::MarkovSource};
/// use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
///
/// /// The square of the conditional, normalised.
/// #[derive(Debug)]
/// struct Sharp;
///
/// impl ReverseKernel for Sharp {
///     fn log_probabilities(&self, _touch: &Touch<'_>, rates: &mut [f64]) -> Result<(), Refusal> {
///         rates.iter_mut().for_each(|log| *log *= 2.0);
///         DrawControls::default().log_law(rates)
///     }
/// }
///
/// let source = MarkovSource::random(5, 1, 2.0)?;
/// let order = SiteOrder::round_robin(8, 4)?;
/// let schedule = Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(5)?, 1e-3, false)?;
/// let sampler = ReverseSampler::new(&schedule, Sharp);
/// let mut chains = sampler.start(10, 42);
/// sampler.sample(&source.conditional(&schedule)?, &mut chains)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait ReverseKernel: Debug + Send + Sync {
    /// Turns `log r` of a site, shape `[token]`, into the logarithms of the probabilities that a
    /// draw gives each token, in nats, in place. `r` may have any positive mass; the law sums to 1.
    ///
    /// # Errors
    /// When `r` has no positive finite mass, or the site shows what it cannot show.
    ///
    /// # Panics
    /// An implementation may panic when `rates` is of another vocabulary than the touch.
    fn log_probabilities(&self, touch: &Touch<'_>, rates: &mut [f64]) -> Result<(), Refusal>;

    /// What people call the kernel; by default the name of its type.
    fn name(&self) -> &'static str {
        let path = std::any::type_name::<Self>().split('<').next().unwrap_or_default();
        path.rsplit("::").next().unwrap_or(path)
    }

    /// Whether the law of a touch depends on the conditional. Where it does not, the site need not be asked for, and `rates` are those of an
    /// even law.
    fn asks(&self, touch: &Touch<'_>) -> bool {
        let _ = touch;
        true
    }

    /// Whether [`draw`](Self::draw) reads log-probabilities, as the default does, instead of
    /// probabilities.
    fn reads_logs(&self) -> bool {
        true
    }

    /// Whether a draw is plain inversion of the conditional, whatever stands there, so that it may
    /// come from a [`LawTable`](crate::LawTable).
    fn is_plain(&self) -> bool {
        false
    }

    /// The draw at a uniform number in `[0, 1)`. `rates` is the conditional, shape `[token]`, as
    /// [`reads_logs`](Self::reads_logs) asks for it; it is overwritten. Override both where a draw
    /// is cheaper than the whole law.
    ///
    /// # Errors
    /// As [`log_probabilities`](Self::log_probabilities).
    ///
    /// # Panics
    /// As [`log_probabilities`](Self::log_probabilities).
    fn draw(&self, touch: &Touch<'_>, rates: &mut [f64], uniform: f64) -> Result<Token, Refusal> {
        self.log_probabilities(touch, rates)?;
        rates.iter_mut().for_each(|log| *log = log.exp());
        draw(rates, uniform).map_err(Refusal::Mass)
    }

    /// Redraws the free sites of `sites` in every chain, from one evaluation, for a target that
    /// stays what it is. Uses one uniform number for each redraw; evaluates nothing where all the
    /// sites are clamped.
    ///
    /// # Errors
    /// When the conditional fails, writes a NaN or leaves no token possible, or has another number
    /// of sites than the chains, or when a chain shows a token outside the vocabulary, or one that
    /// it cannot show. Chains before the one at fault have been updated.
    fn update<C: SiteConditional + ?Sized>(
        &self,
        conditional: &C,
        chains: &mut Chains,
        step: Step,
        sites: &[Site],
    ) -> Result<StepDiagnostics>
    where
        Self: Sized,
    {
        update::update(self, conditional, chains, step, sites)
    }

    /// Updates the sites of `steps` in turn, all chains in one evaluation a step. A sweep of
    /// Markov-chain Monte Carlo takes the steps `0..order.horizon()` of an order; a reverse chain
    /// takes those of a schedule backwards.
    ///
    /// # Errors
    /// As [`update`](Self::update), and when schedule and conditional do not fit.
    ///
    /// # Panics
    /// When a step is not below the horizon.
    fn run<'a, C: SiteConditional + ?Sized>(
        &self,
        conditional: &C,
        chains: &mut Chains,
        of: impl Into<Steps<'a>>,
        steps: impl Iterator<Item = Step>,
    ) -> Result<StepDiagnostics>
    where
        Self: Sized,
    {
        let of = of.into();
        update::check_steps(conditional, chains, of)?;
        update::run_view(self, conditional, chains.view(), of, steps)
    }

    /// [`run`](Self::run) with the chains shared out over the threads of the rayon pool: for
    /// conditionals that are cheap to evaluate. The result is the same, bit by bit.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    ///
    /// # Panics
    /// As [`run`](Self::run).
    fn run_parallel<'a, C: SiteConditional + Sync + ?Sized>(
        &self,
        conditional: &C,
        chains: &mut Chains,
        of: impl Into<Steps<'a>>,
        steps: impl Iterator<Item = Step> + Clone + Sync,
    ) -> Result<StepDiagnostics>
    where
        Self: Sized,
    {
        let of = of.into();
        update::check_steps(conditional, chains, of)?;
        let run = |view| update::run_view(self, conditional, view, of, steps.clone());
        let shares = chains.shares().into_par_iter().map(run).collect::<Result<Vec<_>, _>>()?;
        Ok(shares.into_iter().sum())
    }
}

/// Kernels behind pointers: `&K`, and `Box<dyn ReverseKernel>` where the kernel is chosen at run
/// time.
impl<P: Deref<Target: ReverseKernel> + Debug + Send + Sync> ReverseKernel for P {
    fn log_probabilities(&self, touch: &Touch<'_>, rates: &mut [f64]) -> Result<(), Refusal> {
        (**self).log_probabilities(touch, rates)
    }

    fn name(&self) -> &'static str {
        (**self).name()
    }

    fn reads_logs(&self) -> bool {
        (**self).reads_logs()
    }

    fn asks(&self, touch: &Touch<'_>) -> bool {
        (**self).asks(touch)
    }

    fn is_plain(&self) -> bool {
        (**self).is_plain()
    }

    fn draw(&self, touch: &Touch<'_>, rates: &mut [f64], uniform: f64) -> Result<Token, Refusal> {
        (**self).draw(touch, rates, uniform)
    }
}
