//! Samplers that unmask a few sites per pass, chosen by a plan.

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

/// How a pass chooses the masked sites to write.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Plan {
    /// At random, uniformly. One site per pass is the first-hitting sampler (Zheng et al. 2024).
    Random,
    /// From left to right.
    InOrder,
    /// The sites with the lowest entropy, independently of the draws.
    Entropy,
    /// Draws every site, and keeps the most probable draws (MaskGIT, Chang et al. 2022; LLaDA). The choice depends on
    /// the draws, so this is a search for probable sequences, not a sampler of the model, even with one site per pass.
    Confidence,
    /// The sites with the lowest entropy, as many as a bound allows: at least one, and their summed entropy without the
    /// largest is at most this many nats (Ben-Hamu et al. 2025). The sum bounds the cost of drawing them as if
    /// independent.
    EntropyBound(f64),
    /// Draws every masked site and scores every written one. The most probable are kept or written, and the others
    /// masked (P2, Peng et al. 2025, planned by the network itself). The number is the weight of a written token's
    /// log-probability; 0 never masks again, which is [`Confidence`](Self::Confidence). This is a search. It also
    /// requests the written sites, which a hollow network evaluates in the same pass.
    Path(f64),
    /// Random sites, and tokens written with low confidence are masked again (ReMDM, Wang et al. 2025, "confidence"). A
    /// written token is masked with probability `s σ e^{−ψ} / Σ e^{−ψ}`, the sum over written tokens. `s` is this
    /// share, `σ = min(1, (1 − α') / α)` the largest probability that the chain allows, and `ψ` the token's probability
    /// when drawn. The choice depends on the draws, so it is not exact, but close: on the table of `docs/math.md`, §7,
    /// about .03 from the data in total variation, at the same entropy.
    Remask(f64),
}

impl Plan {
    /// Whether the plan reads sites that are already written.
    fn revises(self) -> bool {
        matches!(self, Self::Path(_))
    }
}

/// Writes masked sequences. Each pass writes the number of masks divided by the steps left, or as many as the plan
/// says.
///
/// With exact conditionals and as many passes as sites, it is exact for any plan that does not depend on the draws.
/// Several sites of a pass are drawn as if independent.
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
    /// A sampler from a schedule (borrowed or owned), a plan and the controls of the draws.
    ///
    /// # Errors
    /// If noise draws tokens other than the mask, or a control or the parameter of a plan is out of range.
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

    /// One pass: evaluates the sites that the plan reads, and writes some of them. `drawn_at` are the probabilities
    /// that tokens had when they were drawn, shape `[row, site]`.
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

    /// The number of draws that a step writes, in the order of the plan, for a row with `free` sites that masks `again`
    /// some of them.
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

    /// For each site, a draw or its written token, and its rank in the plan. `laws` is `log r` of the row, shape
    /// `[site, token]`.
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

/// A token drawn at a site. The lowest ranks are written.
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
