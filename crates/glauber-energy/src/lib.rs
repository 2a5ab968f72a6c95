#![doc = include_str!("../README.md")]
//! A [`Target`] is one function, `log γ`. [`Gibbs`] makes it a conditional for every chain of `glauber-chain`; [`Particles`]
//! and [`IsingBits`] anneal to it, and [`Annealing`] turns their weights into `log Z`.
//!
//! | question                        | place                                                                             |
//! |---------------------------------|-----------------------------------------------------------------------------------|
//! | what can be sampled             | [`Ising`](glauber_chain::oracles::Ising), [`Potts`](glauber_chain::oracles::Potts), [`FactorGraph`] (couplings, glasses, fields, a file), [`Table`], [`Hypergrid`], [`BitSequence`], [`PlanePoints`], [`GaussianMixture`], [`ManyWell`], [`dag`]; between two of them [`AnnealedTarget`], at a temperature [`Tempered`] |
//! | what is exactly true of it      | [`exact`], [`SwendsenWang`]                                                           |
//! | `log Z` and weighted samples    | [`Annealing`], [`Levels`], [`two_sided`]                                          |
//! | all of it, of one target         | [`Study`]                                                                         |
//! | couplings from samples          | [`CouplingFit`]                                                                   |
//! | path weights of chains of yours | [`PathWeight`], [`Layer`]                                                         |

mod anneal;
mod couplings;
pub mod dag;
mod error;
pub mod exact;
mod flow;
mod path_weight;
mod study;
mod swendsen_wang;
mod target;
mod targets;

pub use anneal::{
    Annealed, Annealing, Increment, IsingBits, LevelStep, Levels, Particles, Population, TwoSided, Watch, systematic,
    two_sided, unwatched,
};
pub use couplings::{CouplingFit, FittedCouplings, coupling_score, cramer_rao_score};
pub use error::{EnergyError, Result};
pub use flow::{HeatBathLayer, Layer, MetropolisLayer, Permutation, random_layers, run_flow};
pub use path_weight::{IntervalMethod, LogPartition, PathWeight, effective_particles};
pub use study::{
    Exact, LatticeConfig, Mean, Measure, Model, Moves, Observable, Show, Stage, Study, StudySettings, TargetConfig,
    Update,
};
pub use swendsen_wang::{SwendsenWang, correlation};
pub use target::{AnnealedTarget, Base, Gibbs, ProductLaw, Target, Tempered, log_sum_exp};
pub use targets::{
    BitSequence, Cosine, Factor, FactorGraph, GaussianMixture, Hypergrid, ManyWell, PlanePoints, Table,
    edwards_anderson, ising_couplings, ising_graph, potts_graph, random_couplings,
};
