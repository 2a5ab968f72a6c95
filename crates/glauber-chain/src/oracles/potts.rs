//! The Potts model.

use glauber_tokens::{Site, Step, Token};

use super::Lattice;
use crate::{ChainError, LawTable, Result, SiteConditional, TokenRows};

/// The Potts model `π(x) ∝ exp(β Σ_bonds 1{x_i = x_j})` over `V` colours. Two colours at β are the Ising model at β/2.
#[derive(Debug, Clone, PartialEq)]
pub struct Potts {
    lattice: Lattice,
    colours: usize,
    coupling: f64,
    /// `exp(β n)` for `n` equal neighbours.
    weights: [f64; 5],
    /// `None` if there are too many colours to list.
    table: Option<LawTable>,
}

impl Potts {
    /// The model with a number of colours and a coupling β in units of the temperature.
    ///
    /// # Errors
    /// When there is no colour, or the coupling is so large that its weights overflow.
    pub fn new(lattice: Lattice, colours: usize, coupling: f64) -> Result<Self> {
        ChainError::unless_in_range(colours > 0, "colours", 0.0, "at least 1")?;
        let moderate = coupling.abs() <= 100.0;
        ChainError::unless_in_range(moderate, "coupling", coupling, "a number between -100 and 100")?;
        let weights = std::array::from_fn(|equal| (coupling * equal as f64).exp());
        let list = || LawTable::new(&lattice, colours, |around, law| fill(law, around, &weights));
        let table = (colours <= LawTable::LARGEST_VOCAB).then(list).transpose()?;
        Ok(Self { lattice, colours, coupling, weights, table })
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

    fn log_conditionals(&self, tokens: TokenRows<'_>, step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        self.conditionals(tokens, step, sites, out)?;
        for value in out {
            *value = value.ln();
        }
        Ok(())
    }

    fn conditionals(&self, tokens: TokenRows<'_>, _step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        let asked = tokens.iter().flat_map(|row| sites.iter().map(move |&site| (row, site)));
        for ((shown, site), law) in asked.zip(out.chunks_exact_mut(self.colours)) {
            let neighbours = self.lattice.neighbours(site);
            let mut around = [0; 4];
            around.iter_mut().zip(neighbours).for_each(|(token, &j)| *token = shown[j as usize]);
            fill(law, &around[..neighbours.len()], &self.weights);
        }
        Ok(())
    }

    fn law_table(&self) -> Option<&LawTable> {
        self.table.as_ref()
    }
}

/// The law of a site, shape `[token]`, given its neighbours' tokens.
#[inline]
fn fill(law: &mut [f64], around: &[Token], weights: &[f64; 5]) {
    law.fill(1.0);
    for &colour in around {
        let equal = around.iter().filter(|&&other| other == colour).count();
        law[colour as usize] = weights[equal];
    }
    let sum: f64 = law.iter().sum();
    law.iter_mut().for_each(|p| *p /= sum);
}
