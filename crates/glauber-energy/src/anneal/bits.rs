//! Annealed Ising chains in multi-spin coding: 64 particles to a word.

use glauber_chain::oracles::Ising;
use glauber_chain::{MultiSpin, SpinBlock, SpinLaw};
use glauber_tokens::TokenBatch;
use rayon::prelude::*;

use super::{Increment, LevelStep, Population};
use crate::{PathWeight, Result};

/// Particles to a word.
const LANES: usize = 64;
/// Updates of words, about 10 ns each, below which waking another thread costs more than it saves.
const WORDS_WORTH_A_THREAD: usize = 1 << 13;

/// Particles between uniform spins and an [`Ising`] model on a torus with even sides, one bit each. A sweep has two
/// blocks, the colours of the checkerboard. The same law as [`Particles`](super::Particles), with other random numbers.
#[derive(Debug)]
pub struct IsingBits {
    ising: Ising,
    spins: MultiSpin,
    weights: Vec<PathWeight>,
}

/// One annealing step of the model, prepared for all its blocks.
struct Rise {
    colour: usize,
    law: SpinLaw,
    /// What a site about to be redrawn adds to (E25), shape `[neighbours up]`.
    site: [f64; 5],
    /// What a spin of the other colour adds to it.
    spin: f64,
    /// `b_k − b_{k−1}`.
    rise: f64,
}

/// `ln 2cosh x`.
fn log_two_cosh(x: f64) -> f64 {
    x.abs() + (-2.0 * x.abs()).exp().ln_1p()
}

impl IsingBits {
    /// Particles at uniform spins. Their number is a multiple of 64.
    ///
    /// # Errors
    /// When the lattice is not a torus with even sides, or the particles are not a positive multiple of 64.
    pub fn new(ising: &Ising, particles: usize, seed: u64) -> Result<Self> {
        let mut spins = MultiSpin::filled(ising, particles, 0, seed)?;
        let even = SpinLaw::new(0.0, 0.0);
        spins.blocks().iter_mut().for_each(|block| (0..2).for_each(|colour| block.redraw(colour, &even)));
        Ok(Self { ising: ising.clone(), spins, weights: vec![PathWeight::default(); particles] })
    }

    /// The chains.
    pub fn spins(&self) -> &MultiSpin {
        &self.spins
    }

    fn rise(&self, step: LevelStep) -> Rise {
        let (coupling, field) = (self.ising.coupling(), self.ising.field());
        let local = |up: usize| coupling * (2.0 * up as f64 - 4.0) + field;
        Rise {
            colour: step.block,
            law: SpinLaw::new(step.to * coupling, step.to * field),
            site: std::array::from_fn(|up| log_two_cosh(step.to * local(up)) - log_two_cosh(step.from * local(up))),
            spin: (step.to - step.from) * field,
            rise: step.to - step.from,
        }
    }

    /// Runs all blocks; `act` gets a block and the weights of its particles. A call of few updates stays on this thread.
    fn each(&mut self, steps: usize, act: impl Fn(&mut SpinBlock<'_>, &mut [PathWeight]) + Sync) {
        let words = steps * self.spins.sites() * self.weights.len() / LANES;
        let blocks = self.spins.blocks();
        let shares = self.weights.chunks_mut(LANES);
        if words < WORDS_WORTH_A_THREAD {
            blocks.into_iter().zip(shares).for_each(|(mut block, weights)| act(&mut block, weights));
        } else {
            let mut all: Vec<_> = blocks.into_iter().zip(shares).collect();
            all.par_iter_mut().for_each(|(block, weights)| act(block, weights));
        }
    }

    fn gains(&self) -> Gains {
        let sites = self.spins.sites() as f64;
        Gains { sites, coupling: self.ising.coupling(), field: self.ising.field() }
    }
}

/// What the increments need of a model.
#[derive(Clone, Copy)]
struct Gains {
    sites: f64,
    coupling: f64,
    field: f64,
}

impl Gains {
    /// `log γ(x) − log p_0(x)` of every particle of a block, shape `[particle]`.
    fn slopes(self, block: &SpinBlock<'_>) -> [f64; LANES] {
        let broken = block.broken_bonds();
        let up = [block.spins_up(0), block.spins_up(1)];
        std::array::from_fn(|lane| {
            let bonds = 2.0 * self.sites - 2.0 * broken[lane] as f64;
            let spins = 2.0 * (up[0][lane] + up[1][lane]) as f64 - self.sites;
            self.coupling * bonds + self.field * spins + self.sites * 2f64.ln()
        })
    }

    fn add(self, rise: &Rise, increment: Increment, block: &SpinBlock<'_>, weights: &mut [PathWeight]) {
        if increment == Increment::Annealed {
            let slopes = self.slopes(block);
            weights.iter_mut().zip(slopes).for_each(|(weight, slope)| weight.gain(rise.rise * slope));
            return;
        }
        let counts = block.neighbours_up(rise.colour);
        let other = if rise.spin == 0.0 { [0; LANES] } else { block.spins_up(1 - rise.colour) };
        for (lane, weight) in weights.iter_mut().enumerate() {
            let sites: f64 = (0..5).map(|up| counts[up][lane] as f64 * rise.site[up]).sum();
            let spins = 2.0 * other[lane] as f64 - self.sites / 2.0;
            weight.gain(sites + rise.spin * spins + rise.rise * self.sites * 2f64.ln());
        }
    }
}

impl Population for IsingBits {
    fn particles(&self) -> usize {
        self.weights.len()
    }

    fn blocks(&self) -> usize {
        2
    }

    fn weigh(&mut self, step: LevelStep, increment: Increment) -> Result<()> {
        let (rise, gains) = (self.rise(step), self.gains());
        self.each(1, |block, weights| gains.add(&rise, increment, block, weights));
        Ok(())
    }

    fn redraw(&mut self, step: LevelStep) -> Result<()> {
        let rise = self.rise(step);
        self.each(1, |block, _| block.redraw(rise.colour, &rise.law));
        Ok(())
    }

    fn run(&mut self, steps: &[LevelStep], increment: Increment) -> Result<()> {
        let rises: Vec<Rise> = steps.iter().map(|&step| self.rise(step)).collect();
        let gains = self.gains();
        self.each(rises.len(), |block, weights| {
            for rise in &rises {
                gains.add(rise, increment, block, weights);
                block.redraw(rise.colour, &rise.law);
            }
        });
        Ok(())
    }

    fn slopes(&self) -> Vec<f64> {
        let (coupling, field) = (self.ising.coupling(), self.ising.field());
        let sites = self.spins.sites() as f64;
        let each = self.spins.bond_energies().into_iter().zip(self.spins.magnetisations());
        each.map(|(energy, spin)| field * spin * sites - coupling * energy + sites * 2f64.ln()).collect()
    }

    fn log_weights(&self) -> Vec<f64> {
        self.weights.iter().map(|weight| weight.log()).collect()
    }

    fn resample(&mut self, ancestors: &[usize]) {
        self.spins.copy_chains(ancestors);
        self.weights.fill(PathWeight::default());
    }

    fn tokens(&self) -> TokenBatch {
        self.spins.tokens()
    }
}
