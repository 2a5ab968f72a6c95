//! Masks taken away a few a pass, at sites that a plan chooses.

use std::borrow::Cow;

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token};

use crate::chains::ChainsView;
use crate::controls::draw;
use crate::remask::only_mask;
use crate::sampler::{Progress, Sampler, Watch, check};
use crate::{ChainRng, Chains, DrawControls, Refusal, Result, RowSites, SiteConditional, StepDiagnostics, Touch};

/// Which of the masked sites a pass writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plan {
    /// Any, all alike. One a pass is the first-hitting sampler (Zheng et al. 2024).
    Random,
    /// The first ones.
    InOrder,
    /// Those whose laws have the least entropy, whatever is drawn there.
    Entropy,
    /// Every site is drawn, and the draws of the highest probability are kept (MaskGIT, Chang et al. 2022; LLaDA). It looks at what was
    /// drawn before it chooses, so it is a search for probable sequences and no sampler of the model, even with one site a pass.
    Confidence,
}

/// Writes masked sequences, as many sites a pass as there are masks for each step left.
///
/// With exact conditionals, one site a pass and a plan that does not look at what was drawn, it is exact in as many passes as there are
/// sites, whatever the plan. Several sites of a pass are drawn as if they were independent.
///
/// ```
/// use glauber_chain::oracles::EnumeratedTable;
/// use glauber_chain::{AfterStep, DrawControls, Plan, PlannedSampler, Sampler};
/// use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
///
/// // Two bits that are alike, and token 2 as the mask.
/// let table = EnumeratedTable::new(3, 2, vec![1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0])?;
/// let order = SiteOrder::strided(2, 2, 2)?; // two passes
/// let schedule = Schedule::new(SignalShape::Linear, order, NoiseLaw::absorbing(3, 2)?, 1e-3, false)?;
/// let sampler = PlannedSampler::new(&schedule, Plan::Entropy, DrawControls::default())?;
/// let mut chains = sampler.start(10, 42);
/// sampler.sample(&AfterStep::new(table.conditional(&schedule)?, &schedule), &mut chains)?;
/// assert!(chains.tokens().iter().all(|row| row[0] == row[1]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct PlannedSampler<'a> {
    schedule: Cow<'a, Schedule>,
    plan: Plan,
    controls: DrawControls,
    mask: Token,
}

impl<'a> PlannedSampler<'a> {
    /// Joins a schedule, borrowed or owned, a plan and the controls of the draws.
    ///
    /// # Errors
    /// When noise draws other tokens than the mask, or a control is out of range.
    pub fn new(schedule: impl Into<Cow<'a, Schedule>>, plan: Plan, controls: DrawControls) -> Result<Self> {
        controls.validate()?;
        let schedule = schedule.into();
        let mask = only_mask(schedule.law())?;
        Ok(Self { schedule, plan, controls, mask })
    }

    /// One pass: asks for the masked sites of every row, and writes some of them.
    fn pass(
        &self,
        conditional: &dyn SiteConditional,
        view: &mut ChainsView<'_>,
        step: Step,
    ) -> Result<StepDiagnostics> {
        let (len, vocab) = (view.len, conditional.vocab());
        let masked = |at: usize| view.tokens[at] == self.mask && !view.clamped.is_some_and(|clamped| clamped[at]);
        let asked: Vec<bool> = (0..view.tokens.len()).map(masked).collect();
        if !asked.contains(&true) {
            return Ok(StepDiagnostics::default());
        }
        let mut laws = vec![0.0; asked.len() * vocab];
        let steps = vec![step; view.rngs.len()];
        conditional.log_conditionals_at(view.rows(), &steps, RowSites::Marked(&asked), &mut laws)?;
        let mut done = StepDiagnostics { rounds: 1, ..StepDiagnostics::default() };
        for (row, (asked, laws)) in asked.chunks_exact(len).zip(laws.chunks_exact_mut(len * vocab)).enumerate() {
            let sites: Vec<Site> = (0..len).filter(|&site| asked[site]).collect();
            let count = sites.len().div_ceil(step + 1);
            let mut drawn = self.drawn(&sites, laws, &mut view.rngs[row]).map_err(|(refusal, site)| {
                refusal.at(view.first_row + row, &Touch::new(&self.schedule, step, site, self.mask))
            })?;
            drawn.sort_by(|a, b| a.rank.total_cmp(&b.rank));
            for Draw { site, token, .. } in drawn.into_iter().take(count) {
                view.tokens[row * len + site] = token;
            }
            done.evaluations += u64::from(count > 0);
            done.updates += count as u64;
            done.changes += count as u64;
        }
        Ok(done)
    }

    /// A draw at each site, and its place in the plan. `laws` is `log r` of the row, shape `[site, token]`.
    fn drawn(
        &self,
        sites: &[Site],
        laws: &mut [f64],
        rng: &mut ChainRng,
    ) -> std::result::Result<Vec<Draw>, (Refusal, Site)> {
        let vocab = self.schedule.law().vocab();
        let draw = |&site: &Site| {
            let law = &mut laws[site * vocab..][..vocab];
            // What is not the mask is α μ.
            law[self.mask as usize] = f64::NEG_INFINITY;
            self.controls.log_law(law).map_err(|refusal| (refusal, site))?;
            law.iter_mut().for_each(|log| *log = log.exp());
            let [at, any] = [rng.uniform(), rng.uniform()];
            let token = draw(law, at).map_err(|mass| (Refusal::Mass(mass), site))?;
            let rank = match self.plan {
                Plan::Random => any,
                Plan::InOrder => site as f64,
                Plan::Entropy => law.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum(),
                Plan::Confidence => -law[token as usize],
            };
            Ok(Draw { site, token, rank })
        };
        sites.iter().map(draw).collect()
    }
}

/// A token drawn at a site. Those of the lowest ranks are written.
struct Draw {
    site: Site,
    token: Token,
    rank: f64,
}

impl Sampler for PlannedSampler<'_> {
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
        let mut diagnostics = StepDiagnostics::default();
        for now in (to..from).rev() {
            diagnostics += self.pass(conditional, &mut chains.view(), now)?;
            let (sweep, times) = (self.schedule.order().sweep_of(now), vec![now; chains.rows()]);
            if watch(Progress { sweep, step: now, times: &times, chains, diagnostics }).is_break() {
                break;
            }
        }
        Ok(diagnostics)
    }
}
