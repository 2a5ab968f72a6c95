//! Posteriors of directed acyclic graphs (DAGs) given data: structure learning with exact answers
//! beside it.
//!
//! ```
//! use glauber_energy::dag::{Bge, CachedScores, DagTarget, DataTable, sum_over_dags};
//!
//! let csv = "rain,sprinkler,wet\n0,1,.9\n1,0,1.1\n1,.2,1.3\n0,.9,.8\n.1,0,.2\n";
//! let data = DataTable::from_csv(csv.as_bytes())?;
//! let target = DagTarget::new(CachedScores::new(Bge::new(&data)?))?; // 6 bits, for any chain
//! let exact = sum_over_dags(target.scores())?;
//! assert!(exact.edge_marginal(0, 2) > 0.1); // P(rain → wet | data)
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | question                       | place                                                          |
//! |--------------------------------|----------------------------------------------------------------|
//! | data                           | [`DataTable`], [`RandomNetwork`]                               |
//! | scores of a node given parents | [`LocalScores`]: [`Bge`], [`LinearGaussian`], [`CachedScores`] |
//! | weights of edges               | [`WeightLaw`], [`WeightMoments`], [`SharedWeights`], [`alternate`] |
//! | the posterior as a target      | [`DagTarget`], [`DagPairs`], [`UniformDags`]                   |
//! | what is exactly true           | [`DagPosterior`], [`sum_over_dags`], [`dag_count`]             |
//! | chains                         | [`Gibbs`](crate::Gibbs) of the target, [`StructureMcmc`]       |
//! | quality of samples             | [`edge_marginals`], [`expected_shd`], [`auroc`], [`jensen_shannon`] |
//! | a picture                      | [`edge_picture`]                                               |

mod cache;
mod data;
mod enumerated;
mod graph;
mod metrics;
mod network;
mod pairs;
mod picture;
mod scores;
mod structure;
mod subsets;
mod target;
mod uniform;
mod variational;
mod weights;

pub use cache::CachedScores;
pub use data::DataTable;
pub use enumerated::DagPosterior;
pub use graph::{Graph, pair_of, site_of};
pub use metrics::{auroc, edge_marginals, expected_shd, jensen_shannon, shd};
pub use network::{RandomNetwork, Simulated};
pub use pairs::DagPairs;
pub use picture::edge_picture;
pub use scores::{Bge, LinearGaussian, LocalScores, WeightPosterior};
pub(crate) use structure::structure_steps;
pub use structure::{StructureMcmc, StructureRun};
pub use subsets::{DagSum, sum_over_dags};
pub use target::DagTarget;
pub use uniform::{UniformDags, dag_count};
pub use variational::{Alternated, SharedWeights, Sharing, alternate};
pub use weights::{ParentSets, WeightLaw, WeightMoments};

/// The most nodes of a graph: parent sets are bits of a word.
pub const MAX_NODES: usize = 64;
