//! Flags of `glauber energy`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum EnergyWhat {
    /// The Ising model on a square lattice
    Ising {
        #[command(flatten)]
        lattice: LatticeFlags,
        /// Coupling β, each bond counted once; 0.4407 is critical
        #[arg(long, allow_negative_numbers = true)]
        beta: f64,
        /// Field h, in units of the temperature
        #[arg(long, default_value_t = 0.0, allow_negative_numbers = true)]
        field: f64,
        #[command(flatten)]
        study: StudyFlags,
    },
    /// The Potts model on a square lattice
    Potts {
        #[command(flatten)]
        lattice: LatticeFlags,
        /// Number of colours
        #[arg(long, default_value_t = 3)]
        colours: usize,
        /// Coupling β; ln(1 + √colours) is critical
        #[arg(long, allow_negative_numbers = true)]
        beta: f64,
        #[command(flatten)]
        study: StudyFlags,
    },
    /// The Edwards–Anderson spin glass on a square lattice
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
        #[command(flatten)]
        study: StudyFlags,
    },
    /// The hypergrid of the GFlowNet papers
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
        #[command(flatten)]
        study: StudyFlags,
    },
    /// Which columns of a table depend on each other directly: acyclic graphs given data, by the BGe score
    Dag {
        /// The table as CSV: a line of names, then numbers
        #[arg(long, value_name = "FILE.csv")]
        data: PathBuf,
        /// Draw the probability of every edge
        #[arg(long, value_name = "FILE.svg")]
        edges: Option<PathBuf>,
        /// Score the columns as they are. By default each is shifted and scaled to mean 0 and variance 1
        #[arg(long)]
        raw: bool,
        #[command(flatten)]
        study: StudyFlags,
    },
    /// A factor graph of your own: named sites and tokens, and tables over some of them
    Graph {
        /// The graph as JSON; docs/guide/energies.md describes it
        file: PathBuf,
        #[command(flatten)]
        study: StudyFlags,
    },
}

/// The law of a glass's couplings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Couplings {
    /// +1 or −1, by fair coins
    Signs,
    /// The standard normal law
    Gaussian,
}

#[derive(Debug, Args)]
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
    /// Print the results as JSON
    #[arg(long)]
    pub json: bool,
}
