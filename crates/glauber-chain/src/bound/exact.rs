//! The mean of the bound over an enumerable distribution, without sampling.

use glauber_tokens::{Site, Step, Token};

use super::LikelihoodBound;
use crate::oracles::EnumeratedTable;
use crate::{Result, ReverseKernel, SiteConditional, TokenRows, Touch};

/// The mean of the bound (N) over `X_0 ~ π`, in nats per sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct ExactBound {
    /// `E KL(P(X_T | X_0) ‖ p(X_T))`.
    pub prior: f64,
    /// `E KL(P(X_t | X_{t+1}, X_0) ‖ p_θ(X_t | X_{t+1}))`, shape `[step]`.
    pub steps: Vec<f64>,
}

impl ExactBound {
    /// The bound: the prior term and all steps.
    pub fn total(&self) -> f64 {
        self.prior + self.steps.iter().sum::<f64>()
    }
}

impl<K: ReverseKernel> LikelihoodBound<'_, K> {
    /// The mean of the bound over `X_0 ~ π`, summed over all steps and all noisy sequences.
    ///
    /// # Errors
    /// When sizes do not fit, the conditional fails, or the bound is infinite. The `row` of that error is the state of
    /// the noisy sequence, or of the clean one if the start causes it.
    pub fn exact_mean<C: SiteConditional + ?Sized>(
        &self,
        table: &EnumeratedTable,
        conditional: &C,
    ) -> Result<ExactBound> {
        table.check_schedule(self.schedule)?;
        self.check_conditional(conditional)?;
        let mut prior = 0.0;
        for (state, &mass) in table.probabilities().iter().enumerate().filter(|(_, mass)| **mass > 0.0) {
            prior += mass * self.prior_of_row(state, &table.sequence(state))?;
        }
        let step = |t: Step| {
            let sites = self.schedule.sites(t).iter();
            sites.map(|&site| self.mean_site_term(table, conditional, t, site)).sum()
        };
        let steps = (0..self.schedule.horizon()).map(step).collect::<Result<_>>()?;
        Ok(ExactBound { prior, steps })
    }

    /// The term depends on `X_0` through the site alone, so it is summed over the joint law of `X_{0,i}` and `X_{t+1}`.
    fn mean_site_term<C: SiteConditional + ?Sized>(
        &self,
        table: &EnumeratedTable,
        conditional: &C,
        t: Step,
        site: Site,
    ) -> Result<f64> {
        let vocab = table.vocab();
        let joint: Vec<Vec<f64>> = (0..vocab as Token)
            .map(|clean| {
                let part = |(state, &mass): (usize, &f64)| if table.token(state, site) == clean { mass } else { 0.0 };
                let part = table.probabilities().iter().enumerate().map(part).collect();
                table.noised(part, self.schedule, |site| self.schedule.signal_level(site, t + 1))
            })
            .collect();
        let possible: Vec<usize> =
            (0..table.states()).filter(|&state| joint.iter().any(|part| part[state] > 0.0)).collect();
        let tokens: Vec<Token> = possible.iter().flat_map(|&state| table.sequence(state)).collect();
        let mut rates = vec![0.0; possible.len() * vocab];
        conditional.log_conditionals(TokenRows::new(&tokens, table.len()), t, &[site], &mut rates)?;
        let mut sum = 0.0;
        for (&state, log_rates) in possible.iter().zip(rates.chunks_exact_mut(vocab)) {
            let touch = Touch::new(self.schedule, t, site, table.token(state, site));
            self.law(touch, state, log_rates)?;
            for (clean, part) in joint.iter().enumerate().filter(|(_, part)| part[state] > 0.0) {
                sum += part[state] * self.site_term(touch, clean as Token, state, log_rates)?;
            }
        }
        Ok(sum)
    }
}
