//! GFlowNets against what is exactly true of them.

mod buffer;
mod exact;
mod learning;
mod moves;
mod noising;
mod objectives;

use glauber_chain::ChainRng;
use glauber_energy::{Hypergrid, Table};
use glauber_gflownet::{Environment, Exploration, Filling, GridWalk, Paths, UniformPolicy};

/// A random table of 3 tokens and 4 sites, filled in any order.
fn table() -> Filling<Table> {
    Filling::any_order(Table::random(3, 4, 2.0, 1).unwrap())
}

fn grid(side: usize, r0: f64) -> GridWalk<Hypergrid> {
    GridWalk(Hypergrid::new(side, 2, [r0, 0.5, 2.0]).unwrap())
}

/// Paths that a uniform policy draws.
fn wandering<E: Environment>(environment: &E, count: usize, seed: u64) -> Paths<E::State> {
    Paths::draw(environment, &UniformPolicy, Exploration::NONE, &mut ChainRng::streams(seed, count))
}
