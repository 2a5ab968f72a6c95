//! The reverse chain: a kernel down a schedule.

use std::ops::ControlFlow;

use glauber_schedule::Schedule;
use glauber_tokens::Step;

use crate::lazy::check_vocab;
use crate::{ChainError, ChainRng, Chains, HeatBath, Lazy, SiteConditional, StepDiagnostics};

/// How a reverse chain undoes a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kernel {
    /// Redraw from the conditional, whatever stands there.
    HeatBath(HeatBath),
    /// Draw from the posterior given what stands there, equation (L).
    Lazy(Lazy),
}

impl Default for Kernel {
    fn default() -> Self {
        Self::HeatBath(HeatBath::default())
    }
}

impl From<HeatBath> for Kernel {
    fn from(kernel: HeatBath) -> Self {
        Self::HeatBath(kernel)
    }
}

impl From<Lazy> for Kernel {
    fn from(kernel: Lazy) -> Self {
        Self::Lazy(kernel)
    }
}

/// What an observer sees after each sweep.
#[derive(Debug, Clone, Copy)]
pub struct SweepInfo<'a> {
    /// The sweep just undone; the last one has number 0.
    pub sweep: usize,
    /// The time the chains stand at: they are samples of the law of `X_t` with `t = step`.
    pub step: Step,
    /// The chains.
    pub chains: &'a Chains,
    /// What was done since the start of the call.
    pub diagnostics: StepDiagnostics,
}

/// Samples `X_0` by undoing the steps `T−1, …, 0` of a schedule: step `t` redraws its sites from `P(X_{t,i} = · | x_{-i})`, or from
/// their posterior, as the kernel says.
///
/// Exact for either kernel, with exact conditionals, an order of single sites, and a start from the law of `X_T`.
#[derive(Debug, Clone, Copy)]
pub struct ReverseSampler<'a> {
    schedule: &'a Schedule,
    kernel: Kernel,
}

impl<'a> ReverseSampler<'a> {
    /// Joins a schedule and a kernel: [`HeatBath`] or [`Lazy`], or a [`Kernel`] where that is decided at run time.
    pub fn new(schedule: &'a Schedule, kernel: impl Into<Kernel>) -> Self {
        Self { schedule, kernel: kernel.into() }
    }

    /// The kernel.
    pub fn kernel(&self) -> Kernel {
        self.kernel
    }

    /// The schedule.
    pub fn schedule(&self) -> &'a Schedule {
        self.schedule
    }

    /// `rows` chains at the noise law, row `i` with stream `i` of `seed`: where a reverse chain starts.
    pub fn start(&self, rows: usize, seed: u64) -> Chains {
        Chains::from_noise(self.schedule, ChainRng::streams(seed, rows))
    }

    /// The whole reverse chain, from the horizon to time 0, all chains in one evaluation a step.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn sample<C: SiteConditional + ?Sized>(
        &self,
        conditional: &C,
        chains: &mut Chains,
    ) -> Result<StepDiagnostics, ChainError> {
        let horizon = self.schedule.horizon();
        self.run(conditional, chains, horizon, 0, |_| ControlFlow::Continue(()))
    }

    /// The whole reverse chain with the chains shared out over threads: for conditionals that are cheap to evaluate. The result is
    /// the same, bit by bit.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn sample_parallel<C: SiteConditional + Sync + ?Sized>(
        &self,
        conditional: &C,
        chains: &mut Chains,
    ) -> Result<StepDiagnostics, ChainError> {
        let horizon = self.schedule.horizon();
        self.check(conditional, horizon, 0)?;
        let steps = (0..horizon).rev();
        match self.kernel {
            Kernel::HeatBath(kernel) => kernel.run_parallel(conditional, chains, self.schedule.order(), steps),
            Kernel::Lazy(kernel) => kernel.run_parallel(conditional, chains, self.schedule, steps),
        }
    }

    /// The reverse chain from time `from` to time `to`. The observer is called after each sweep, and at the end; it may stop the run.
    ///
    /// # Errors
    /// When the conditional does not fit the schedule or the chains, `to ≤ from ≤ T` does not hold, or an evaluation fails.
    pub fn run<C, O>(
        &self,
        conditional: &C,
        chains: &mut Chains,
        from: Step,
        to: Step,
        mut observer: O,
    ) -> Result<StepDiagnostics, ChainError>
    where
        C: SiteConditional + ?Sized,
        O: FnMut(SweepInfo<'_>) -> ControlFlow<()>,
    {
        self.check(conditional, from, to)?;
        let order = self.schedule.order();
        let mut diagnostics = StepDiagnostics::default();
        let mut now = from;
        while now > to {
            let sweep = order.sweep_of(now - 1);
            let next = order.sweep_start(sweep).max(to);
            let steps = (next..now).rev();
            diagnostics += match self.kernel {
                Kernel::HeatBath(kernel) => kernel.run(conditional, chains, order, steps)?,
                Kernel::Lazy(kernel) => kernel.run(conditional, chains, self.schedule, steps)?,
            };
            now = next;
            let info = SweepInfo { sweep, step: now, chains, diagnostics };
            if observer(info).is_break() {
                break;
            }
        }
        Ok(diagnostics)
    }

    /// ReDeNoise: takes finished chains, which stand at time 0, forward to time `time` by equation (M) and back to 0 by the reverse
    /// chain, `rounds` times over. Clamped sites stay.
    ///
    /// With exact conditionals and single sites each round leaves the data distribution invariant whatever the `time`, also where much
    /// signal is left. A time before the end of the first sweep touches only the sites that are noised by then. The observer of
    /// [`run`](Self::run) is also told the round, from 0; where it stops the run, no further round is begun.
    ///
    /// # Errors
    /// As [`run`](Self::run), and when `time > T` or the schedule has another number of sites than the chains.
    pub fn redenoise<C, O>(
        &self,
        conditional: &C,
        chains: &mut Chains,
        time: Step,
        rounds: usize,
        mut observer: O,
    ) -> Result<StepDiagnostics, ChainError>
    where
        C: SiteConditional + ?Sized,
        O: FnMut(usize, SweepInfo<'_>) -> ControlFlow<()>,
    {
        self.check(conditional, time, 0)?;
        let mut diagnostics = StepDiagnostics::default();
        for round in 0..rounds {
            chains.renoise(self.schedule, time)?;
            let mut answer = ControlFlow::Continue(());
            let before = diagnostics;
            diagnostics += self.run(conditional, chains, time, 0, |mut info| {
                info.diagnostics += before;
                answer = observer(round, info);
                answer
            })?;
            if answer.is_break() {
                break;
            }
        }
        Ok(diagnostics)
    }

    fn check<C: SiteConditional + ?Sized>(&self, conditional: &C, from: Step, to: Step) -> Result<(), ChainError> {
        check_stretch(self.schedule, from, to)?;
        check_vocab(conditional, self.schedule)
    }
}

/// That `from` down to `to` is a stretch of the reverse chain.
pub(crate) fn check_stretch(schedule: &Schedule, from: Step, to: Step) -> Result<(), ChainError> {
    let horizon = schedule.horizon();
    if to > from || from > horizon {
        return Err(ChainError::OutsideHorizon { from, to, horizon });
    }
    Ok(())
}
