//! The interface of reverse kernels: how a touched site is redrawn.

use std::fmt::Debug;
use std::ops::Deref;

use glauber_schedule::{Schedule, SiteOrder};
use glauber_tokens::{Site, Step, Token};
use rayon::prelude::*;

use crate::controls::draw;
use crate::{ChainError, Chains, Result, SiteConditional, StepDiagnostics, update};

/// One touch of one site: step `t` drew from the noise law `Π_t`, and the site shows a token after it. A kernel undoes
/// the touch.
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
    /// The law of the step's noise, shape `[token]`.
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

    /// The touch of a step without signal, `Π_t(φ) = 0`.
    pub(crate) fn forgetful(step: Step, noise: &'a [f64]) -> Self {
        Self { step, site: 0, shown: 0, keep: 0.0, noise, schedule: None }
    }

    pub(crate) fn at(self, site: Site, shown: Token) -> Self {
        Self { site, shown, ..self }
    }
}

/// The sites and the noise law of each step: from a [`Schedule`], or from a [`SiteOrder`] alone.
///
/// An order alone is for a fixed target, as in Markov-chain Monte Carlo. Its steps have no signal, `Π_t(φ) = 0`, and
/// uniform noise.
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

/// The reason that no token can be drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Refusal {
    /// The total weight of the conditional, which is not a positive finite number.
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

/// How a reverse chain redraws a site, given the conditional `r` of the site before the step.
///
/// A kernel is defined by its law, [`log_probabilities`](Self::log_probabilities). Samplers draw from it with one
/// uniform number, and likelihood bounds sum over it. With exact conditionals and single sites, a chain is exact if the
/// law takes `Π_t(φ) r + Π_t`, the law after the step, to `r`. [`HeatBath`](crate::HeatBath) and [`Lazy`](crate::Lazy)
/// do.
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
    /// Converts `log r` of a site, shape `[token]`, to the log-probabilities of the kernel's draw, in nats, in place.
    /// `r` may have any positive mass; the law sums to 1.
    ///
    /// # Errors
    /// If `r` has no positive finite mass, or the current token is impossible.
    ///
    /// # Panics
    /// May panic if `rates` and the touch have different vocabularies.
    fn log_probabilities(&self, touch: &Touch<'_>, rates: &mut [f64]) -> Result<(), Refusal>;

    /// The name of the kernel; by default its type name.
    fn name(&self) -> &'static str {
        let path = std::any::type_name::<Self>().split('<').next().unwrap_or_default();
        path.rsplit("::").next().unwrap_or(path)
    }

    /// Whether the law of a touch depends on the conditional. If not, the site need not be requested, and `rates` are
    /// uniform.
    fn asks(&self, touch: &Touch<'_>) -> bool {
        let _ = touch;
        true
    }

    /// Whether [`draw`](Self::draw) reads log-probabilities (the default) instead of probabilities.
    fn reads_logs(&self) -> bool {
        true
    }

    /// Whether a draw is plain inversion of the conditional, independent of the current token, so that a
    /// [`LawTable`](crate::LawTable) can replace it.
    fn is_plain(&self) -> bool {
        false
    }

    /// Draws at a uniform number in `[0, 1)`. `rates` is the conditional, shape `[token]`, in the form of
    /// [`reads_logs`](Self::reads_logs); it is overwritten. Override both if a draw is cheaper than the whole law.
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

    /// Redraws the free sites of `sites` in every chain, from one evaluation, for a fixed target. Uses one uniform
    /// number per redraw. Evaluates nothing if all sites are clamped.
    ///
    /// # Errors
    /// If the conditional fails, writes a NaN, has zero mass, or has another number of sites than the chains. If a
    /// chain shows a token that is impossible or outside the vocabulary. Chains before the failing one have been
    /// updated.
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

    /// Updates the sites of `steps` in sequence, with one evaluation per step for all chains. A sweep of Markov-chain
    /// Monte Carlo has the steps `0..order.horizon()` of an order; a reverse chain has those of a schedule in reverse.
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

    /// [`run`](Self::run) with the chains divided over the rayon pool, for conditionals that are cheap to evaluate. The
    /// result is equal bit for bit.
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

/// Kernels behind pointers: `&K`, and `Box<dyn ReverseKernel>` for a kernel chosen at run time.
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
