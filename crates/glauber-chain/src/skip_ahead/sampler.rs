//! The lazy reverse chain, evaluated only where it must be.

use std::ops::{AddAssign, ControlFlow};

use glauber_schedule::Schedule;
use glauber_tokens::{Step, Token};
use rayon::prelude::*;

use super::SkipAhead;
use super::held::Held;
use crate::chains::ChainsView;
use crate::lazy::{Touch, check_vocab};
use crate::reverse::check_stretch;
use crate::update::{check_fit, check_len, rows_per_task};
use crate::{ChainError, ChainRng, Chains, RowSites, SiteConditional, StepDiagnostics, TokenRows};

/// What skipping ahead did, summed over the chains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SkipAheadDiagnostics {
    /// Updates, changes and evaluations. An evaluation is that of all sites of one sequence.
    pub steps: StepDiagnostics,
    /// Rounds: each evaluates all unfinished chains in one batch. Where the chains were shared out over threads, the most rounds that
    /// any share took.
    pub rounds: u64,
}

impl AddAssign for SkipAheadDiagnostics {
    fn add_assign(&mut self, other: Self) {
        self.steps += other.steps;
        self.rounds += other.rounds;
    }
}

/// What an observer sees after each round.
#[derive(Debug, Clone, Copy)]
pub struct RoundInfo<'a> {
    /// The time each chain stands at, shape `[row]`: row `i` is a sample of the law of `X_t` with `t = times[i]`.
    pub times: &'a [Step],
    /// The chains.
    pub chains: &'a Chains,
    /// What was done since the start of the call.
    pub diagnostics: SkipAheadDiagnostics,
}

/// Samples `X_0` by the lazy kernel, equation (L), and evaluates the conditionals of all sites of a row at once only when its tokens
/// have changed, or when its evaluation has grown old.
///
/// A step that keeps its token leaves the context of every other site as it was. Of the conditionals evaluated only what they say about
/// the clean token, `μ` in `r = α μ + (1 − α) q`, is held; `α` and `q` are those of the step at hand. With one change for each
/// evaluation the only approximation is that `μ` was evaluated at the other sites' signal levels of an earlier step, at most a window
/// ago. It is felt where a sweep takes away much of the noise that is left, so mostly in the last sweep of shapes that do not flatten
/// towards the data. With more changes for each evaluation the later ones are also drawn from a context that lacks the earlier ones.
///
/// The uniform numbers are those of [`ReverseSampler`](crate::ReverseSampler) with the kernel [`Lazy`](crate::Lazy), one for each update in
/// the same order, so the two can be compared draw by draw. With a window of 1 the tokens are the same, whatever the changes allowed;
/// with one change, a single-site order and conditionals whose `μ` depends on other sites' levels alone, also with a window of 2.
///
/// Rows go at their own pace: a round evaluates all unfinished rows in one call of [`SiteConditional::log_conditionals_at`], each at its
/// own step `t`. The evaluation reads the tokens of time `t + 1` at the levels of time `t`, which is what later steps need if the site
/// of step `t` is kept. If it cannot be kept, as a mask at level 1, the other sites' conditionals are asked about an impossible context:
/// a conditional that refuses such contexts stops the run.
///
/// ```
/// use glauber_chain::oracles::MarkovSource;
/// use glauber_chain::{SkipAhead, SkipAheadSampler};
/// use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
///
/// let source = MarkovSource::random(27, 1, 2.0)?; // the data: a Markov chain over 27 tokens
/// let order = SiteOrder::round_robin(32, 16)?; // 32 sites, 16 sweeps
/// let schedule = Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(27)?, 1e-3, false)?;
/// let sampler = SkipAheadSampler::new(&schedule, SkipAhead::default());
/// let mut chains = sampler.start(10, 42); // 10 chains of noise, seed 42
/// let done = sampler.sample(&source.conditional(&schedule)?, &mut chains)?;
/// assert_eq!(done.steps.updates, 10 * 16 * 32);
/// assert!(done.steps.evaluations <= done.steps.changes + 10); // one for each change, and one to start with
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct SkipAheadSampler<'a> {
    schedule: &'a Schedule,
    skip: SkipAhead,
}

/// Buffers that live as long as a run.
#[derive(Default)]
struct Scratch {
    /// The rows not yet at the end, and the steps that they undo next, shape `[active row]`.
    rows: Vec<usize>,
    steps: Vec<Step>,
    /// What they show, and which of it is clamped, shape `[active row, site]`.
    tokens: Vec<Token>,
    clamped: Vec<bool>,
    /// Which of it an evaluation decides, shape `[active row, site]`.
    asked: Vec<bool>,
    /// What was evaluated, shape `[active row, site, token]`.
    laws: Vec<f64>,
    /// Shape `[site]`.
    unmixed: Vec<bool>,
    /// Shape `[token]`.
    rates: Vec<f64>,
}

impl<'a> SkipAheadSampler<'a> {
    /// Joins a schedule and the rules for skipping.
    pub fn new(schedule: &'a Schedule, skip: SkipAhead) -> Self {
        Self { schedule, skip }
    }

    /// The schedule.
    pub fn schedule(&self) -> &'a Schedule {
        self.schedule
    }

    /// The rules for skipping.
    pub fn skip(&self) -> SkipAhead {
        self.skip
    }

    /// `rows` chains at the noise law, row `i` with stream `i` of `seed`: where a reverse chain starts.
    pub fn start(&self, rows: usize, seed: u64) -> Chains {
        Chains::from_noise(self.schedule, ChainRng::streams(seed, rows))
    }

    /// The whole reverse chain, from the horizon to time 0, all chains in one evaluation a round.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn sample<C: SiteConditional + ?Sized>(
        &self,
        conditional: &C,
        chains: &mut Chains,
    ) -> Result<SkipAheadDiagnostics, ChainError> {
        let horizon = self.schedule.horizon();
        self.run(conditional, chains, horizon, 0, |_| ControlFlow::Continue(()))
    }

    /// The whole reverse chain with the chains shared out over the threads of the rayon pool: for conditionals that are cheap to
    /// evaluate. The tokens are the same, bit by bit.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn sample_parallel<C: SiteConditional + Sync + ?Sized>(
        &self,
        conditional: &C,
        chains: &mut Chains,
    ) -> Result<SkipAheadDiagnostics, ChainError> {
        self.check(conditional, chains)?;
        let size = rows_per_task(chains);
        let done = chains
            .view()
            .split(size)
            .into_par_iter()
            .map(|mut view| {
                let mut times = vec![self.schedule.horizon(); view.rngs.len()];
                let mut scratch = Scratch::default();
                let mut sum = SkipAheadDiagnostics::default();
                while let Some(done) = self.round(conditional, &mut view, &mut times, 0, &mut scratch)? {
                    sum += done;
                }
                Ok(sum)
            })
            .collect::<Result<Vec<_>, ChainError>>()?;
        let rounds = done.iter().map(|share| share.rounds).max().unwrap_or(0);
        Ok(SkipAheadDiagnostics { steps: done.into_iter().map(|share| share.steps).sum(), rounds })
    }

    /// The reverse chain from time `from` to time `to`. The observer is called after each round; it may stop the run, which leaves the
    /// rows at the times that it was shown.
    ///
    /// # Errors
    /// When the conditional does not fit the schedule or the chains, `to ≤ from ≤ T` does not hold, an evaluation fails, writes a NaN
    /// or leaves no token possible, or a site shows a token that neither the data nor the noise can have put there.
    pub fn run<C, O>(
        &self,
        conditional: &C,
        chains: &mut Chains,
        from: Step,
        to: Step,
        mut observer: O,
    ) -> Result<SkipAheadDiagnostics, ChainError>
    where
        C: SiteConditional + ?Sized,
        O: FnMut(RoundInfo<'_>) -> ControlFlow<()>,
    {
        check_stretch(self.schedule, from, to)?;
        self.check(conditional, chains)?;
        let mut times = vec![from; chains.rows()];
        let mut scratch = Scratch::default();
        let mut diagnostics = SkipAheadDiagnostics::default();
        while let Some(done) = self.round(conditional, &mut chains.view(), &mut times, to, &mut scratch)? {
            diagnostics += done;
            if observer(RoundInfo { times: &times, chains, diagnostics }).is_break() {
                break;
            }
        }
        Ok(diagnostics)
    }

    fn check<C: SiteConditional + ?Sized>(&self, conditional: &C, chains: &Chains) -> Result<(), ChainError> {
        check_vocab(conditional, self.schedule)?;
        check_fit(conditional, chains)?;
        check_len(self.schedule.len(), chains)
    }

    /// Evaluates every unfinished row and walks it down from there. `None` when all rows are at time `to`.
    fn round<C: SiteConditional + ?Sized>(
        &self,
        conditional: &C,
        view: &mut ChainsView<'_>,
        times: &mut [Step],
        to: Step,
        scratch: &mut Scratch,
    ) -> Result<Option<SkipAheadDiagnostics>, ChainError> {
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
        let mut steps = StepDiagnostics::default();
        let evaluated = scratch.rows.iter().zip(&scratch.steps).zip(scratch.laws.chunks_exact_mut(len * vocab));
        for ((&row, &step), laws) in evaluated {
            scratch.unmixed.clear();
            scratch.unmixed.resize(len, false);
            let mut held = Held::new(self.schedule, step, laws, &mut scratch.unmixed);
            steps += self.walk(view, row, &mut times[row], to, &mut held, &mut scratch.rates)?;
        }
        Ok(Some(SkipAheadDiagnostics { steps, rounds: 1 }))
    }

    /// Takes every row past the steps whose sites are all clamped, and copies those that have steps left.
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

    /// Takes one row down from its evaluation until too much has changed or too many steps have passed.
    fn walk(
        &self,
        view: &mut ChainsView<'_>,
        row: usize,
        time: &mut Step,
        to: Step,
        held: &mut Held<'_>,
        rates: &mut [f64],
    ) -> Result<StepDiagnostics, ChainError> {
        let mut done = StepDiagnostics { evaluations: 1, ..Default::default() };
        let last = self.skip.window().map_or(to, |window| to.max((held.step + 1).saturating_sub(window)));
        let controls = self.skip.controls();
        let mut placed = 0.0;
        while *time > last {
            let step = *time - 1;
            let touch = Touch::new(self.schedule, step);
            for &site in self.schedule.sites(step) {
                if view.is_clamped(row, site) {
                    continue;
                }
                let level = self.schedule.signal_level(site, step);
                held.rates(site, level, !controls.is_neutral(), rates);
                let uniform = view.rngs[row].uniform();
                let shown = &mut view.tokens[row * view.len + site];
                let token = touch
                    .draw(&controls, rates, *shown, uniform)
                    .map_err(|refusal| refusal.at(view.first_row + row, site, step, *shown))?;
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
