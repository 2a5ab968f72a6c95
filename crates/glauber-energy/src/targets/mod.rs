//! Targets of the literature.

mod bit_sequence;
mod factor_graph;
mod factor_json;
mod hypergrid;
mod lattices;
mod points;
mod table;

pub use bit_sequence::BitSequence;
pub use factor_graph::{Factor, FactorGraph};
pub use hypergrid::{Cosine, Hypergrid};
pub(crate) use lattices::normal;
pub use lattices::{edwards_anderson, ising_couplings, ising_graph, potts_graph, random_couplings};
pub use points::{GaussianMixture, ManyWell, PlanePoints};
pub use table::Table;
