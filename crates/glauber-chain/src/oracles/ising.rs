//! The Ising model.

use glauber_tokens::{Site, Step, Token};

use super::Lattice;
use crate::{ChainError, LawTable, Result, SiteConditional, TokenRows};

/// The Ising model `π(s) ∝ exp(β Σ_bonds s_i s_j + h Σ_i s_i)`; tokens 0 and 1 are the spins −1 and +1.
#[derive(Debug, Clone, PartialEq)]
pub struct Ising {
    lattice: Lattice,
    coupling: f64,
    field: f64,
    /// Probabilities of both tokens and their logarithms, shape `[degree, neighbours up, token]`.
    probabilities: [[[f64; 2]; 5]; 5],
    log_probabilities: [[[f64; 2]; 5]; 5],
    table: LawTable,
}

impl Ising {
    /// The model with coupling β (negative for an antiferromagnet) and field h, both in units of the temperature.
    ///
    /// # Errors
    /// When the coupling or the field is not between −100 and 100.
    pub fn new(lattice: Lattice, coupling: f64, field: f64) -> Result<Self> {
        for (key, found) in [("coupling", coupling), ("field", field)] {
            ChainError::unless_in_range(found.abs() <= 100.0, key, found, "a number between -100 and 100")?;
        }
        let mut probabilities = [[[0.0; 2]; 5]; 5];
        let mut log_probabilities = [[[0.0; 2]; 5]; 5];
        for degree in 0..5 {
            for up in 0..=degree {
                let local = coupling * (2.0 * up as f64 - degree as f64) + field;
                for (token, sign) in [(0, -1.0), (1, 1.0)] {
                    // P(s) = 1 / (1 + exp(−2 s · local))
                    let odds = (-2.0 * sign * local).exp();
                    probabilities[degree][up][token] = 1.0 / (1.0 + odds);
                    log_probabilities[degree][up][token] = -log_one_plus_exp(-2.0 * sign * local);
                }
            }
        }
        let table = LawTable::new(&lattice, 2, |around, law| {
            law.copy_from_slice(&probabilities[around.len()][around.iter().sum::<Token>() as usize]);
        })?;
        Ok(Self { lattice, coupling, field, probabilities, log_probabilities, table })
    }

    /// The lattice.
    pub fn lattice(&self) -> &Lattice {
        &self.lattice
    }

    /// The coupling β.
    pub fn coupling(&self) -> f64 {
        self.coupling
    }

    /// The field h.
    pub fn field(&self) -> f64 {
        self.field
    }

    /// `−Σ_bonds s_i s_j` of a configuration, shape `[site]`, without the field.
    ///
    /// # Panics
    /// When there is not one token for each site.
    pub fn bond_energy(&self, tokens: &[Token]) -> f64 {
        assert_eq!(tokens.len(), self.lattice.sites(), "one token for each site");
        // Each bond is seen from both its ends.
        let aligned: i64 = (0..tokens.len())
            .map(|site| {
                let around = self.lattice.neighbours(site);
                let equal = |j: &&u32| tokens[**j as usize] == tokens[site];
                2 * around.iter().filter(equal).count() as i64 - around.len() as i64
            })
            .sum();
        -(aligned / 2) as f64
    }

    /// The mean spin of a configuration, shape `[site]`.
    pub fn magnetisation(&self, tokens: &[Token]) -> f64 {
        let up = tokens.iter().map(|&token| f64::from(token)).sum::<f64>();
        2.0 * up / tokens.len() as f64 - 1.0
    }

    /// `ln π(s)` up to the constant `−ln Z`, in nats.
    ///
    /// # Panics
    /// When there is not one token for each site.
    pub fn log_weight(&self, tokens: &[Token]) -> f64 {
        let spins = self.magnetisation(tokens) * tokens.len() as f64;
        self.field * spins - self.coupling * self.bond_energy(tokens)
    }

    #[inline]
    fn fill(&self, table: &[[[f64; 2]; 5]; 5], tokens: TokenRows<'_>, sites: &[Site], out: &mut [f64]) {
        let (rows, _) = out.as_chunks_mut::<2>();
        let mut rows = rows.iter_mut();
        for spins in tokens.iter() {
            for (&site, row) in sites.iter().zip(&mut rows) {
                let around = self.lattice.neighbours(site);
                let up: u32 = around.iter().map(|&j| spins[j as usize] & 1).sum();
                *row = table[around.len()][up as usize];
            }
        }
    }
}

fn log_one_plus_exp(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

impl SiteConditional for Ising {
    fn vocab(&self) -> usize {
        2
    }

    fn len(&self) -> usize {
        self.lattice.sites()
    }

    fn log_conditionals(&self, tokens: TokenRows<'_>, _step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        self.fill(&self.log_probabilities, tokens, sites, out);
        Ok(())
    }

    fn conditionals(&self, tokens: TokenRows<'_>, _step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        self.fill(&self.probabilities, tokens, sites, out);
        Ok(())
    }

    fn law_table(&self) -> Option<&LawTable> {
        Some(&self.table)
    }
}
