//! The reverse chain: a kernel run down a schedule, with an evaluation at every step.

use std::borrow::Cow;

use glauber_schedule::Schedule;
use glauber_tokens::Step;

use crate::sampler::{Progress, Sampler, Watch, check};
use crate::{Chains, Result, ReverseKernel, SiteConditional, StepDiagnostics};

/// Samples `X_0` by undoing the steps `T−1, …, 0` of a schedule: step `t` redraws its sites from `P(X_{t,i} = · |
/// x_{-i})`, or from their posterior, depending on the kernel. [`run`](Sampler::run) calls its watcher after every
/// sweep.
///
/// Exact for [`HeatBath`](crate::HeatBath) and [`Lazy`](crate::Lazy), with exact conditionals, an
/// order of single sites, and a start from the law of `X_T`.
#[derive(Debug, Clone)]
pub struct ReverseSampler<'a, K = Box<dyn ReverseKernel>> {
    schedule: Cow<'a, Schedule>,
    kernel: K,
}

impl<'a, K: ReverseKernel> ReverseSampler<'a, K> {
    /// A sampler from a schedule (borrowed or owned) and a kernel, which may be a `Box<dyn ReverseKernel>`.
    pub fn new(schedule: impl Into<Cow<'a, Schedule>>, kernel: K) -> Self {
        Self { schedule: schedule.into(), kernel }
    }

    /// The kernel.
    pub fn kernel(&self) -> &K {
        &self.kernel
    }
}

impl<K: ReverseKernel> Sampler for ReverseSampler<'_, K> {
    fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    fn run(
        &self,
        conditional: &dyn SiteConditional,
        chains: &mut Chains,
        from: Step,
        to: Step,
        watch: &mut Watch<'_>,
    ) -> Result<StepDiagnostics> {
        check(&self.schedule, conditional, chains, (from, to))?;
        let order = self.schedule.order();
        let mut diagnostics = StepDiagnostics::default();
        let mut times = vec![from; chains.rows()];
        let mut now = from;
        while now > to {
            let sweep = order.sweep_of(now - 1);
            let next = order.sweep_start(sweep).max(to);
            diagnostics += self.kernel.run(conditional, chains, self.schedule(), (next..now).rev())?;
            now = next;
            times.fill(now);
            if watch(Progress { sweep, step: now, times: &times, chains, diagnostics }).is_break() {
                break;
            }
        }
        Ok(diagnostics)
    }

    fn sample_parallel(
        &self,
        conditional: &(dyn SiteConditional + Sync),
        chains: &mut Chains,
    ) -> Result<StepDiagnostics> {
        let horizon = self.schedule.horizon();
        check(&self.schedule, conditional, chains, (horizon, 0))?;
        self.kernel.run_parallel(conditional, chains, self.schedule(), (0..horizon).rev())
    }
}
