//! Heat bath of Ising and Potts models on a torus at the critical coupling, one core; the other side is `benches/numba/ising.py`.

use std::ops::ControlFlow;
use std::time::Instant;

use clap::{Args, ValueEnum};
use glauber_chain::oracles::{Ising, Lattice, Potts, critical_coupling};
use glauber_chain::{Chains, HeatBath, MultiSpin, ReverseKernel, SiteConditional};
use glauber_energy::{Annealing, IsingBits, Levels};
use glauber_schedule::{Boundary, SiteOrder};
use glauber_tokens::{Token, TokenBatch};
use serde_json::json;

use super::blocks::{Pace, print};

/// Lattice model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Model {
    /// Ising model: two spins
    Ising,
    /// Potts model with three colours
    Potts3,
    /// Potts model with eight colours
    Potts8,
}

/// Order in which a sweep updates the sites.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// One site per step, row by row
    Sites,
    /// All sites of one checkerboard colour per step
    Classes,
    /// The checkerboard for 64 Ising chains, one bit per chain
    Words,
    /// Annealed importance sampling of 64 Ising particles, weights summed over the redrawn sites; a block is one annealing
    Annealed,
}

/// Flags of `bench chain`.
#[derive(Debug, Args)]
pub struct Flags {
    /// Lattice model
    #[arg(long, value_enum)]
    model: Model,
    /// Order in which a sweep updates the sites
    #[arg(long, value_enum, default_value_t = Order::Sites)]
    order: Order,
    /// Side length of the lattice, an even number
    #[arg(long, default_value_t = 64)]
    side: usize,
    /// Coupling relative to the critical coupling
    #[arg(long, default_value_t = 1.0)]
    coupling: f64,
    #[command(flatten)]
    pace: Pace,
}

/// Sweeps over one chain, or 64.
trait Sweeps {
    fn run(&mut self, sweeps: usize) -> anyhow::Result<()>;

    /// Energy a site, a bond of equal spins being −1 and, in the Ising model, one of unlike spins +1.
    fn energy(&self) -> f64;
}

/// Times block after block of sweeps; each line has the energy it ended at.
pub fn run(flags: &Flags) -> anyhow::Result<()> {
    let lattice = Lattice::new(flags.side, flags.side, Boundary::Torus)?;
    let sites = lattice.sites();
    let order = match flags.order {
        Order::Sites => SiteOrder::round_robin(sites, 1)?,
        Order::Classes | Order::Words | Order::Annealed => lattice.order(1)?,
    };
    let potts = |colours: usize| {
        let critical = (1.0 + (colours as f64).sqrt()).ln();
        Potts::new(lattice.clone(), colours, flags.coupling * critical)
    };
    let ising = Ising::new(lattice.clone(), flags.coupling * critical_coupling(), 0.0)?;
    let mut chain: Box<dyn Sweeps> = match (flags.model, flags.order) {
        (Model::Ising, Order::Words) => Box::new(Words(MultiSpin::filled(&ising, 64, 1, 1)?, sites)),
        (Model::Ising, Order::Annealed) => Box::new(Particles { ising, seed: 1, log_weights: Vec::new() }),
        (_, Order::Words | Order::Annealed) => anyhow::bail!("this `--order` needs `--model ising`"),
        (Model::Ising, _) => Box::new(Single::new(ising, Ising::bond_energy, order)),
        (Model::Potts3, _) => Box::new(Single::new(potts(3)?, Potts::bond_energy, order)),
        (Model::Potts8, _) => Box::new(Single::new(potts(8)?, Potts::bond_energy, order)),
    };
    chain.run(flags.pace.warmup)?;
    let updates = sites * if matches!(flags.order, Order::Words | Order::Annealed) { 64 } else { 1 };
    print(&json!({ "side": concat!("glauber ", env!("CARGO_PKG_VERSION")), "parameters": updates }))?;
    flags.pace.blocks(|sweeps| {
        let begun = Instant::now();
        chain.run(sweeps)?;
        let seconds = begun.elapsed().as_secs_f64();
        print(&json!({ "steps": sweeps, "seconds": seconds, "energy": chain.energy() }))
    })
}

/// One chain, a spin to a token.
struct Single<M> {
    model: M,
    energy: fn(&M, &[Token]) -> f64,
    order: SiteOrder,
    chains: Chains,
}

impl<M: SiteConditional> Single<M> {
    fn new(model: M, energy: fn(&M, &[Token]) -> f64, order: SiteOrder) -> Self {
        let chains = Chains::seeded(TokenBatch::filled(1, model.len(), 1), 1);
        Self { model, energy, order, chains }
    }
}

impl<M: SiteConditional> Sweeps for Single<M> {
    fn run(&mut self, sweeps: usize) -> anyhow::Result<()> {
        let kernel = HeatBath::default();
        for _ in 0..sweeps {
            kernel.run(&self.model, &mut self.chains, &self.order, 0..self.order.horizon())?;
        }
        Ok(())
    }

    fn energy(&self) -> f64 {
        (self.energy)(&self.model, self.chains.tokens().row(0)) / self.model.len() as f64
    }
}

/// 64 annealed particles, from uniform spins to the model at every call.
struct Particles {
    ising: Ising,
    seed: u64,
    log_weights: Vec<f64>,
}

impl Sweeps for Particles {
    fn run(&mut self, sweeps: usize) -> anyhow::Result<()> {
        let mut population = IsingBits::new(&self.ising, 64, self.seed)?;
        let levels = Levels::linear(sweeps)?;
        let found = Annealing::default().run(&mut population, &levels, &mut |_, _| ControlFlow::Continue(()))?;
        self.seed += 1;
        self.log_weights = found.log_weights;
        Ok(())
    }

    /// The mean of `log w`, a site: what both sides must agree on.
    fn energy(&self) -> f64 {
        self.log_weights.iter().sum::<f64>() / (self.log_weights.len() * self.ising.len()) as f64
    }
}

/// 64 chains of so many sites.
struct Words(MultiSpin, usize);

impl Sweeps for Words {
    fn run(&mut self, sweeps: usize) -> anyhow::Result<()> {
        self.0.run(sweeps);
        Ok(())
    }

    fn energy(&self) -> f64 {
        let energies = self.0.bond_energies();
        energies.iter().sum::<f64>() / (energies.len() * self.1) as f64
    }
}
