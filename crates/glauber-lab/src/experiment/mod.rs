//! `glauber-lab experiment`: named experiments, each with a table, a picture, and the runs behind them.

mod ais;
mod comparison;
mod couplings;
mod dag;
mod eb_gfn;
pub mod hypergrid;
mod ising_sampler;
mod networks;
mod objectives;
mod plane;
mod score_ais;
mod skip_ahead;
mod sudoku;

use clap::Subcommand;
use glauber_program::progress::outlive_terminal;

use crate::compare;

/// The experiments.
#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant)] // one value a program
pub enum ExperimentWhat {
    /// Compare all objectives on all leave-one-out networks, at equal time and at equal tokens
    Objectives(comparison::Flags),
    /// Compare networks of equal size, at equal time
    Networks(comparison::Flags),
    /// Compare sweeps, clamps, priors and sizes on text of letters, at equal training time
    Letters(compare::LettersFlags),
    /// Train on 100 kB and 400 kB of text: held-out bounds during training, and the onset of overfitting
    LittleText(compare::LittleFlags),
    /// Measure how few network evaluations a reverse chain needs
    SkipAhead(skip_ahead::Flags),
    /// Train on seven 2-D point sets, 32 bits per point: bound, exact lower limit, MMD and published results
    Plane(plane::Flags),
    /// Anneal to the 16 x 16 Ising model: variance of weights, errors of log Z, coverage of intervals, bounds, speed
    Ais(ais::Flags),
    /// Measure how often chains draw valid Sudoku grids and solve puzzles
    Sudoku(sudoku::Flags),
    /// Recover the couplings of Ising models from samples, beside the null model and the Cramér–Rao bound
    Couplings(couplings::Flags),
    /// Sample posteriors of acyclic graphs, of 5 nodes or of any table, beside the exact posterior
    Dag(dag::Flags),
    /// Train energies and their samplers together on seven 2-D point sets: exact NLL and log Z in 16 bits, published rows in 32
    EbGfn(eb_gfn::Flags),
    /// Train GFlowNets on hypergrids: the exact distance of what they draw, by objective, of tables and networks
    Hypergrid(hypergrid::Flags),
    /// Train networks that sample Ising models: bounds of log Z on both sides, exact distance, and annealing as long
    IsingSampler(ising_sampler::Flags),
    /// Anneal with learned backward kernels: what they save beside the closed form, and the least that any can lose
    ScoreAis(score_ais::Flags),
}

/// Runs the experiment.
pub fn run(what: ExperimentWhat) -> anyhow::Result<()> {
    outlive_terminal()?;
    match what {
        ExperimentWhat::Objectives(flags) => objectives::run(&flags),
        ExperimentWhat::Networks(flags) => networks::run(&flags),
        ExperimentWhat::Letters(flags) => compare::letters(&flags),
        ExperimentWhat::LittleText(flags) => compare::little(&flags),
        ExperimentWhat::SkipAhead(flags) => skip_ahead::run(&flags),
        ExperimentWhat::Plane(flags) => plane::run(&flags),
        ExperimentWhat::Ais(flags) => ais::run(&flags),
        ExperimentWhat::Sudoku(flags) => sudoku::run(&flags),
        ExperimentWhat::Couplings(flags) => couplings::run(&flags),
        ExperimentWhat::Dag(flags) => dag::run(&flags),
        ExperimentWhat::EbGfn(flags) => eb_gfn::run(&flags),
        ExperimentWhat::Hypergrid(flags) => hypergrid::run(&flags),
        ExperimentWhat::IsingSampler(flags) => ising_sampler::run(&flags),
        ExperimentWhat::ScoreAis(flags) => score_ais::run(&flags),
    }
}
