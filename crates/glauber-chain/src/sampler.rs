//! The seam for samplers: what takes chains down a schedule, however it goes about it.

use std::fmt::Debug;
use std::ops::ControlFlow;

use glauber_schedule::Schedule;
use glauber_tokens::Step;

use crate::update::check_steps;
use crate::{ChainError, ChainRng, Chains, Result, SiteConditional, StepDiagnostics};

/// What a watcher of a run is shown.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The sweep that the slowest chain stands in; the last one has number 0, and as many are left.
    pub sweep: usize,
    /// The time the chains stand at, a mean where they go at their own pace.
    pub step: Step,
    /// The time each chain stands at, shape `[row]`: row `i` is a sample of the law of `X_t` with
    /// `t = times[i]`.
    pub times: &'a [Step],
    /// The chains.
    pub chains: &'a Chains,
    /// What was done since the start of the call.
    pub diagnostics: StepDiagnostics,
}

/// Watches a run, and may stop it.
pub type Watch<'w> = dyn FnMut(Progress<'_>) -> ControlFlow<()> + 'w;

/// Takes chains down a schedule by the conditionals of whatever is sampled:
/// [`ReverseSampler`](crate::ReverseSampler), [`SkipAheadSampler`](crate::SkipAheadSampler), or one
/// of your own.
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

    /// The reverse chain from time `from` to time `to`. The watcher is told of every sweep, or of
    /// every round of evaluations; it may stop the run, which leaves the chains at the times that
    /// it was shown.
    ///
    /// # Errors
    /// When the conditional does not fit the schedule or the chains, `to ≤ from ≤ T` does not hold,
    /// an evaluation fails, writes a NaN or leaves no token possible, or a site shows a token that
    /// it cannot show.
    fn run(
        &self,
        conditional: &dyn SiteConditional,
        chains: &mut Chains,
        from: Step,
        to: Step,
        watch: &mut Watch<'_>,
    ) -> Result<StepDiagnostics>;

    /// The whole reverse chain with the chains shared out over the threads of the rayon pool, where
    /// the sampler can: for conditionals that are cheap to evaluate. The tokens are the same, bit
    /// by bit.
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

    /// `rows` chains at the noise law, row `i` with stream `i` of `seed`: where a reverse chain
    /// starts.
    fn start(&self, rows: usize, seed: u64) -> Chains {
        Chains::from_noise(self.schedule(), ChainRng::streams(seed, rows))
    }

    /// The whole reverse chain, from the horizon to time 0, all chains in one evaluation a step or
    /// round.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    fn sample(&self, conditional: &dyn SiteConditional, chains: &mut Chains) -> Result<StepDiagnostics> {
        self.run(conditional, chains, self.schedule().horizon(), 0, &mut |_| ControlFlow::Continue(()))
    }

    /// ReDeNoise: takes finished chains, which stand at time 0, forward to time `time` by equation
    /// (M) and back to 0 by the reverse chain, `rounds` times over. Clamped sites stay.
    ///
    /// With exact conditionals, single sites and a sampler that is exact, each round leaves the
    /// data distribution invariant whatever the `time`, also where much signal is left. A time
    /// before the end of the first sweep touches only the sites that are noised by then. The
    /// watcher of [`run`](Self::run) is also told the round, from 0; where it stops the run, no
    /// further round is begun.
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

/// That `from` down to `to` is a stretch of the reverse chain, and that schedule, conditional and
/// chains fit.
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
