//! Conditionals under a hard constraint.

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token};

use crate::controls::normalise;
use crate::{ChainError, Result, RowSites, SiteConditional, TokenRows};

/// A conditional without the tokens that a constraint excludes, given the sites that are known.
///
/// A site is known where its signal level is 1, or where it is clamped. In the last sweep of a reverse chain the known sites are
/// those that it has written. So the chain ends in a sequence that the constraint allows, whatever the network has learned.
/// Elsewhere a site may show noise, and its law stays as it is.
///
/// This holds where every step touches one site. Weights of paths stay exact, because bounds and samplers read the same laws.
///
/// ```
/// use glauber_chain::{Constrained, HeatBath, ReverseSampler, Sampler, oracles::MarkovSource};
/// use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
/// use glauber_tokens::{Site, Token};
///
/// let order = SiteOrder::round_robin(8, 4)?;
/// let schedule = Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(5)?, 1e-3, false)?;
/// let source = MarkovSource::random(5, 1, 2.0)?;
/// // No two neighbours are equal.
/// let differ = |known: &[Option<Token>], site: Site, possible: &mut [bool]| {
///     let beside = [site.checked_sub(1), Some(site + 1)].into_iter().flatten();
///     let tokens = beside.filter_map(|at| *known.get(at)?);
///     tokens.for_each(|token| possible[token as usize] = false);
/// };
/// let conditional = Constrained::new(source.conditional(&schedule)?, &schedule, differ)?;
/// let sampler = ReverseSampler::new(schedule.clone(), HeatBath::default());
/// let mut chains = sampler.start(10, 42);
/// sampler.sample(&conditional, &mut chains)?;
/// assert!(chains.tokens().iter().all(|row| row.windows(2).all(|pair| pair[0] != pair[1])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Constrained<'a, C, F> {
    conditional: C,
    schedule: &'a Schedule,
    exclude: F,
}

impl<'a, C, F> Constrained<'a, C, F>
where
    C: SiteConditional,
    F: Fn(&[Option<Token>], Site, &mut [bool]),
{
    /// Constrains a conditional. `exclude` gets the known tokens, shape `[site]`, and a site, and sets tokens that the site cannot
    /// have to false, shape `[token]`.
    ///
    /// # Errors
    /// When the conditional has another number of sites than the schedule.
    pub fn new(conditional: C, schedule: &'a Schedule, exclude: F) -> Result<Self> {
        ChainError::unless_equal("sites of the constrained law", conditional.len(), schedule.len())?;
        Ok(Self { conditional, schedule, exclude })
    }

    /// Constrains the law of a site of a row, shape `[token]`.
    fn constrain(&self, rows: TokenRows<'_>, row: usize, step: Step, site: Site, law: &mut [f64]) -> Result<()> {
        if self.schedule.signal_level(site, step) < 1.0 {
            return Ok(());
        }
        let clamped = rows.clamped(row);
        let is_known = |at: Site| {
            let clamped = clamped.is_some_and(|clamped| clamped[at]);
            at != site && (clamped || self.schedule.signal_level(at, step) == 1.0)
        };
        let tokens = rows.row(row).iter().enumerate();
        let known: Vec<_> = tokens.map(|(at, &token)| is_known(at).then_some(token)).collect();
        let mut possible = vec![true; law.len()];
        (self.exclude)(&known, site, &mut possible);
        if possible.iter().all(|possible| *possible) {
            return Ok(());
        }
        law.iter_mut().zip(possible).filter(|(_, possible)| !possible).for_each(|(log, _)| *log = f64::NEG_INFINITY);
        normalise(law).map_err(|mass| ChainError::of_mass(row, site, step, mass))
    }
}

impl<C, F> SiteConditional for Constrained<'_, C, F>
where
    C: SiteConditional,
    F: Fn(&[Option<Token>], Site, &mut [bool]),
{
    fn vocab(&self) -> usize {
        self.conditional.vocab()
    }

    fn len(&self) -> usize {
        self.conditional.len()
    }

    fn log_conditionals(&self, tokens: TokenRows<'_>, step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        self.conditional.log_conditionals(tokens, step, sites, out)?;
        let asked = (0..tokens.rows()).flat_map(|row| sites.iter().map(move |&site| (row, site)));
        let mut laws = asked.zip(out.chunks_exact_mut(self.vocab()));
        laws.try_for_each(|((row, site), law)| self.constrain(tokens, row, step, site, law))
    }

    fn log_conditionals_at(
        &self,
        tokens: TokenRows<'_>,
        steps: &[Step],
        sites: RowSites<'_>,
        out: &mut [f64],
    ) -> Result<()> {
        self.conditional.log_conditionals_at(tokens, steps, sites, out)?;
        let is_read = |index: usize| !matches!(sites, RowSites::Marked(marked) if !marked[index]);
        let mut laws = out.chunks_exact_mut(self.vocab()).enumerate().filter(|(index, _)| is_read(*index));
        laws.try_for_each(|(index, law)| {
            let (row, site) = sites.place(index, tokens.len());
            self.constrain(tokens, row, steps[row], site, law)
        })
    }

    fn passes(&self) -> u64 {
        self.conditional.passes()
    }
}
