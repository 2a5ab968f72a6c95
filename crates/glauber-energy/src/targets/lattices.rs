//! Ising and Potts models: those of the chain crate, and couplings of any graph as factor graphs.

use glauber_chain::oracles::{Ising, Lattice, Potts};
use glauber_chain::{ChainRng, SiteConditional};
use glauber_tokens::{Site, Token};

use super::{Factor, FactorGraph};
use crate::{EnergyError, Result, Target};

/// The colour classes of a lattice, or one block a site where it has none.
fn classes(lattice: &Lattice) -> Vec<Vec<Site>> {
    let Ok(order) = lattice.order(1) else {
        return (0..lattice.sites()).map(|site| vec![site]).collect();
    };
    (0..order.horizon()).map(|step| order.sites(step).to_vec()).collect()
}

impl Target for Ising {
    fn vocab(&self) -> usize {
        2
    }

    fn len(&self) -> usize {
        self.lattice().sites()
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        self.log_weight(tokens)
    }

    fn log_ratios(&self, tokens: &[Token], site: Site, out: &mut [f64]) {
        let around = self.lattice().neighbours(site);
        let up: u32 = around.iter().map(|&other| tokens[other as usize]).sum();
        let local = self.coupling() * (2.0 * f64::from(up) - around.len() as f64) + self.field();
        let here = 2.0 * f64::from(tokens[site]) - 1.0;
        for (ratio, spin) in out.iter_mut().zip([-1.0, 1.0]) {
            *ratio = (spin - here) * local;
        }
    }

    fn blocks(&self) -> Vec<Vec<Site>> {
        classes(self.lattice())
    }
}

impl Target for Potts {
    fn vocab(&self) -> usize {
        SiteConditional::vocab(self)
    }

    fn len(&self) -> usize {
        self.lattice().sites()
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        -self.coupling() * self.bond_energy(tokens)
    }

    fn log_ratios(&self, tokens: &[Token], site: Site, out: &mut [f64]) {
        out.fill(0.0);
        for &other in self.lattice().neighbours(site) {
            out[tokens[other as usize] as usize] += self.coupling();
        }
        let here = out[tokens[site] as usize];
        out.iter_mut().for_each(|ratio| *ratio -= here);
    }

    fn blocks(&self) -> Vec<Vec<Site>> {
        classes(self.lattice())
    }
}

/// An Ising model of any symmetric couplings `J` with zero diagonal: `log γ(s) = sᵀJs + bᵀs` over spins ±1, so that
/// **each bond counts twice**; `J = σA` of a lattice is the Ising model at `β = 2σ`.
///
/// `couplings` has shape `[site · site]`, `fields` shape `[site]`.
///
/// # Errors
/// When the couplings are not square and symmetric with a zero diagonal, or a number is not finite.
pub fn ising_couplings(couplings: &[f64], fields: &[f64]) -> Result<FactorGraph> {
    let sites = fields.len();
    EnergyError::unless_equal("couplings, sites times sites", couplings.len(), sites * sites)?;
    let mut factors = Vec::new();
    for i in 0..sites {
        let diagonal = couplings[i * sites + i];
        EnergyError::unless_in_range(diagonal == 0.0, "diagonal coupling", diagonal, "0")?;
        for j in i + 1..sites {
            let (coupling, mirrored) = (couplings[i * sites + j], couplings[j * sites + i]);
            EnergyError::unless_in_range(coupling == mirrored, "coupling", coupling, "its mirror image")?;
            if coupling != 0.0 {
                let joint = 2.0 * coupling;
                factors.push(Factor::new(vec![i, j], vec![joint, -joint, -joint, joint]));
            }
        }
        factors.push(Factor::new(vec![i], vec![-fields[i], fields[i]]));
    }
    FactorGraph::new(2, sites, factors)
}

/// Streams of a seed for what is drawn once for a model: chains of the same seed have the low ones.
const INSTANCE: u64 = u64::MAX - 16;

/// Couplings of a random graph, shape `[site · site]`: each pair is joined with probability `degree / sites` and has a
/// weight from N(0, 1/2), for [`ising_couplings`] (Erdős–Rényi Ising of Grathwohl et al. 2021).
pub fn random_couplings(sites: usize, degree: f64, seed: u64) -> Vec<f64> {
    let mut rng = ChainRng::new(seed, INSTANCE);
    let mut couplings = vec![0.0; sites * sites];
    for i in 0..sites {
        for j in i + 1..sites {
            if rng.uniform() < degree / sites as f64 {
                let weight = normal(&mut rng) * 0.5f64.sqrt();
                (couplings[i * sites + j], couplings[j * sites + i]) = (weight, weight);
            }
        }
    }
    couplings
}

/// A standard normal number (Box and Muller).
pub(crate) fn normal(rng: &mut ChainRng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.uniform()).ln()).sqrt();
    radius * (2.0 * std::f64::consts::PI * rng.uniform()).cos()
}

/// An Edwards–Anderson glass, `log γ(s) = β Σ J_ij s_i s_j`: couplings ±1 by fair coins, or from N(0, 1) if `gaussian`.
///
/// # Errors
/// When β is not finite.
pub fn edwards_anderson(lattice: &Lattice, beta: f64, gaussian: bool, seed: u64) -> Result<FactorGraph> {
    let mut rng = ChainRng::new(seed, INSTANCE);
    let mut coin = || if rng.uniform() < 0.5 { -1.0 } else { 1.0 };
    let signs: Vec<f64> = lattice.bonds().map(|_| coin()).collect();
    let mut rng = ChainRng::new(seed, INSTANCE + 1);
    let factors = lattice.bonds().zip(signs).map(|((i, j), sign)| {
        let joint = beta * if gaussian { normal(&mut rng) } else { sign };
        Factor::new(vec![i, j], vec![joint, -joint, -joint, joint])
    });
    FactorGraph::new(2, lattice.sites(), factors.collect())
}

/// An [`Ising`] model as a factor graph, whose exact values come by elimination.
///
/// # Errors
/// When the graph would be empty.
pub fn ising_graph(ising: &Ising) -> Result<FactorGraph> {
    let (b, h) = (ising.coupling(), ising.field());
    let bonds = ising.lattice().bonds().map(|(i, j)| Factor::new(vec![i, j], vec![b, -b, -b, b]));
    let fields = (0..ising.lattice().sites()).map(|i| Factor::new(vec![i], vec![-h, h]));
    FactorGraph::new(2, ising.lattice().sites(), bonds.chain(fields).collect())
}

/// A [`Potts`] model as a factor graph, whose exact values come by elimination.
///
/// # Errors
/// When the graph would be empty.
pub fn potts_graph(potts: &Potts) -> Result<FactorGraph> {
    let colours = SiteConditional::vocab(potts);
    let equal = |at: usize| if at / colours == at % colours { potts.coupling() } else { 0.0 };
    let table: Vec<f64> = (0..colours * colours).map(equal).collect();
    let factors = potts.lattice().bonds().map(|(i, j)| Factor::new(vec![i, j], table.clone())).collect();
    FactorGraph::new(colours, potts.lattice().sites(), factors)
}
