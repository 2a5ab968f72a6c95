//! Classifier-free guidance: two conditionals combined.

use glauber_tokens::{Site, Step};

use crate::controls::normalise;
use crate::{ChainError, Result, RowSites, SiteConditional, TokenRows};

/// `log r = (1 + w) log r_cond − w log r_uncond`, normalised.
///
/// A weight of 0 gives `r_cond` bit for bit, without evaluating `r_uncond`. −1 gives `r_uncond` if both allow the same
/// tokens. Larger weights favour tokens that the condition makes more probable. In general no joint law has these
/// conditionals, so a guided chain samples no law exactly.
///
/// Tokens of probability 0 under `r_cond` keep probability 0. A token of probability 0 only under `r_uncond` would have
/// infinite weight for `w > 0`; this is an error.
#[derive(Debug, Clone, Copy)]
pub struct Guided<C, U> {
    conditional: C,
    unconditional: U,
    weight: f64,
}

impl<C: SiteConditional, U: SiteConditional> Guided<C, U> {
    /// Combines the two with weight `w`.
    ///
    /// # Errors
    /// When they differ in vocabulary or length, or `weight` is below −1 or not finite.
    pub fn new(conditional: C, unconditional: U, weight: f64) -> Result<Self> {
        ChainError::unless_equal("tokens of the unconditional law", unconditional.vocab(), conditional.vocab())?;
        ChainError::unless_equal("sites of the unconditional law", unconditional.len(), conditional.len())?;
        let good = weight >= -1.0 && weight.is_finite();
        ChainError::unless_in_range(good, "guidance weight", weight, "a finite number of at least -1")?;
        Ok(Self { conditional, unconditional, weight })
    }

    /// The weight `w`.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// Combines rows of both in place, shape `[row, token]`; `at` names the row, site and step of one.
    fn combine(&self, out: &mut [f64], other: &[f64], at: impl Fn(usize) -> (usize, Site, Step)) -> Result<()> {
        let vocab = self.vocab();
        for (index, (row, other)) in out.chunks_exact_mut(vocab).zip(other.chunks_exact(vocab)).enumerate() {
            for (log, other) in row.iter_mut().zip(other) {
                if *log > f64::NEG_INFINITY {
                    // Two infinities of opposite sign do not meet: `1 + w ≥ 0`, and the log-probability is finite.
                    *log = (1.0 + self.weight) * *log - self.weight * other;
                }
            }
            let (row_at, site, step) = at(index);
            normalise(row).map_err(|mass| ChainError::of_mass(row_at, site, step, mass))?;
        }
        Ok(())
    }
}

impl<C: SiteConditional, U: SiteConditional> SiteConditional for Guided<C, U> {
    fn vocab(&self) -> usize {
        self.conditional.vocab()
    }

    fn len(&self) -> usize {
        self.conditional.len()
    }

    fn log_conditionals(&self, tokens: TokenRows<'_>, step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        self.conditional.log_conditionals(tokens, step, sites, out)?;
        if self.weight == 0.0 {
            return Ok(());
        }
        let mut other = vec![0.0; out.len()];
        self.unconditional.log_conditionals(tokens, step, sites, &mut other)?;
        self.combine(out, &other, |index| (index / sites.len(), sites[index % sites.len()], step))
    }

    fn conditionals(&self, tokens: TokenRows<'_>, step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        if self.weight == 0.0 {
            return self.conditional.conditionals(tokens, step, sites, out);
        }
        self.log_conditionals(tokens, step, sites, out)?;
        out.iter_mut().for_each(|log| *log = log.exp());
        Ok(())
    }

    fn log_conditionals_at(
        &self,
        tokens: TokenRows<'_>,
        steps: &[Step],
        sites: RowSites<'_>,
        out: &mut [f64],
    ) -> Result<()> {
        self.conditional.log_conditionals_at(tokens, steps, sites, out)?;
        if self.weight == 0.0 {
            return Ok(());
        }
        let mut other = vec![0.0; out.len()];
        self.unconditional.log_conditionals_at(tokens, steps, sites, &mut other)?;
        self.combine(out, &other, |index| {
            let (row, site) = sites.place(index, tokens.len());
            (row, site, steps[row])
        })
    }

    fn passes(&self) -> u64 {
        let other = if self.weight == 0.0 { 0 } else { self.unconditional.passes() };
        self.conditional.passes() + other
    }
}
