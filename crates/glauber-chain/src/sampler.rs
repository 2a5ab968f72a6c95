//! The interface of samplers, which take chains down a schedule.

use std::fmt::Debug;
use std::ops::ControlFlow;

use glauber_schedule::Schedule;
use glauber_tokens::Step;

use crate::update::check_steps;
use crate::{ChainError, ChainRng, Chains, Result, SiteConditional, StepDiagnostics};

/// The progress of a run, passed to its watcher.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The current sweep of the slowest chain, counted down: the number of sweeps left.
    pub sweep: usize,
    /// The current time of the chains; their mean if times differ.
    pub step: Step,
    /// The current time of each chain, shape `[row]`: row `i` is a sample of `X_t` with `t = times[i]`.
    pub times: &'a [Step],
    /// The chains.
    pub chains: &'a Chains,
    /// Work done since the start of the call.
    pub diagnostics: StepDiagnostics,
}

/// A callback that watches a run, and may stop it.
pub type Watch<'w> = dyn FnMut(Progress<'_>) -> ControlFlow<()> + 'w;

/// Takes chains down a schedule using the conditionals of the target: [`ReverseSampler`](crate::ReverseSampler),
/// [`SkipAheadSampler`](crate::SkipAheadSampler), or your own.
///
/// ```
/// use glauber_chain::{HeatBath, ReverseSampler, Sampler, SkipAhead, SkipAheadSampler, oracles::MarkovSource};
/// use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
///
/// let source = MarkovSource::random(5, 1, 2.0)?;
/// let order = SiteOrder::round_robin(8, 4)?;
/// let schedule = Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(5)?, 1e-3, false)?;
/// let samplers: [Box<dyn Sampler>; 2] = [
///     Box::new(ReverseSampler::new(schedule.clone(), HeatBath::default())),
///     Box::new(SkipAheadSampler::new(schedule.clone(), SkipAhead::default())),
/// ];
/// for sampler in samplers {
///     let mut chains = sampler.start(10, 42); // 10 chains of noise, seed 42
///     let done = sampler.sample(&source.conditional(&schedule)?, &mut chains)?;
///     assert_eq!(done.updates, 10 * 4 * 8);
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Sampler: Debug + Send + Sync {
    /// The schedule.
    fn schedule(&self) -> &Schedule;

    /// Runs the reverse chain from time `from` to time `to`. The watcher is called after every sweep or round of
    /// evaluations. It may stop the run; the chains then stay at the reported times.
    ///
    /// # Errors
    /// If the conditional does not fit the schedule or the chains, or `to ≤ from ≤ T` does not hold. If an evaluation
    /// fails, writes a NaN or has zero mass, or a site shows an impossible token.
    fn run(
        &self,
        conditional: &dyn SiteConditional,
        chains: &mut Chains,
        from: Step,
        to: Step,
        watch: &mut Watch<'_>,
    ) -> Result<StepDiagnostics>;

    /// Runs the whole reverse chain with the chains divided over the rayon pool, if the sampler supports it. For
    /// conditionals that are cheap to evaluate. The tokens are the same.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    fn sample_parallel(
        &self,
        conditional: &(dyn SiteConditional + Sync),
        chains: &mut Chains,
    ) -> Result<StepDiagnostics> {
        self.sample(conditional, chains)
    }

    /// `rows` chains drawn from the noise law, row `i` with stream `i` of `seed`: the start of a reverse chain.
    fn start(&self, rows: usize, seed: u64) -> Chains {
        Chains::from_noise(self.schedule(), ChainRng::streams(seed, rows))
    }

    /// Runs the whole reverse chain, from the horizon to time 0, with one evaluation per step or round for all chains.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    fn sample(&self, conditional: &dyn SiteConditional, chains: &mut Chains) -> Result<StepDiagnostics> {
        self.run(conditional, chains, self.schedule().horizon(), 0, &mut |_| ControlFlow::Continue(()))
    }

    /// ReDeNoise: noises finished chains from time 0 to time `time` by equation (M), and runs the reverse chain back to
    /// 0, `rounds` times. Clamped sites stay.
    ///
    /// With exact conditionals, single sites and an exact sampler, each round leaves the data distribution invariant
    /// for any `time`. A time before the end of the first sweep touches only the sites noised by then. The watcher also
    /// receives the round, from 0; if it stops the run, no further round starts.
    ///
    /// # Errors
    /// As [`run`](Self::run), and when `time > T` or the schedule has another number of sites than
    /// the chains.
    fn redenoise(
        &self,
        conditional: &dyn SiteConditional,
        chains: &mut Chains,
        time: Step,
        rounds: usize,
        watch: &mut dyn FnMut(usize, Progress<'_>) -> ControlFlow<()>,
    ) -> Result<StepDiagnostics> {
        check(self.schedule(), conditional, chains, (time, 0))?;
        let mut diagnostics = StepDiagnostics::default();
        for round in 0..rounds {
            chains.renoise(self.schedule(), time)?;
            let mut answer = ControlFlow::Continue(());
            let before = diagnostics;
            diagnostics += self.run(conditional, chains, time, 0, &mut |mut seen| {
                seen.diagnostics += before;
                answer = watch(round, seen);
                answer
            })?;
            if answer.is_break() {
                break;
            }
        }
        Ok(diagnostics)
    }
}

/// Checks that `to ≤ from ≤ T`, and that schedule, conditional and chains fit.
pub(crate) fn check(
    schedule: &Schedule,
    conditional: &dyn SiteConditional,
    chains: &Chains,
    (from, to): (Step, Step),
) -> Result<()> {
    let horizon = schedule.horizon();
    if to > from || from > horizon {
        return Err(ChainError::OutsideHorizon { from, to, horizon });
    }
    check_steps(conditional, chains, schedule.into())
}
