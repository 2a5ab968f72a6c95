//! The lazy reverse chain with few evaluations.

use std::borrow::Cow;

use glauber_schedule::Schedule;
use glauber_tokens::{Step, Token};
use rayon::prelude::*;

use super::SkipAhead;
use super::held::Held;
use crate::chains::ChainsView;
use crate::sampler::{Progress, Sampler, Watch, check};
use crate::{Chains, Lazy, Result, ReverseKernel, RowSites, SiteConditional, StepDiagnostics, TokenRows, Touch};

/// Samples `X_0` by the lazy kernel, equation (L). It evaluates all sites of a row at once, and only after its tokens
/// have changed or its evaluation is outdated.
///
/// A step that keeps its token does not change the context of other sites. Only the law of the clean token is held, `μ`
/// in `r = α μ + (1 − α) q`; `α` and `q` are those of the current step. With one change per evaluation there is one
/// approximation: `μ` belongs to the other sites' signal levels of an earlier step, at most a window ago. It matters if
/// a sweep removes much of the remaining noise, mostly in the last sweep of shapes that are steep near the data. With
/// more changes per evaluation, later changes also ignore earlier ones.
///
/// It uses the uniform numbers of [`ReverseSampler`](crate::ReverseSampler) with [`Lazy`](crate::Lazy), one per update
/// in the same order, so both can be compared draw by draw. With a window of 1 the tokens are equal for any number of
/// changes. With a window of 2 they are equal for one change, a single-site order and conditionals whose `μ` depends
/// only on other sites' levels.
///
/// Rows advance independently: a round evaluates all unfinished rows in one call of
/// [`SiteConditional::log_conditionals_at`], each at its own step `t`. The evaluation reads the tokens of time `t + 1`
/// at the levels of time `t`, which later steps need if the site of step `t` is kept. If it cannot be kept, as a mask
/// at level 1, the context of the other sites is impossible. A conditional that rejects such contexts stops the run.
/// [`run`](Sampler::run) calls its watcher after every round.
///
/// ```
/// use glauber_chain::oracles::MarkovSource;
/// use glauber_chain::{Sampler, SkipAhead, SkipAheadSampler};
/// use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
///
/// let source = MarkovSource::random(27, 1, 2.0)?; // the data: a Markov chain over 27 tokens
/// let order = SiteOrder::round_robin(32, 16)?; // 32 sites, 16 sweeps
/// let schedule = Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(27)?, 1e-3, false)?;
/// let sampler = SkipAheadSampler::new(&schedule, SkipAhead::default());
/// let mut chains = sampler.start(10, 42); // 10 chains of noise, seed 42
/// let done = sampler.sample(&source.conditional(&schedule)?, &mut chains)?;
/// assert_eq!(done.updates, 10 * 16 * 32);
/// assert!(done.evaluations <= done.changes + 10); // one for each change, and one to start with
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SkipAheadSampler<'a, K = Lazy> {
    schedule: Cow<'a, Schedule>,
    skip: SkipAhead,
    kernel: K,
}

/// Buffers that live as long as a run.
#[derive(Default)]
struct Scratch {
    /// The unfinished rows and their next steps, shape `[active row]`.
    rows: Vec<usize>,
    steps: Vec<Step>,
    /// Their tokens and clamp masks, shape `[active row, site]`.
    tokens: Vec<Token>,
    clamped: Vec<bool>,
    /// The sites that an evaluation must decide, shape `[active row, site]`.
    asked: Vec<bool>,
    /// The evaluation, shape `[active row, site, token]`.
    laws: Vec<f64>,
    /// Shape `[site]`.
    unmixed: Vec<bool>,
    /// Shape `[token]`.
    rates: Vec<f64>,
}

impl<'a> SkipAheadSampler<'a> {
    /// A sampler from a schedule (borrowed or owned) and its settings.
    pub fn new(schedule: impl Into<Cow<'a, Schedule>>, skip: SkipAhead) -> Self {
        Self { schedule: schedule.into(), skip, kernel: skip.kernel() }
    }

    /// Replaces the kernel; the kernel's own controls apply. A kernel that changes tokens at every step, such as heat
    /// bath, skips little.
    pub fn with_kernel<K: ReverseKernel>(self, kernel: K) -> SkipAheadSampler<'a, K> {
        SkipAheadSampler { schedule: self.schedule, skip: self.skip, kernel }
    }
}

impl<K: ReverseKernel> SkipAheadSampler<'_, K> {
    /// The settings.
    pub fn skip(&self) -> SkipAhead {
        self.skip
    }

    /// Evaluates every unfinished row and advances it. `None` if all rows are at time `to`.
    fn round(
        &self,
        conditional: &dyn SiteConditional,
        view: &mut ChainsView<'_>,
        times: &mut [Step],
        to: Step,
        scratch: &mut Scratch,
    ) -> Result<Option<StepDiagnostics>> {
        self.gather(view, times, to, scratch);
        if scratch.rows.is_empty() {
            return Ok(None);
        }
        let (len, vocab) = (view.len, conditional.vocab());
        scratch.laws.resize(scratch.rows.len() * len * vocab, 0.0);
        scratch.rates.resize(vocab, 0.0);
        let clamped = view.clamped.is_some().then_some(scratch.clamped.as_slice());
        let tokens = TokenRows::new(&scratch.tokens, len).with_clamped(clamped);
        let asked = RowSites::Marked(&scratch.asked);
        conditional.log_conditionals_at(tokens, &scratch.steps, asked, &mut scratch.laws)?;
        let mut done = StepDiagnostics { rounds: 1, ..Default::default() };
        let evaluated = scratch.rows.iter().zip(&scratch.steps).zip(scratch.laws.chunks_exact_mut(len * vocab));
        for ((&row, &step), laws) in evaluated {
            scratch.unmixed.clear();
            scratch.unmixed.resize(len, false);
            let mut held = Held::new(&self.schedule, step, laws, &mut scratch.unmixed);
            done += self.walk(view, row, &mut times[row], to, &mut held, &mut scratch.rates)?;
        }
        Ok(Some(done))
    }

    /// Advances every row past steps whose sites are all clamped, and copies the unfinished rows.
    fn gather(&self, view: &ChainsView<'_>, times: &mut [Step], to: Step, scratch: &mut Scratch) {
        scratch.rows.clear();
        scratch.steps.clear();
        scratch.tokens.clear();
        scratch.clamped.clear();
        scratch.asked.clear();
        // A token that noise cannot have drawn stays, whatever its law.
        let law = self.schedule.law();
        for (row, time) in times.iter_mut().enumerate() {
            let free = |t: &Step| self.schedule.sites(*t).iter().any(|&site| !view.is_clamped(row, site));
            let Some(step) = (to..*time).rev().find(free) else {
                *time = to;
                continue;
            };
            *time = step + 1;
            scratch.rows.push(row);
            scratch.steps.push(step);
            scratch.tokens.extend_from_slice(view.rows().row(row));
            scratch.clamped.extend_from_slice(view.rows().clamped(row).unwrap_or_default());
            let tokens = view.rows().row(row).iter().enumerate();
            let asked = tokens.map(|(site, &shown)| !view.is_clamped(row, site) && law.probability(shown) > 0.0);
            scratch.asked.extend(asked);
        }
    }

    /// Advances one row from its evaluation until it must be re-evaluated.
    fn walk(
        &self,
        view: &mut ChainsView<'_>,
        row: usize,
        time: &mut Step,
        to: Step,
        held: &mut Held<'_>,
        rates: &mut [f64],
    ) -> Result<StepDiagnostics> {
        let mut done = StepDiagnostics { evaluations: 1, ..Default::default() };
        let last = self.skip.window().map_or(to, |window| to.max((held.step + 1).saturating_sub(window)));
        let kernel = &self.kernel;
        let mut placed = 0.0;
        while *time > last {
            let step = *time - 1;
            let touch = Touch::new(&self.schedule, step, 0, 0);
            for &site in self.schedule.sites(step) {
                if view.is_clamped(row, site) {
                    continue;
                }
                let level = self.schedule.signal_level(site, step);
                held.rates(site, level, kernel.reads_logs(), rates);
                let uniform = view.rngs[row].uniform();
                let shown = &mut view.tokens[row * view.len + site];
                let touch = touch.at(site, *shown);
                let token =
                    kernel.draw(&touch, rates, uniform).map_err(|refusal| refusal.at(view.first_row + row, &touch))?;
                done.updates += 1;
                if *shown != token {
                    done.changes += 1;
                    placed += held.signal(site, level, token);
                    *shown = token;
                }
            }
            *time = step;
            if self.skip.changes().exceeded(done.changes, placed) {
                break;
            }
        }
        Ok(done)
    }
}

impl<K: ReverseKernel> Sampler for SkipAheadSampler<'_, K> {
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
        let mut times = vec![from; chains.rows()];
        let mut scratch = Scratch::default();
        let mut diagnostics = StepDiagnostics::default();
        while let Some(done) = self.round(conditional, &mut chains.view(), &mut times, to, &mut scratch)? {
            diagnostics += done;
            let slowest = times.iter().copied().max().unwrap_or(to);
            let (sweep, step) = (self.schedule.order().sweep_of(slowest), times.iter().sum::<Step>() / times.len());
            if watch(Progress { sweep, step, times: &times, chains, diagnostics }).is_break() {
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
        let share = |mut view: ChainsView<'_>| {
            let mut times = vec![horizon; view.rngs.len()];
            let mut scratch = Scratch::default();
            let mut sum = StepDiagnostics::default();
            while let Some(done) = self.round(conditional, &mut view, &mut times, 0, &mut scratch)? {
                sum += done;
            }
            Ok(sum)
        };
        let done = chains.shares().into_par_iter().map(share).collect::<Result<Vec<_>>>()?;
        Ok(done.into_iter().sum())
    }
}
