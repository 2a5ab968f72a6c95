//! Heat bath on clean tokens: repairs remaining errors of a chain, one site at a time.

use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::{Site, Step};

use crate::{
    ChainError, Chains, DrawControls, HeatBath, ReverseSampler, RowSites, Sampler, SiteConditional, StepDiagnostics,
    TokenRows, Watch,
};

/// Conditionals at time 0 for every step: all other sites count as clean.
struct Finished<'a>(&'a dyn SiteConditional);

impl SiteConditional for Finished<'_> {
    fn vocab(&self) -> usize {
        self.0.vocab()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn passes(&self) -> u64 {
        self.0.passes()
    }

    fn log_conditionals(
        &self,
        tokens: TokenRows<'_>,
        _: Step,
        sites: &[Site],
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        self.0.log_conditionals(tokens, 0, sites, out)
    }

    fn log_conditionals_at(
        &self,
        tokens: TokenRows<'_>,
        steps: &[Step],
        sites: RowSites<'_>,
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        self.0.log_conditionals_at(tokens, &vec![0; steps.len()], sites, out)
    }
}

/// Redraws every site of finished chains `sweeps` times from `P(X_{0,i} = · | x_{-i})`, except clamped sites. Each
/// sweep has its own random order from `seed`. The order does not depend on the tokens, because heat bath would then be
/// biased even with exact conditionals. `watch` is called after every sweep, and may stop the run.
///
/// With exact conditionals and the default controls the data distribution is invariant. A network has its smallest
/// errors near the data, so its repair corrects tokens drawn among noise.
///
/// # Errors
/// If the conditional does not fit the chains, or an evaluation fails.
pub fn repair(
    conditional: &dyn SiteConditional,
    chains: &mut Chains,
    sweeps: usize,
    controls: DrawControls,
    seed: u64,
    watch: &mut Watch<'_>,
) -> Result<StepDiagnostics, ChainError> {
    if sweeps == 0 {
        return Ok(StepDiagnostics::default());
    }
    // Heat bath reads nothing of a schedule but its order.
    let order = SiteOrder::permutation(chains.len(), sweeps, seed)?;
    let law = NoiseLaw::uniform(conditional.vocab())?;
    let schedule = Schedule::new(SignalShape::Linear, order, law, glauber_schedule::RESIDUAL_BOUND, false)?;
    let horizon = schedule.horizon();
    ReverseSampler::new(schedule, HeatBath::new(controls)?).run(&Finished(conditional), chains, horizon, 0, watch)
}
