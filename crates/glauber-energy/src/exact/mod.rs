//! Exact values beside estimates: enumeration, elimination, sampling floors and laws of samplers.
//!
//! Of Ising models on tori, [`kaufman_log_partition`](glauber_chain::oracles::kaufman_log_partition) has `log Z` at any size.

mod elimination;
mod enumeration;
mod floor;
mod terminal;

pub use elimination::{MAX_ENTRIES, eliminate, elimination_entries, marginals, marginals_of};
pub(crate) use enumeration::draws;
pub use enumeration::{Enumeration, enumerate, states};
pub use floor::empirical_floor;
pub use terminal::{FillingPolicy, edit_law, filling_law, filling_probability, grid_law};
