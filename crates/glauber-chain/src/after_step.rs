//! Conditionals for steps that touch many sites at once.

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step};

use crate::skip_ahead::unmix;
use crate::{Result, RowSites, SiteConditional, TokenRows};

/// Conditionals of a step's sites before the step, given the tokens after the step.
///
/// If a step touches one site, all others have their levels before the step, as in a [`SiteConditional`]. If it touches
/// the whole sequence, all have their levels after the step. The clean token then has the law `μ` given those, and `r =
/// α μ + (1 − α) q` at the site's level before the step. With a [`ReverseSampler`](crate::ReverseSampler) over blocks
/// of all sites (`SiteOrder::strided(len, len, K)`) this gives the samplers of other discrete diffusion models, with
/// `K` passes per sample. With [`Lazy`](crate::Lazy) it is the ancestral sampler of D3PM, MDLM and UDLM; its law
/// differs from the data's by `O(1/K)`.
///
/// ```
/// use glauber_chain::oracles::EnumeratedTable;
/// use glauber_chain::{AfterStep, Lazy, ReverseSampler, Sampler};
/// use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
///
/// let table = EnumeratedTable::new(2, 3, vec![4.0, 1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 4.0])?;
/// let order = SiteOrder::strided(3, 3, 16)?; // 16 steps, each of all sites
/// let schedule = Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(2)?, 1e-3, false)?;
/// let exact = table.conditional(&schedule)?;
/// let sampler = ReverseSampler::new(&schedule, Lazy::default());
/// let mut chains = sampler.start(10, 42);
/// let done = sampler.sample(&AfterStep::new(exact, &schedule), &mut chains)?;
/// assert_eq!(done.rounds, 16);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct AfterStep<'a, C> {
    conditional: C,
    schedule: &'a Schedule,
}

impl<'a, C: SiteConditional> AfterStep<'a, C> {
    /// Wraps conditionals of the same schedule that are defined at its horizon too.
    pub fn new(conditional: C, schedule: &'a Schedule) -> Self {
        Self { conditional, schedule }
    }

    /// Conditionals for the steps of a schedule: unchanged if each step touches one site, [`AfterStep`] if some touch
    /// several.
    pub fn where_several(conditional: C, schedule: &'a Schedule) -> Box<dyn SiteConditional + 'a>
    where
        C: 'a,
    {
        match schedule.order().is_single_site() {
            true => Box::new(conditional),
            false => Box::new(Self::new(conditional, schedule)),
        }
    }

    /// Converts `log r` at the level after a step to the level before it, shape `[token]`, in place.
    fn take_back(&self, step: Step, site: Site, law: &mut [f64]) {
        let after = self.schedule.law_at(site, step + 1).probabilities();
        unmix(law, self.schedule.signal_level(site, step + 1), after);
        // No clean token is the mask, whatever a network says.
        if let Some(mask) = self.schedule.law().mask() {
            law[mask as usize] = 0.0;
            let mass: f64 = law.iter().sum();
            law.iter_mut().filter(|_| mass > 0.0).for_each(|mu| *mu /= mass);
        }
        let (level, before) =
            (self.schedule.signal_level(site, step), self.schedule.law_at(site, step).probabilities());
        law.iter_mut().zip(before).for_each(|(mu, q)| *mu = (level * *mu + (1.0 - level) * q).ln());
    }
}

impl<C: SiteConditional> SiteConditional for AfterStep<'_, C> {
    fn vocab(&self) -> usize {
        self.conditional.vocab()
    }

    fn len(&self) -> usize {
        self.conditional.len()
    }

    fn log_conditionals(&self, tokens: TokenRows<'_>, step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        self.conditional.log_conditionals(tokens, step + 1, sites, out)?;
        let asked = sites.iter().cycle();
        out.chunks_exact_mut(self.vocab()).zip(asked).for_each(|(law, &site)| self.take_back(step, site, law));
        Ok(())
    }

    fn log_conditionals_at(
        &self,
        tokens: TokenRows<'_>,
        steps: &[Step],
        sites: RowSites<'_>,
        out: &mut [f64],
    ) -> Result<()> {
        let after: Vec<Step> = steps.iter().map(|step| step + 1).collect();
        self.conditional.log_conditionals_at(tokens, &after, sites, out)?;
        let per_row = sites.per_row(self.len());
        for (at, law) in out.chunks_exact_mut(self.vocab()).enumerate() {
            if matches!(sites, RowSites::Marked(marked) if !marked[at]) {
                continue;
            }
            let (row, asked) = (at / per_row, at % per_row);
            let site = if let RowSites::Each(each) = sites { each[row] } else { asked };
            self.take_back(steps[row], site, law);
        }
        Ok(())
    }

    fn passes(&self) -> u64 {
        self.conditional.passes()
    }
}
