//! The Potts model.

use glauber_tokens::{Site, Step, Token};

use super::Lattice;
use crate::{ChainError, SiteConditional, TokenRows};

/// The Potts model `π(x) ∝ exp(β Σ_bonds 1{x_i = x_j})` over `V` colours. Two colours at β are the Ising model at β/2.
#[derive(Debug, Clone, PartialEq)]
pub struct Potts {
    lattice: Lattice,
    colours: usize,
    coupling: f64,
    /// `exp(β n)` for `n` equal neighbours.
    weights: [f64; 5],
}

impl Potts {
    /// The model with a number of colours and a coupling β in units of the temperature.
    ///
    /// # Errors
    /// When there is no colour, or the coupling is so large that its weights overflow.
    pub fn new(lattice: Lattice, colours: usize, coupling: f64) -> Result<Self, ChainError> {
        if colours == 0 {
            return Err(ChainError::OutOfRange { key: "colours", found: 0.0, expected: "at least 1" });
        }
        if coupling.is_nan() || coupling.abs() > 100.0 {
            return Err(ChainError::OutOfRange {
                key: "coupling",
                found: coupling,
                expected: "a number between -100 and 100",
            });
        }
        Ok(Self { lattice, colours, coupling, weights: std::array::from_fn(|equal| (coupling * equal as f64).exp()) })
    }

    /// The lattice.
    pub fn lattice(&self) -> &Lattice {
        &self.lattice
    }

    /// The coupling β.
    pub fn coupling(&self) -> f64 {
        self.coupling
    }

    /// `−Σ_bonds 1{x_i = x_j}` of a configuration, shape `[site]`.
    ///
    /// # Panics
    /// When there is not one token for each site.
    pub fn bond_energy(&self, tokens: &[Token]) -> f64 {
        assert_eq!(tokens.len(), self.lattice.sites(), "one token for each site");
        -(self.lattice.bonds().filter(|&(a, b)| tokens[a] == tokens[b]).count() as f64)
    }
}

impl SiteConditional for Potts {
    fn vocab(&self) -> usize {
        self.colours
    }

    fn len(&self) -> usize {
        self.lattice.sites()
    }

    fn log_conditionals(
        &self,
        tokens: TokenRows<'_>,
        step: Step,
        sites: &[Site],
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        self.conditionals(tokens, step, sites, out)?;
        for value in out {
            *value = value.ln();
        }
        Ok(())
    }

    fn conditionals(
        &self,
        tokens: TokenRows<'_>,
        _step: Step,
        sites: &[Site],
        out: &mut [f64],
    ) -> Result<(), ChainError> {
        let asked = tokens.iter().flat_map(|row| sites.iter().map(move |&site| (row, site)));
        for ((shown, site), law) in asked.zip(out.chunks_exact_mut(self.colours)) {
            let around = self.lattice.neighbours(site);
            law.fill(1.0);
            let colour = |&j: &u32| shown[j as usize];
            for neighbour in around {
                let equal = around.iter().filter(|other| colour(other) == colour(neighbour)).count();
                law[colour(neighbour) as usize] = self.weights[equal];
            }
            let sum: f64 = law.iter().sum();
            law.iter_mut().for_each(|p| *p /= sum);
        }
        Ok(())
    }
}
