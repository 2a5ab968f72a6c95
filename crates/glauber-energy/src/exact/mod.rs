//! Exact values beside estimates: enumeration, elimination, sampling floors and laws of chains.
//!
//! Of Ising models on tori, [`kaufman_log_partition`](glauber_chain::oracles::kaufman_log_partition) has `log Z` at any size.

mod edits;
mod elimination;
mod enumeration;
mod floor;

pub use edits::edit_law;
pub use elimination::{MAX_ENTRIES, eliminate, elimination_entries, marginals, marginals_of};
pub(crate) use enumeration::draws;
pub use enumeration::{Enumeration, enumerate, states};
pub use floor::empirical_floor;
