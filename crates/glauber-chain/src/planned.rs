//! Masks taken away a few a pass, at sites that a plan chooses.

use std::borrow::Cow;

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token};

use crate::chains::ChainsView;
use crate::controls::draw;
use crate::remask::only_mask;
use crate::sampler::{Progress, Sampler, Watch, check};
use crate::{
    ChainError, ChainRng, Chains, DrawControls, Refusal, Result, RowSites, SiteConditional, StepDiagnostics, Touch,
};

/// Which of the masked sites a pass writes.
#[derive(Debug, Clone, Copy, PartialEq)]
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
    /// Those of the least entropy, in as few passes as the bound allows: as many as have a summed entropy, without the largest, of at most
    /// so many nats, and one at least (Ben-Hamu et al. 2025). That sum bounds what drawing them as if they were independent costs.
    EntropyBound(f64),
    /// Every site is drawn or, where it is written, scored, and those of the highest probability stay or are written; the others are masked
    /// (P2, Peng et al. 2025, planned by the network itself). The log-probability of what is written counts so many times: 0 never masks
    /// again, which is [`Confidence`](Self::Confidence). A search too. It asks for the sites that are written: of a hollow network that is
    /// the same pass.
    Path(f64),
    /// Any masks, and what was written with little confidence is masked again (ReMDM, Wang et al. 2025, "confidence"): a token with
    /// probability `s σ e^{−ψ} / Σ e^{−ψ}` over the tokens that are written, `s` this share, `σ = min(1, (1 − α') / α)` the most that
    /// the chain allows and `ψ` the probability that the token had when it was drawn. It looks at what was drawn, so it is not exact either,
    /// but near: on the table of `docs/math.md`, §7, about .03 from the data in total variation, of the same entropy.
    Remask(f64),
}

impl Plan {
    /// Whether sites that are written already are looked at.
    fn revises(self) -> bool {
        matches!(self, Self::Path(_))
    }
}

/// Writes masked sequences, as many sites a pass as there are masks for each step left, or as the plan says.
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
    /// When noise draws other tokens than the mask, or a control or the parameter of a plan is out of range.
    pub fn new(schedule: impl Into<Cow<'a, Schedule>>, plan: Plan, controls: DrawControls) -> Result<Self> {
        controls.validate()?;
        if let Plan::EntropyBound(number) | Plan::Path(number) = plan {
            let fits = (0.0..f64::INFINITY).contains(&number);
            ChainError::unless_in_range(fits, "the number of a plan", number, "a number of at least 0")?;
        }
        if let Plan::Remask(share) = plan {
            ChainError::unless_in_range((0.0..=1.0).contains(&share), "remasking", share, "a probability")?;
        }
        let schedule = schedule.into();
        let mask = only_mask(schedule.law())?;
        Ok(Self { schedule, plan, controls, mask })
    }

    /// One pass: asks for the sites of every row that the plan looks at, and writes some of them. `drawn_at` are the probabilities that
    /// tokens had when they were drawn, shape `[row, site]`.
    fn pass(
        &self,
        conditional: &dyn SiteConditional,
        view: &mut ChainsView<'_>,
        step: Step,
        drawn_at: &mut [f64],
    ) -> Result<StepDiagnostics> {
        let (len, vocab) = (view.len, conditional.vocab());
        let free = |at: usize| !view.clamped.is_some_and(|clamped| clamped[at]);
        let masked = |at: usize| view.tokens[at] == self.mask && free(at);
        let all = 0..view.tokens.len();
        if !all.clone().any(masked) {
            return Ok(StepDiagnostics::default());
        }
        let asked: Vec<bool> = all.map(|at| if self.plan.revises() { free(at) } else { masked(at) }).collect();
        let mut laws = vec![0.0; asked.len() * vocab];
        let steps = vec![step; view.rngs.len()];
        conditional.log_conditionals_at(view.rows(), &steps, RowSites::Marked(&asked), &mut laws)?;
        let mut done = StepDiagnostics { rounds: 1, ..StepDiagnostics::default() };
        for (row, (asked, laws)) in asked.chunks_exact(len).zip(laws.chunks_exact_mut(len * vocab)).enumerate() {
            let sites: Vec<Site> = (0..len).filter(|&site| asked[site]).collect();
            let tokens = &mut view.tokens[row * len..][..len];
            let mut drawn = self.drawn(&sites, tokens, laws, &mut view.rngs[row]).map_err(|(refusal, site)| {
                refusal.at(view.first_row + row, &Touch::new(&self.schedule, step, site, self.mask))
            })?;
            drawn.sort_by(|a, b| a.rank.total_cmp(&b.rank));
            let drawn_at = &mut drawn_at[row * len..][..len];
            let again = match self.plan {
                Plan::Remask(share) => {
                    let written = (0..len).filter(|&site| free(row * len + site) && tokens[site] != self.mask);
                    self.masked_again(share, step, written.collect(), drawn_at, &mut view.rngs[row])
                }
                _ => Vec::new(),
            };
            let free = (0..len).filter(|&site| free(row * len + site)).count();
            let count = self.count(&drawn, step, free, again.len());
            for (at, Draw { site, token, .. }) in drawn.into_iter().enumerate() {
                let new = if at < count { token } else { self.mask };
                done.changes += u64::from(tokens[site] != new);
                tokens[site] = new;
                drawn_at[site] = laws[site * vocab + token as usize];
            }
            done.changes += again.len() as u64;
            again.into_iter().for_each(|site| tokens[site] = self.mask);
            done.evaluations += u64::from(!sites.is_empty());
            done.updates += count as u64;
        }
        Ok(done)
    }

    /// The written sites that ReMDM masks again in a step.
    fn masked_again(
        &self,
        share: f64,
        step: Step,
        mut written: Vec<Site>,
        drawn_at: &[f64],
        rng: &mut ChainRng,
    ) -> Vec<Site> {
        let [before, after] = [step, step + 1].map(|time| self.schedule.signal_level(0, time));
        let most = if after > 1.0 - before { (1.0 - before) / after } else { 1.0 };
        let mass: f64 = written.iter().map(|&site| (-drawn_at[site]).exp()).sum();
        written.retain(|&site| rng.uniform() < share * most * (-drawn_at[site]).exp() / mass);
        written
    }

    /// How many of the draws, the first in the plan first, are written by a step of a row with so many `free` sites that masks some of
    /// them `again`.
    fn count(&self, drawn: &[Draw], step: Step, free: usize, again: usize) -> usize {
        let each = drawn.len().div_ceil(step + 1);
        // Masks of after the step, of as many steps as there are.
        let left = free * step / self.schedule.horizon();
        match self.plan {
            Plan::EntropyBound(most) => {
                // Of ascending entropies the last is the largest.
                let sums = drawn.iter().scan(0.0, |sum, draw| {
                    let before = *sum;
                    *sum += draw.rank;
                    Some(before)
                });
                sums.take_while(|sum| *sum <= most).count().max(each)
            }
            Plan::Path(_) | Plan::Remask(_) => drawn.len().saturating_sub(left.saturating_sub(again)),
            _ => each,
        }
    }

    /// A draw at each site, or what is written there, and its place in the plan. `laws` is `log r` of the row, shape `[site, token]`.
    fn drawn(
        &self,
        sites: &[Site],
        tokens: &[Token],
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
            if let (Plan::Path(times), written) = (self.plan, tokens[site])
                && written != self.mask
            {
                let rank = if times > 0.0 { -times * law[written as usize].ln() } else { f64::NEG_INFINITY };
                return Ok(Draw { site, token: written, rank });
            }
            let [at, any] = [rng.uniform(), rng.uniform()];
            let token = draw(law, at).map_err(|mass| (Refusal::Mass(mass), site))?;
            let rank = match self.plan {
                Plan::Random | Plan::Remask(_) => any,
                Plan::InOrder => site as f64,
                Plan::Entropy | Plan::EntropyBound(_) => law.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum(),
                Plan::Confidence => -law[token as usize],
                Plan::Path(_) => -law[token as usize].ln(),
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
        let mut drawn_at = vec![1.0; chains.tokens().as_slice().len()];
        for now in (to..from).rev() {
            diagnostics += self.pass(conditional, &mut chains.view(), now, &mut drawn_at)?;
            let (sweep, times) = (self.schedule.order().sweep_of(now), vec![now; chains.rows()]);
            if watch(Progress { sweep, step: now, times: &times, chains, diagnostics }).is_break() {
                break;
            }
        }
        Ok(diagnostics)
    }
}
