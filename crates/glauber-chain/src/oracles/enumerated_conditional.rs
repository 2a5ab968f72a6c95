//! The noisy conditionals of an enumerated distribution.

use std::collections::HashMap;

use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step, Token};

use super::EnumeratedTable;
use crate::{ChainError, Result, SiteConditional, TokenRows};

impl EnumeratedTable {
    /// The exact conditionals of the forward chain of a schedule.
    ///
    /// # Errors
    /// When the schedule has another vocabulary or number of sites.
    pub fn conditional(&self, schedule: &Schedule) -> Result<EnumeratedConditional> {
        self.check_schedule(schedule)?;
        let laws = (0..=schedule.horizon()).map(|t| self.law_at(schedule, t)).collect();
        Ok(EnumeratedConditional { table: self.clone(), schedule: schedule.clone(), laws })
    }
}

/// The exact `r` of an [`EnumeratedTable`] at every step of a schedule.
///
/// Clamped sites count as clean: `r` is that of the forward chain that starts from π given their tokens and never touches them.
#[derive(Debug, Clone)]
pub struct EnumeratedConditional {
    table: EnumeratedTable,
    schedule: Schedule,
    /// The law of `X_t` with nothing clamped, shape `[time, state]`.
    laws: Vec<Vec<f64>>,
}

/// What is known of a site other than the requested one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Knowledge {
    /// It has been noised like any other.
    Noisy,
    /// It has not been noised.
    Clean,
    /// It has not been noised and shows this token.
    Known(Token),
}

impl EnumeratedConditional {
    /// The joint law of `X_t` and of the tokens known, shape `[state]`.
    fn clamped_law(&self, step: Step, knowledge: &[Knowledge]) -> Vec<f64> {
        let agrees = |state: usize| {
            knowledge.iter().enumerate().all(|(site, known)| match known {
                Knowledge::Known(token) => self.table.token(state, site) == *token,
                Knowledge::Noisy | Knowledge::Clean => true,
            })
        };
        let clean = self.table.probabilities().iter().enumerate();
        let part = clean.map(|(state, &mass)| if agrees(state) { mass } else { 0.0 }).collect();
        let level = |site: Site| match knowledge[site] {
            Knowledge::Noisy => self.schedule.signal_level(site, step),
            Knowledge::Clean | Knowledge::Known(_) => 1.0,
        };
        self.table.noised(part, &self.schedule, level)
    }

    fn write(&self, law: &[f64], row: &[Token], site: Site, step: Step, rates: &mut [f64]) -> Result<()> {
        let state = self.table.state(row);
        let mass = |a: usize| law[self.table.with(state, site, a)];
        let context: f64 = (0..self.table.vocab()).map(mass).sum();
        if context == 0.0 {
            return Err(ChainError::Impossible { site, token: row[site], step });
        }
        for (a, rate) in rates.iter_mut().enumerate() {
            *rate = (mass(a) / context).ln();
        }
        Ok(())
    }
}

impl SiteConditional for EnumeratedConditional {
    fn vocab(&self) -> usize {
        self.table.vocab()
    }

    fn len(&self) -> usize {
        self.table.len()
    }

    fn log_conditionals(&self, tokens: TokenRows<'_>, step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        let law = self.laws.get(step).ok_or(ChainError::OutsideHorizon {
            from: step,
            to: 0,
            horizon: self.laws.len() - 1,
        })?;
        // Rows that are clamped alike share a law.
        let mut clamped_laws: HashMap<Vec<Knowledge>, Vec<f64>> = HashMap::new();
        let asked = (0..tokens.rows()).flat_map(|row| sites.iter().map(move |&site| (row, site)));
        for ((row, site), rates) in asked.zip(out.chunks_exact_mut(self.table.vocab())) {
            let shown = tokens.row(row);
            let law = match tokens.clamped(row).filter(|mask| mask.contains(&true)) {
                None => law,
                Some(mask) => {
                    let knowledge = knowledge(shown, mask, site);
                    clamped_laws.entry(knowledge).or_insert_with_key(|known| self.clamped_law(step, known))
                }
            };
            self.write(law, shown, site, step, rates)?;
        }
        Ok(())
    }
}

fn knowledge(row: &[Token], mask: &[bool], asked: Site) -> Vec<Knowledge> {
    let of = |(site, (&token, &clamped)): (Site, (&Token, &bool))| match clamped {
        false => Knowledge::Noisy,
        true if site == asked => Knowledge::Clean,
        true => Knowledge::Known(token),
    };
    row.iter().zip(mask).enumerate().map(of).collect()
}
