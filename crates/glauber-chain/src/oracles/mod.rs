//! Sources with exactly known noisy conditionals, as a ground truth for samplers and trained networks.

mod bayes;
mod enumerated_conditional;
mod enumeration;
mod exact;
mod ising;
mod lattice;
mod markov;
mod markov_mixture;
mod markov_posterior;
mod potts;

pub use bayes::{BayesLosses, bayes_losses};
pub use enumerated_conditional::EnumeratedConditional;
pub use enumeration::{EnumeratedTable, MAX_STATES};
pub use exact::{
    MAX_STRIP_HEIGHT, critical_coupling, kaufman_energy, kaufman_log_partition, log_partition_strip, onsager_energy,
    yang_magnetisation,
};
pub use ising::Ising;
pub use lattice::Lattice;
pub use markov::MarkovSource;
pub use markov_mixture::{MarkovMixture, MarkovMixtureConditional};
pub use markov_posterior::MarkovConditional;
pub use potts::Potts;
