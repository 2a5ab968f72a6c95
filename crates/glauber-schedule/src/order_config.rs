//! The site order as a run configuration states it.

use serde::{Deserialize, Serialize};

use crate::{Boundary, Neighbourhood};

/// Which site order a run uses; the key `kind` picks the variant.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "snake_case", from = "StrictOrderConfig")]
pub enum OrderConfig {
    /// Sites `0, 1, … L−1` in every sweep.
    #[default]
    RoundRobin,
    /// A fresh random permutation of the sites in every sweep.
    Permutation {
        /// Seed of the permutations, by default 0.
        seed: u64,
    },
    /// Sites drawn uniformly with replacement; a sweep is `L` draws.
    RandomScan {
        /// Seed of the draws, by default 0.
        seed: u64,
    },
    /// One colour class of a row-major lattice at a step.
    Chromatic {
        /// Rows of the lattice.
        height: usize,
        /// Columns of the lattice.
        width: usize,
        /// Which sites are neighbours, by default four.
        neighbourhood: Neighbourhood,
        /// What lies beyond the edge, by default nothing (open).
        boundary: Boundary,
    },
}

/// What is parsed: serde refuses unknown keys of a tagged variant only where the variant has braces.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "snake_case", deny_unknown_fields)]
enum StrictOrderConfig {
    RoundRobin {},
    Permutation {
        #[serde(default)]
        seed: u64,
    },
    RandomScan {
        #[serde(default)]
        seed: u64,
    },
    Chromatic {
        height: usize,
        width: usize,
        #[serde(default)]
        neighbourhood: Neighbourhood,
        #[serde(default)]
        boundary: Boundary,
    },
}

impl From<StrictOrderConfig> for OrderConfig {
    fn from(config: StrictOrderConfig) -> Self {
        match config {
            StrictOrderConfig::RoundRobin {} => Self::RoundRobin,
            StrictOrderConfig::Permutation { seed } => Self::Permutation { seed },
            StrictOrderConfig::RandomScan { seed } => Self::RandomScan { seed },
            StrictOrderConfig::Chromatic { height, width, neighbourhood, boundary } => {
                Self::Chromatic { height, width, neighbourhood, boundary }
            }
        }
    }
}
