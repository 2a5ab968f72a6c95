//! Swendsen–Wang: chains of Ising and Potts models that mix at every temperature where heat bath does not.

use glauber_chain::ChainRng;
use glauber_chain::oracles::{Ising, Lattice, Potts};
use glauber_schedule::Boundary;
use glauber_tokens::{Site, Token, TokenBatch};
use rayon::prelude::*;

use crate::{EnergyError, Result};

/// Cluster updates of Swendsen and Wang (1987): bonds between equal neighbours are kept with probability `1 − e^{−β}`
/// (Potts; Ising at β: `1 − e^{−2β}`), and every cluster gets a uniform colour.
///
/// These are chains, not exact samples: look at the autocorrelation time. For more than four colours at the transition it
/// grows exponentially with the side (Gore and Jerrum 1999).
///
/// ```
/// use glauber_chain::oracles::{Ising, Lattice, kaufman_energy};
/// use glauber_chain::statistics::series_estimate;
/// use glauber_energy::SwendsenWang;
/// use glauber_schedule::Boundary;
///
/// let ising = Ising::new(Lattice::new(8, 8, Boundary::Torus)?, 0.6, 0.0)?; // cold: heat bath would not cross
/// let energies = SwendsenWang::ising(&ising)?.series(4, 50, 500, 1, |x| ising.bond_energy(x) / 64.0);
/// let found = series_estimate(&energies);
/// assert!(found.estimate.deviation_from(kaufman_energy(8, 8, 0.6)?).abs() < 4.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct SwendsenWang {
    bonds: Vec<(u32, u32)>,
    sites: usize,
    colours: usize,
    keep: f64,
}

impl SwendsenWang {
    /// Of an Ising model without a field.
    ///
    /// # Errors
    /// When there is a field, or the coupling is negative.
    pub fn ising(ising: &Ising) -> Result<Self> {
        EnergyError::unless_in_range(ising.field() == 0.0, "field", ising.field(), "0 for cluster updates")?;
        Self::new(ising.lattice(), 2, 2.0 * ising.coupling())
    }

    /// Of a Potts model.
    ///
    /// # Errors
    /// When the coupling is negative.
    pub fn potts(potts: &Potts) -> Result<Self> {
        Self::new(potts.lattice(), glauber_chain::SiteConditional::vocab(potts), potts.coupling())
    }

    fn new(lattice: &Lattice, colours: usize, coupling: f64) -> Result<Self> {
        EnergyError::unless_in_range(coupling >= 0.0, "coupling", coupling, "at least 0 for cluster updates")?;
        let bonds = lattice.bonds().map(|(a, b)| (a as u32, b as u32)).collect();
        Ok(Self { bonds, sites: lattice.sites(), colours, keep: -(-coupling).exp_m1() })
    }

    /// One update of a configuration, shape `[site]`.
    pub fn update(&self, tokens: &mut [Token], rng: &mut ChainRng) {
        let mut root: Vec<u32> = (0..self.sites as u32).collect();
        for &(a, b) in &self.bonds {
            if tokens[a as usize] == tokens[b as usize] && rng.uniform() < self.keep {
                let (a, b) = (find(&mut root, a), find(&mut root, b));
                root[a.max(b) as usize] = a.min(b);
            }
        }
        let mut colours = vec![Token::MAX; self.sites];
        for (site, token) in tokens.iter_mut().enumerate() {
            let cluster = find(&mut root, site as u32) as usize;
            if colours[cluster] == Token::MAX {
                colours[cluster] = rng.below(self.colours) as Token;
            }
            *token = colours[cluster];
        }
    }

    /// A function of the configuration, shape `[chain][update]`, after some updates to forget the start. Chain `i` has
    /// stream `i` of the seed.
    pub fn series(
        &self,
        chains: usize,
        burn_in: usize,
        updates: usize,
        seed: u64,
        measure: impl Fn(&[Token]) -> f64 + Sync,
    ) -> Vec<Vec<f64>> {
        let chain = |stream: usize| {
            let mut rng = ChainRng::new(seed, stream as u64);
            let mut tokens = vec![0; self.sites];
            (0..burn_in).for_each(|_| self.update(&mut tokens, &mut rng));
            let step = |_| {
                self.update(&mut tokens, &mut rng);
                measure(&tokens)
            };
            (0..updates).map(step).collect()
        };
        (0..chains).into_par_iter().map(chain).collect()
    }

    /// Independent samples, shape `[row, site]`: each the end of its own chain of so many updates.
    pub fn sample(&self, rows: usize, updates: usize, seed: u64) -> TokenBatch {
        let mut batch = TokenBatch::filled(rows, self.sites, 0);
        let rows = batch.as_mut_slice().par_chunks_exact_mut(self.sites);
        rows.enumerate().for_each(|(row, tokens)| {
            let mut rng = ChainRng::new(seed, row as u64);
            (0..updates).for_each(|_| self.update(tokens, &mut rng));
        });
        batch
    }
}

/// The root of a site, with the path halved.
fn find(root: &mut [u32], site: u32) -> u32 {
    let mut at = site;
    while root[at as usize] != at {
        root[at as usize] = root[root[at as usize] as usize];
        at = root[at as usize];
    }
    at
}

/// The correlation `⟨s_0 s_r⟩` of two-colour configurations on a torus at a distance along the rows, over all sites.
///
/// # Panics
/// When the lattice is open, or has another number of sites.
pub fn correlation(lattice: &Lattice, tokens: &[Token], distance: usize) -> f64 {
    assert_eq!(tokens.len(), lattice.sites(), "one token for each site");
    assert_eq!(lattice.boundary(), Boundary::Torus, "a distance around a torus");
    let width = lattice.width();
    let across = |site: Site| site / width * width + (site % width + distance) % width;
    let equal = (0..tokens.len()).filter(|&site| tokens[site] == tokens[across(site)]).count();
    2.0 * equal as f64 / tokens.len() as f64 - 1.0
}
