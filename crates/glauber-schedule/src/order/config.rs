//! Configuration of the site order.

#[cfg(feature = "serde")]
use crate::schedule_config::no_keys;
use crate::{Boundary, Neighbourhood, ScheduleError, SiteOrder};

/// Configuration of the site order; the key `kind` selects the variant.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "snake_case", deny_unknown_fields)
)]
pub enum OrderConfig {
    /// Sites `0, 1, … L−1` in every sweep.
    #[default]
    #[cfg_attr(feature = "serde", serde(deserialize_with = "no_keys"))]
    RoundRobin,
    /// A fresh random permutation of the sites in every sweep.
    Permutation {
        /// Seed of the permutations; default 0.
        #[cfg_attr(feature = "serde", serde(default))]
        seed: u64,
    },
    /// Sites drawn uniformly with replacement; a sweep is `L` draws.
    RandomScan {
        /// Seed of the draws; default 0.
        #[cfg_attr(feature = "serde", serde(default))]
        seed: u64,
    },
    /// One colour class of a row-major lattice per step.
    Chromatic {
        /// Rows of the lattice.
        height: usize,
        /// Columns of the lattice.
        width: usize,
        /// The neighbours of a site; default four.
        #[cfg_attr(feature = "serde", serde(default))]
        neighbourhood: Neighbourhood,
        /// Boundary condition; default open.
        #[cfg_attr(feature = "serde", serde(default))]
        boundary: Boundary,
    },
    /// Per step, sites of a row-major lattice that are at least `spacing` rows or columns apart: `spacing²` steps per
    /// sweep. An approximation if such sites are conditionally dependent.
    Spaced {
        /// Rows of the lattice.
        height: usize,
        /// Columns of the lattice.
        width: usize,
        /// Rows or columns between two sites of a step, at least 1.
        spacing: usize,
    },
    /// Per step, the distant sites `k, k + n, k + 2n, …` with `n = ⌈L / block⌉`. Takes fewer steps per sweep; an
    /// approximation if sites `n` apart are conditionally dependent.
    Strided {
        /// The maximal number of sites per step, in `1..=L`.
        block: usize,
    },
    /// All sites at every step: a sweep is one pass, as in other discrete diffusion models.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "no_keys"))]
    AllAtOnce,
    /// Blocks of consecutive sites in sequence, each with as many passes as there are sweeps.
    BlockByBlock {
        /// Sites of a block, in `1..=L`.
        block: usize,
    },
}

impl OrderConfig {
    /// Rows and columns, for orders of a lattice.
    pub fn lattice(&self) -> Option<[usize; 2]> {
        match *self {
            Self::Chromatic { height, width, .. } | Self::Spaced { height, width, .. } => Some([height, width]),
            Self::RoundRobin | Self::Permutation { .. } | Self::RandomScan { .. } => None,
            Self::Strided { .. } | Self::AllAtOnce | Self::BlockByBlock { .. } => None,
        }
    }
}

impl SiteOrder {
    /// The order of a configuration, over `len` sites.
    ///
    /// # Errors
    /// [`ScheduleError::Order`] when a lattice does not have `len` sites, and those of the constructors.
    pub fn from_config(config: &OrderConfig, len: usize, sweeps: usize) -> Result<Self, ScheduleError> {
        if let Some([height, width]) = config.lattice()
            && height.checked_mul(width) != Some(len)
        {
            let (lattice, sites) = (format!("a {height} × {width} lattice"), height.saturating_mul(width));
            let change = "change `height` or `width`";
            return Err(ScheduleError::Order(format!(
                "{lattice} has {sites} sites, but the sequence has {len}; {change}"
            )));
        }
        match *config {
            OrderConfig::RoundRobin => Self::round_robin(len, sweeps),
            OrderConfig::Permutation { seed } => Self::permutation(len, sweeps, seed),
            OrderConfig::RandomScan { seed } => Self::random_scan(len, sweeps, seed),
            OrderConfig::Chromatic { height, width, neighbourhood, boundary } => {
                Self::chromatic(height, width, neighbourhood, boundary, sweeps)
            }
            OrderConfig::Spaced { height, width, spacing } => Self::spaced(height, width, spacing, sweeps),
            OrderConfig::Strided { block } => Self::strided(len, block, sweeps),
            OrderConfig::AllAtOnce => Self::strided(len, len, sweeps),
            OrderConfig::BlockByBlock { block } => Self::block_by_block(len, block, sweeps),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_that_do_not_fit_are_refused() {
        let lattice = OrderConfig::Chromatic {
            height: 2,
            width: 3,
            neighbourhood: Neighbourhood::Four,
            boundary: Boundary::Open,
        };
        assert!(SiteOrder::from_config(&lattice, 6, 1).is_ok());
        assert!(SiteOrder::from_config(&lattice, 7, 1).is_err());
        let spaced = OrderConfig::Spaced { height: 2, width: 3, spacing: 2 };
        assert_eq!(SiteOrder::from_config(&spaced, 6, 2).unwrap(), SiteOrder::spaced(2, 3, 2, 2).unwrap());
        assert!(SiteOrder::from_config(&spaced, 7, 1).is_err());
        let error = SiteOrder::spaced(2, 3, 0, 1).unwrap_err().to_string();
        assert!(error.contains("`spacing` is 0"), "{error}");
        let strided: OrderConfig = toml::from_str("kind = 'strided'\nblock = 4").unwrap();
        assert_eq!(SiteOrder::from_config(&strided, 10, 2).unwrap(), SiteOrder::strided(10, 4, 2).unwrap());
        assert_eq!(
            SiteOrder::from_config(&OrderConfig::AllAtOnce, 5, 2).unwrap(),
            SiteOrder::strided(5, 5, 2).unwrap()
        );
        let error = SiteOrder::from_config(&strided, 3, 1).unwrap_err().to_string();
        assert!(error.contains("`block`") && error.contains('3') && error.contains('4'), "{error}");
        for text in ["kind = 'round-robin'\nseed = 1", "kind = 'strided'", "kind = 'strided'\nblock = 2\nstride = 3"] {
            assert!(toml::from_str::<OrderConfig>(text).is_err(), "{text}");
        }
    }
}
