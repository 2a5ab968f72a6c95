//! 64 chains in one block of words.

use std::ops::Range;

use glauber_tokens::Token;
use pulp::{Arch, NullaryFnOnce};

use super::LANES;
use super::lane_counts::LaneCounts;
use super::thresholds::Thresholds;
use super::words::{GROUP, WordRng, Words, counts, heat_bath};
use crate::StepDiagnostics;

/// A torus with even sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub height: usize,
    /// Half the width: the number of sites of one colour in a row.
    pub half: usize,
}

impl Shape {
    pub fn sites(self) -> usize {
        2 * self.colour_sites()
    }

    fn colour_sites(self) -> usize {
        self.height * self.half
    }

    /// The site at a place of a colour. Rows of the checkerboard alternately start with colour 0 and 1.
    fn site(self, colour: usize, at: usize) -> usize {
        let (y, j) = (at / self.half, at % self.half);
        2 * self.half * y + 2 * j + (y + colour) % 2
    }
}

/// The spins of 64 chains, one bit each, and their random numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    /// Shape `[colour][row · place in the row]`.
    spins: [Vec<u64>; 2],
    rng: WordRng,
}

/// The neighbours of every site of a colour, all of the other colour.
#[derive(Default)]
struct Surroundings {
    /// The other colour, padded with its last row before and its first row after. Neighbours above, beside and below
    /// are slices of it.
    column: Vec<u64>,
    /// The other neighbour in the row.
    beside: Vec<u64>,
}

impl Surroundings {
    fn fill(&mut self, shape: Shape, colour: usize, other: &[u64]) {
        let half = shape.half;
        self.column.clear();
        self.column.extend_from_slice(&other[other.len() - half..]);
        self.column.extend_from_slice(other);
        self.column.extend_from_slice(&other[..half]);
        self.beside.clear();
        self.beside.extend_from_slice(other);
        for (y, row) in self.beside.chunks_exact_mut(half).enumerate() {
            // The neighbour at the same place stands to the right where the row starts with this colour, else to the left.
            if (y + colour).is_multiple_of(2) { row.rotate_right(1) } else { row.rotate_left(1) }
        }
    }

    /// Neighbours above, below and at both sides of some sites, shape `[4][site]`.
    fn at(&self, shape: Shape, sites: Range<usize>) -> [&[u64]; 4] {
        let column = |rows_down: usize| &self.column[rows_down * shape.half..][sites.clone()];
        [column(0), column(2), column(1), &self.beside[sites.clone()]]
    }
}

impl Block {
    /// Chains at given tokens, shape `[lane · site]`, with the random numbers of a stream.
    pub fn new(shape: Shape, tokens: &[Token], seed: u64, stream: u64) -> Self {
        let word = |site: usize| -> u64 {
            let shown = tokens[site..].iter().step_by(shape.sites());
            shown.enumerate().map(|(lane, &token)| u64::from(token) << lane).sum()
        };
        let spins = |colour| (0..shape.colour_sites()).map(|at| word(shape.site(colour, at))).collect();
        Self { spins: [spins(0), spins(1)], rng: WordRng::new(seed, stream) }
    }

    /// Writes the tokens, shape `[lane · site]`.
    pub fn write_tokens(&self, shape: Shape, tokens: &mut [Token]) {
        for (lane, row) in tokens.chunks_exact_mut(shape.sites()).enumerate() {
            for (colour, spins) in self.spins.iter().enumerate() {
                for (at, word) in spins.iter().enumerate() {
                    row[shape.site(colour, at)] = (word >> lane & 1) as Token;
                }
            }
        }
    }

    /// Some sweeps, with the widest vector instructions that the processor has.
    pub fn run(&mut self, shape: Shape, thresholds: &Thresholds, sweeps: usize) -> StepDiagnostics {
        let changes = Arch::new().dispatch(Sweeps { block: self, shape, thresholds, sweeps });
        let chains = (LANES * sweeps) as u64;
        let (updates, rounds) = (chains * shape.sites() as u64, 2 * sweeps as u64);
        StepDiagnostics { updates, changes, evaluations: 2 * chains, rounds }
    }

    /// Bonds between opposite spins, shape `[lane]`.
    pub fn broken_bonds(&self, shape: Shape) -> [u64; LANES] {
        let mut surroundings = Surroundings::default();
        surroundings.fill(shape, 0, &self.spins[1]);
        // Every bond joins both colours.
        Arch::new().dispatch(|| {
            let mut counts = LaneCounts::default();
            for neighbours in surroundings.at(shape, 0..shape.colour_sites()) {
                counts.add_all(self.spins[0].iter().zip(neighbours).map(|(here, there)| here ^ there));
            }
            counts.counts()
        })
    }

    /// Spins up, shape `[lane]`.
    pub fn spins_up(&self) -> [u64; LANES] {
        let up = [self.colour_up(0), self.colour_up(1)];
        std::array::from_fn(|lane| up[0][lane] + up[1][lane])
    }

    /// Spins up of one colour, shape `[lane]`.
    pub fn colour_up(&self, colour: usize) -> [u64; LANES] {
        Arch::new().dispatch(|| {
            let mut counts = LaneCounts::default();
            counts.add_all(self.spins[colour].iter().copied());
            counts.counts()
        })
    }

    /// Redraws one colour, with the widest vector instructions that the processor has.
    pub fn redraw_colour(&mut self, shape: Shape, colour: usize, thresholds: &Thresholds) {
        Arch::new().dispatch(Colour { block: self, shape, colour, thresholds });
    }

    /// Sites of one colour by their neighbours up, shape `[neighbours up, lane]`.
    pub fn neighbours_up(&self, shape: Shape, colour: usize) -> [[u64; LANES]; 5] {
        Arch::new().dispatch(NeighboursUp { block: self, shape, colour })
    }

    /// Lane `i` of this block becomes lane `lane` of block `block`, for `[block, lane] = from[i]`. Random numbers stay.
    pub fn gather(&mut self, all: &[[Vec<u64>; 2]], from: &[(usize, usize)]) {
        for (colour, spins) in self.spins.iter_mut().enumerate() {
            for (at, word) in spins.iter_mut().enumerate() {
                let bits = from.iter().enumerate();
                *word = bits.map(|(to, &(block, lane))| (all[block][colour][at] >> lane & 1) << to).sum();
            }
        }
    }

    /// The spins, shape `[colour][row · place in the row]`.
    pub fn spins(&self) -> [Vec<u64>; 2] {
        self.spins.clone()
    }
}

struct NeighboursUp<'a> {
    block: &'a Block,
    shape: Shape,
    colour: usize,
}

impl NullaryFnOnce for NeighboursUp<'_> {
    /// Shape `[neighbours up, lane]`.
    type Output = [[u64; LANES]; 5];

    #[inline(always)]
    fn call(self) -> Self::Output {
        let Self { block, shape, colour } = self;
        let mut surroundings = Surroundings::default();
        surroundings.fill(shape, colour, &block.spins[1 - colour]);
        let sites = shape.colour_sites();
        let around = surroundings.at(shape, 0..sites);
        let [above, below, here, beside] = around.map(|words| words.as_chunks::<GROUP>());
        let mut sums: [LaneCounts; 4] = std::array::from_fn(|_| LaneCounts::default());
        let mut add = |around: [&Words; 4]| {
            let found = counts(around);
            sums.iter_mut().zip(&found[1..]).for_each(|(sum, words)| sum.add(*words));
        };
        for (((above, below), here), beside) in above.0.iter().zip(below.0).zip(here.0).zip(beside.0) {
            add([above, below, here, beside]);
        }
        // Words of padding have no neighbour up: none of the four sums takes them.
        let pad = |words: &[u64]| -> Words { std::array::from_fn(|i| words.get(i).copied().unwrap_or(0)) };
        add([&pad(above.1), &pad(below.1), &pad(here.1), &pad(beside.1)]);
        let [one, two, three, four] = sums.map(LaneCounts::counts);
        let none = std::array::from_fn(|lane| sites as u64 - one[lane] - two[lane] - three[lane] - four[lane]);
        [none, one, two, three, four]
    }
}

struct Colour<'a> {
    block: &'a mut Block,
    shape: Shape,
    colour: usize,
    thresholds: &'a Thresholds,
}

impl NullaryFnOnce for Colour<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { block: Block { spins, rng }, shape, colour, thresholds } = self;
        let mut surroundings = Surroundings::default();
        surroundings.fill(shape, colour, &spins[1 - colour]);
        redraw(&mut spins[colour], &surroundings, shape, thresholds, rng);
    }
}

struct Sweeps<'a> {
    block: &'a mut Block,
    shape: Shape,
    thresholds: &'a Thresholds,
    sweeps: usize,
}

impl NullaryFnOnce for Sweeps<'_> {
    /// Spins that changed.
    type Output = u64;

    #[inline(always)]
    fn call(self) -> u64 {
        let Self { block: Block { spins, rng }, shape, thresholds, sweeps } = self;
        let mut surroundings = Surroundings::default();
        let mut changes = 0;
        // Local, so that the generators can stay in registers.
        let mut local = rng.clone();
        for _ in 0..sweeps {
            for colour in 0..2 {
                surroundings.fill(shape, colour, &spins[1 - colour]);
                changes += redraw(&mut spins[colour], &surroundings, shape, thresholds, &mut local);
            }
        }
        *rng = local;
        changes
    }
}

/// Redraws all sites of a colour.
#[inline(always)]
fn redraw(
    spins: &mut [u64],
    surroundings: &Surroundings,
    shape: Shape,
    thresholds: &Thresholds,
    rng: &mut WordRng,
) -> u64 {
    let around = surroundings.at(shape, 0..spins.len());
    let [above, below, here, beside] = around.map(|words| words.as_chunks::<GROUP>().0.iter());
    let (groups, rest) = spins.as_chunks_mut::<GROUP>();
    let mut changes = 0;
    for ((((shown, above), below), here), beside) in groups.iter_mut().zip(above).zip(below).zip(here).zip(beside) {
        let new = heat_bath([above, below, here, beside], [u64::MAX; GROUP], thresholds, rng);
        changes += differences(shown, &new);
        *shown = new;
    }
    if !rest.is_empty() {
        // What does not fill a group is padded with words in which no chain is open.
        let pad = |words: &[u64]| -> Words { std::array::from_fn(|i| words.get(i).copied().unwrap_or(0)) };
        let [above, below, here, beside] = around.map(|words| pad(words.as_chunks::<GROUP>().1));
        let open = std::array::from_fn(|i| if i < rest.len() { u64::MAX } else { 0 });
        let new = heat_bath([&above, &below, &here, &beside], open, thresholds, rng);
        changes += differences(&pad(rest), &new);
        rest.copy_from_slice(&new[..rest.len()]);
    }
    changes
}

#[inline(always)]
fn differences(old: &Words, new: &Words) -> u64 {
    old.iter().zip(new).map(|(old, new)| u64::from((old ^ new).count_ones())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vector_instructions_change_nothing() {
        for (height, half) in [(6, 5), (8, 8), (2, 1)] {
            let thresholds = Thresholds::new(0.4, -0.1);
            let shape = Shape { height, half };
            let mut widest = Block::new(shape, &vec![1; LANES * shape.sites()], 5, 1);
            let mut plain = widest.clone();
            let changes = Sweeps { block: &mut plain, shape, thresholds: &thresholds, sweeps: 30 }.call();
            assert_eq!(widest.run(shape, &thresholds, 30).changes, changes);
            assert_eq!(widest, plain);
        }
    }
}
