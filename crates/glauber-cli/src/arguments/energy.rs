//! Flags of `glauber energy` and `glauber train energy`.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use glauber_energy::{LatticeConfig, TargetConfig};
use glauber_program::TrainFlags;

#[derive(Debug, Args)]
#[command(mut_args(|flag| flag.global(true)))] // so that they may follow the target
pub struct EnergyFlags {
    #[command(flatten)]
    pub study: StudyFlags,
    #[command(subcommand)]
    pub target: TargetWhat,
}

#[derive(Debug, Clone, Args)]
#[command(mut_args(|flag| flag.global(true)))] // so that they may follow the target
pub struct TrainEnergyFlags {
    #[command(flatten)]
    pub train: TrainFlags,
    /// Annealed particles that training sequences start from
    #[arg(long, conflicts_with = "resume")]
    pub particles: Option<usize>,
    /// Sweeps of the annealing. `--sweeps` is the number of sweeps of the forward chain
    #[arg(long, conflicts_with = "resume")]
    pub annealing_sweeps: Option<usize>,
    #[command(subcommand)]
    pub target: Option<TargetWhat>,
}

/// A target given by an energy.
#[derive(Debug, Clone, Subcommand)]
pub enum TargetWhat {
    /// The Ising model on a square lattice
    #[command(next_help_heading = "Target")]
    Ising {
        #[command(flatten)]
        lattice: LatticeFlags,
        /// Coupling β, each bond counted once; 0.4407 is critical
        #[arg(long, allow_negative_numbers = true)]
        beta: f64,
        /// Field h, in units of the temperature
        #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
        field: f64,
    },
    /// The Potts model on a square lattice
    #[command(next_help_heading = "Target")]
    Potts {
        #[command(flatten)]
        lattice: LatticeFlags,
        /// Number of colours
        #[arg(long, default_value_t = 3)]
        colours: usize,
        /// Coupling β; ln(1 + √colours) is critical
        #[arg(long, allow_negative_numbers = true)]
        beta: f64,
    },
    /// The Edwards–Anderson spin glass on a square lattice
    #[command(next_help_heading = "Target")]
    Glass {
        #[command(flatten)]
        lattice: LatticeFlags,
        /// Coupling β
        #[arg(long, allow_negative_numbers = true)]
        beta: f64,
        /// Law of the couplings
        #[arg(long, value_enum, default_value_t = Couplings::Signs)]
        couplings: Couplings,
        /// Seed of the couplings
        #[arg(long, value_name = "SEED", default_value_t = 0)]
        instance: u64,
    },
    /// The hypergrid of the GFlowNet papers
    #[command(next_help_heading = "Target")]
    Hypergrid {
        /// Cells of a side
        #[arg(long, default_value_t = 8)]
        side: usize,
        /// Dimensions
        #[arg(long, default_value_t = 2)]
        dimensions: usize,
        /// The rewards R0, R1 and R2
        #[arg(long, value_name = "R0,R1,R2", value_delimiter = ',', default_values_t = [0.1, 0.5, 2.0])]
        rewards: Vec<f64>,
    },
    /// Which columns of a table depend on each other directly: acyclic graphs given data, by the BGe score
    #[command(next_help_heading = "Target")]
    Dag {
        /// The table as CSV: a line of names, then numbers
        #[arg(long, value_name = "FILE.csv")]
        data: PathBuf,
        /// Score the columns as they are. By default each is shifted and scaled to mean 0 and variance 1
        #[arg(long)]
        raw: bool,
    },
    /// A factor graph of your own: named sites and tokens, and tables over some of them
    #[command(next_help_heading = "Target")]
    Graph {
        /// The graph as JSON; docs/guide/energies.md describes it
        file: PathBuf,
    },
}

/// The largest side of a lattice.
const MOST_ROWS: usize = 2048;

impl TargetWhat {
    /// The target.
    ///
    /// # Errors
    /// When a lattice is too large, or there are not three rewards.
    pub fn config(&self) -> anyhow::Result<TargetConfig> {
        let of = |flags: &LatticeFlags| {
            let grid = [flags.rows.unwrap_or(flags.side), flags.side];
            let fits = grid.iter().all(|&side| side <= MOST_ROWS);
            ensure!(fits, "`--side` and `--rows` are {grid:?}, expected at most {MOST_ROWS}");
            Ok(LatticeConfig { rows: grid[0], columns: grid[1], open: flags.open })
        };
        Ok(match self {
            Self::Ising { lattice, beta, field } => {
                TargetConfig::Ising { lattice: of(lattice)?, coupling: *beta, field: *field }
            }
            Self::Potts { lattice, colours, beta } => {
                TargetConfig::Potts { lattice: of(lattice)?, colours: *colours, coupling: *beta }
            }
            Self::Glass { lattice, beta, couplings, instance } => TargetConfig::Glass {
                lattice: of(lattice)?,
                coupling: *beta,
                gaussian: *couplings == Couplings::Gaussian,
                instance: *instance,
            },
            Self::Hypergrid { side, dimensions, rewards } => {
                let [r0, r1, r2] = rewards[..] else {
                    bail!("`--rewards` has {} numbers, expected three, such as 0.1,0.5,2", rewards.len());
                };
                TargetConfig::Hypergrid { side: *side, dimensions: *dimensions, rewards: [r0, r1, r2] }
            }
            Self::Dag { data, raw } => TargetConfig::Dag { path: data.clone(), raw: *raw },
            Self::Graph { file } => TargetConfig::Graph { path: file.clone() },
        })
    }
}

/// The law of a glass's couplings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Couplings {
    /// +1 or −1, by fair coins
    Signs,
    /// The standard normal law
    Gaussian,
}

#[derive(Debug, Clone, Args)]
pub struct LatticeFlags {
    /// Sites of a side
    #[arg(long, default_value_t = 16)]
    pub side: usize,
    /// Rows, if the lattice is not square
    #[arg(long)]
    pub rows: Option<usize>,
    /// Leave out the bonds around the borders
    #[arg(long)]
    pub open: bool,
}

#[derive(Debug, Args)]
pub struct StudyFlags {
    /// Particles of the annealing. Four times as many halve the interval. An Ising torus with even sides rounds up to 64
    #[arg(short = 'n', long, default_value_t = 1024)]
    pub particles: usize,
    /// Sweeps of the annealing
    #[arg(long, default_value_t = 1024)]
    pub sweeps: usize,
    /// Resample when fewer than this share of the particles are effective; 0 never resamples
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub resample_below: f64,
    /// Weigh by annealed importance sampling without the sum over redrawn sites
    #[arg(long)]
    pub plain: bool,
    /// Let the levels rise linearly. By default a pilot run chooses them
    #[arg(long)]
    pub linear: bool,
    /// Chains in equilibrium, which start from the particles
    #[arg(long, default_value_t = 16)]
    pub chains: usize,
    /// Measured updates of a chain: sweeps, or cluster updates of Ising and Potts models
    #[arg(long, default_value_t = 2000)]
    pub updates: usize,
    /// Updates before the first measurement
    #[arg(long, default_value_t = 200)]
    pub burn_in: usize,
    /// Seed
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Samples to print; `--json` has them as lists of tokens
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub show: usize,
    /// Draw the final states of the chains of a lattice, one image per chain
    #[arg(long, value_name = "FILE.png")]
    pub picture: Option<PathBuf>,
    /// Draw the probability of every edge of acyclic graphs
    #[arg(long, value_name = "FILE.svg")]
    pub edges: Option<PathBuf>,
    /// Print the results as JSON
    #[arg(long)]
    pub json: bool,
}
