//! Multi-spin coding of Ising chains: 64 chains in parallel, one bit each.

mod block;
mod lane_counts;
mod thresholds;
mod words;

use glauber_schedule::Boundary;
use glauber_tokens::TokenBatch;
use rayon::prelude::*;

use crate::oracles::Ising;
use crate::{ChainError, Result, StepDiagnostics};
use block::{Block, Shape};
use thresholds::Thresholds;

/// Chains to a word.
const LANES: usize = u64::BITS as usize;

/// Heat bath of an [`Ising`] model in multi-spin coding: a word holds one site of 64 chains, and bitwise arithmetic updates all 64.
///
/// A sweep updates the even sites of the checkerboard, then the odd ones. This equals [`HeatBath`](crate::HeatBath)
/// with the order of [`Lattice::order`](crate::oracles::Lattice::order), with other random numbers. Bitwise adders
/// count the neighbours that are up. A spin becomes up if a uniform number is below `P(up | count)`. Both are compared
/// as binary fractions, digit by digit in all chains at once, until every chain is decided. Probabilities are rounded
/// to 64 binary digits, an error of at most `2⁻⁶⁴`; an event of probability 1 fails with probability `2⁻⁶⁴`.
///
/// Random digits come from xoshiro256++ (Blackman and Vigna 2021), a portable generator. Each block of 64 chains has
/// eight, seeded from stream `b` of [`ChainRng`](crate::ChainRng) for block `b`. The path of a block does not depend on
/// the number of blocks, the number of threads or the vector instructions.
///
/// ```
/// use glauber_chain::MultiSpin;
/// use glauber_chain::oracles::{Ising, Lattice, kaufman_energy};
/// use glauber_chain::statistics::Estimate;
/// use glauber_schedule::Boundary;
///
/// let ising = Ising::new(Lattice::new(16, 16, Boundary::Torus)?, 0.3, 0.0)?; // coupling 0.3, no field
/// let mut chains = MultiSpin::filled(&ising, 128, 1, 7)?; // 128 chains, all spins up, seed 7
/// let done = chains.run(200); // sweeps
/// assert_eq!(done.updates, 128 * 256 * 200);
/// let energies: Vec<f64> = chains.bond_energies().iter().map(|energy| energy / 256.0).collect();
/// assert!(Estimate::independent(&energies).deviation_from(kaufman_energy(16, 16, 0.3)?).abs() < 4.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultiSpin {
    shape: Shape,
    thresholds: Thresholds,
    blocks: Vec<Block>,
}

impl MultiSpin {
    /// Chains at given tokens, shape `[chain, site]`.
    ///
    /// # Errors
    /// If the lattice is not a torus with even sides, the chains are not a multiple of 64, or the tokens do not fit the
    /// model.
    pub fn new(ising: &Ising, tokens: &TokenBatch, seed: u64) -> Result<Self> {
        let shape = shape(ising)?;
        ChainError::unless_equal("sites of the tokens", tokens.len(), shape.sites())?;
        tokens.check_vocab(2)?;
        check_chains(tokens.rows())?;
        let rows = tokens.as_slice().chunks_exact(LANES * shape.sites());
        let blocks = rows.enumerate().map(|(at, rows)| Block::new(shape, rows, seed, at as u64)).collect();
        Ok(Self { shape, thresholds: Thresholds::new(ising.coupling(), ising.field()), blocks })
    }

    /// Chains with all spins at `token`.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn filled(ising: &Ising, chains: usize, token: u32, seed: u64) -> Result<Self> {
        let shape = shape(ising)?;
        check_chains(chains)?;
        let first = TokenBatch::filled(LANES, shape.sites(), token);
        first.check_vocab(2)?;
        let block = |at| Block::new(shape, first.as_slice(), seed, at as u64);
        Ok(Self {
            shape,
            thresholds: Thresholds::new(ising.coupling(), ising.field()),
            blocks: (0..chains / LANES).map(block).collect(),
        })
    }

    /// Updates every site of every chain a number of times, on this thread.
    pub fn run(&mut self, sweeps: usize) -> StepDiagnostics {
        let Self { shape, thresholds, blocks } = self;
        blocks.iter_mut().map(|block| block.run(*shape, thresholds, sweeps)).sum()
    }

    /// [`run`](Self::run) with the blocks of 64 chains divided over the rayon pool. The result is equal bit for bit.
    pub fn run_parallel(&mut self, sweeps: usize) -> StepDiagnostics {
        let Self { shape, thresholds, blocks } = self;
        blocks.par_iter_mut().map(|block| block.run(*shape, thresholds, sweeps)).sum()
    }

    /// The blocks of 64 chains, in order: what changes the model as it goes, such as an annealing, asks a block for one
    /// colour class at a time. They can be divided over threads.
    pub fn blocks(&mut self) -> Vec<SpinBlock<'_>> {
        let shape = self.shape;
        self.blocks.iter_mut().map(|block| SpinBlock { shape, block }).collect()
    }

    /// Chain `i` becomes a copy of chain `ancestors[i]`; its random numbers stay its block's.
    ///
    /// # Panics
    /// When there is not one ancestor for each chain, or no such chain.
    pub fn copy_chains(&mut self, ancestors: &[usize]) {
        assert_eq!(ancestors.len(), self.chains(), "one ancestor for each chain");
        let all: Vec<[Vec<u64>; 2]> = self.blocks.iter().map(Block::spins).collect();
        let places: Vec<(usize, usize)> = ancestors.iter().map(|&chain| (chain / LANES, chain % LANES)).collect();
        self.blocks.iter_mut().zip(places.chunks_exact(LANES)).for_each(|(block, from)| block.gather(&all, from));
    }

    /// Number of chains.
    pub fn chains(&self) -> usize {
        LANES * self.blocks.len()
    }

    /// Sites of a chain.
    pub fn sites(&self) -> usize {
        self.shape.sites()
    }

    /// The tokens, shape `[chain, site]`.
    pub fn tokens(&self) -> TokenBatch {
        let mut tokens = TokenBatch::filled(self.chains(), self.sites(), 0);
        let rows = tokens.as_mut_slice().chunks_exact_mut(LANES * self.shape.sites());
        self.blocks.iter().zip(rows).for_each(|(block, rows)| block.write_tokens(self.shape, rows));
        tokens
    }

    /// `−Σ_bonds s_i s_j` of every chain, without the field, shape `[chain]`: [`Ising::bond_energy`] of its tokens.
    pub fn bond_energies(&self) -> Vec<f64> {
        let bonds = 2 * self.sites() as i64;
        let broken = self.blocks.iter().flat_map(|block| block.broken_bonds(self.shape));
        broken.map(|broken| (2 * broken as i64 - bonds) as f64).collect()
    }

    /// The mean spin of every chain, shape `[chain]`: [`Ising::magnetisation`] of its tokens.
    pub fn magnetisations(&self) -> Vec<f64> {
        let up = self.blocks.iter().flat_map(Block::spins_up);
        up.map(|up| 2.0 * up as f64 / self.sites() as f64 - 1.0).collect()
    }
}

/// The heat bath of an Ising model on a torus, prepared for multi-spin coding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpinLaw(Thresholds);

impl SpinLaw {
    /// The law of a spin among four neighbours, with coupling β and field h in units of the temperature.
    pub fn new(coupling: f64, field: f64) -> Self {
        Self(Thresholds::new(coupling, field))
    }
}

/// 64 chains of a [`MultiSpin`], one bit each.
#[derive(Debug)]
pub struct SpinBlock<'a> {
    shape: Shape,
    block: &'a mut Block,
}

impl SpinBlock<'_> {
    /// Redraws a colour class of the checkerboard, 0 or 1, under a law that need not be the model's.
    pub fn redraw(&mut self, colour: usize, law: &SpinLaw) {
        self.block.redraw_colour(self.shape, colour, &law.0);
    }

    /// Sites of a colour class by how many of their four neighbours are up, shape `[neighbours up, chain]`.
    pub fn neighbours_up(&self, colour: usize) -> [[u64; LANES]; 5] {
        self.block.neighbours_up(self.shape, colour)
    }

    /// Spins up in a colour class, shape `[chain]`.
    pub fn spins_up(&self, colour: usize) -> [u64; LANES] {
        self.block.colour_up(colour)
    }

    /// Bonds between opposite spins, shape `[chain]`.
    pub fn broken_bonds(&self) -> [u64; LANES] {
        self.block.broken_bonds(self.shape)
    }
}

fn shape(ising: &Ising) -> Result<Shape> {
    let lattice = ising.lattice();
    let (height, width, boundary) = (lattice.height(), lattice.width(), lattice.boundary());
    if boundary != Boundary::Torus || height % 2 == 1 || width % 2 == 1 {
        return Err(ChainError::NoCheckerboard { height, width, boundary });
    }
    Ok(Shape { height, half: width / 2 })
}

fn check_chains(chains: usize) -> Result<()> {
    if chains > 0 && chains.is_multiple_of(LANES) {
        return Ok(());
    }
    let expected = chains.div_ceil(LANES).max(1) * LANES;
    Err(ChainError::Mismatch { what: "chains in multi-spin coding, a multiple of 64", found: chains, expected })
}
