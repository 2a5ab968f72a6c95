//! Targets by name, as files and flags have them.

use std::path::{Path, PathBuf};

use glauber_chain::oracles::Lattice;
use glauber_schedule::Boundary;
use serde::{Deserialize, Serialize};

use super::Model;
use crate::dag::DataTable;
use crate::{FactorGraph, Result};

/// A square lattice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatticeConfig {
    /// Its rows.
    pub rows: usize,
    /// Its columns.
    pub columns: usize,
    /// Without bonds around the borders.
    #[serde(default)]
    pub open: bool,
}

impl LatticeConfig {
    fn lattice(self) -> Result<Lattice> {
        Ok(Lattice::new(self.rows, self.columns, if self.open { Boundary::Open } else { Boundary::Torus })?)
    }
}

/// The numbers of a target, or the file that has them.
///
/// ```
/// use glauber_energy::TargetConfig;
///
/// let config: TargetConfig =
///     toml::from_str("kind = 'ising'\nlattice = { rows = 4, columns = 4 }\ncoupling = 0.28")?;
/// let exact = config.model("")?.exact()?.expect("Kaufman's formula");
/// assert!((exact.value - 12.530_667).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TargetConfig {
    /// An Ising model: tokens 0 and 1 are spins −1 and 1.
    Ising {
        /// The lattice: `rows`, `columns`, and whether it is `open`.
        lattice: LatticeConfig,
        /// Coupling β, each bond counted once.
        coupling: f64,
        /// Field h, in units of the temperature.
        #[serde(default)]
        field: f64,
    },
    /// A Potts model.
    Potts {
        /// The lattice: `rows`, `columns`, and whether it is `open`.
        lattice: LatticeConfig,
        /// Colours.
        colours: usize,
        /// Coupling β.
        coupling: f64,
    },
    /// An Edwards–Anderson glass.
    Glass {
        /// The lattice: `rows`, `columns`, and whether it is `open`.
        lattice: LatticeConfig,
        /// Coupling β.
        coupling: f64,
        /// Normal couplings; else they are ±1.
        #[serde(default)]
        gaussian: bool,
        /// Seed of the couplings.
        instance: u64,
    },
    /// The hypergrid of the GFlowNet papers.
    Hypergrid {
        /// Cells of a side.
        side: usize,
        /// Dimensions.
        dimensions: usize,
        /// `R0`, `R1` and `R2` (E5).
        rewards: [f64; 3],
    },
    /// The posterior of acyclic graphs given a table, by the BGe score.
    Dag {
        /// The table as CSV: a line of names, then numbers.
        path: PathBuf,
        /// Score the columns as they are; else each is shifted and scaled to mean 0 and variance 1.
        #[serde(default)]
        raw: bool,
    },
    /// A factor graph.
    Graph {
        /// The graph as JSON.
        path: PathBuf,
    },
}

impl TargetConfig {
    /// The file that has the numbers; `None` where the configuration has them.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Dag { path, .. } | Self::Graph { path } => Some(path),
            _ => None,
        }
    }

    /// The same with its file elsewhere.
    #[must_use]
    pub fn at(mut self, place: PathBuf) -> Self {
        if let Self::Dag { path, .. } | Self::Graph { path } = &mut self {
            *path = place;
        }
        self
    }

    /// Rows and columns of a lattice.
    pub fn grid(&self) -> Option<[usize; 2]> {
        match self {
            Self::Ising { lattice, .. } | Self::Potts { lattice, .. } | Self::Glass { lattice, .. } => {
                Some([lattice.rows, lattice.columns])
            }
            _ => None,
        }
    }

    /// Whether sequences are graphs, a site an edge.
    pub fn is_dag(&self) -> bool {
        matches!(self, Self::Dag { .. })
    }

    /// Sites of a sequence, if the file is not needed to tell; saturates.
    pub fn sites(&self) -> Option<usize> {
        match self {
            Self::Hypergrid { dimensions, .. } => Some(*dimensions),
            _ => self.grid().map(|[rows, columns]| rows.saturating_mul(columns)),
        }
    }

    /// The target, from the text of [its file](Self::path), if it has one.
    ///
    /// # Errors
    /// When a number is out of range, or the text cannot be read as its format.
    pub fn model(&self, text: &str) -> Result<Model> {
        match self {
            Self::Ising { lattice, coupling, field } => Model::ising(lattice.lattice()?, *coupling, *field),
            Self::Potts { lattice, colours, coupling } => Model::potts(lattice.lattice()?, *colours, *coupling),
            Self::Glass { lattice, coupling, gaussian, instance } => {
                Model::glass(lattice.lattice()?, *coupling, *gaussian, *instance)
            }
            Self::Hypergrid { side, dimensions, rewards } => Model::hypergrid(*side, *dimensions, *rewards),
            Self::Dag { raw, .. } => {
                let table = DataTable::from_csv(text.as_bytes())?;
                Model::dag(&if *raw { table } else { table.standardised() })
            }
            Self::Graph { path } => {
                let graph = FactorGraph::from_json(text.trim_start_matches('\u{feff}'))?;
                Ok(Model::graph(path.display().to_string(), graph))
            }
        }
    }
}
