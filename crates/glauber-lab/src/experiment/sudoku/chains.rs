//! Chains that draw grids, with or without clues, and their results.

use std::collections::HashSet;
use std::ops::ControlFlow;

use anyhow::Context;
use glauber_chain::{ChainRng, Chains, ReverseKernel, ReverseSampler, Sampler, SiteConditional, StepDiagnostics};
use glauber_schedule::Schedule;
use glauber_sudoku::{Puzzle, Size, SolutionSource, SudokuCodec, is_valid, violations};
use glauber_tokens::{Step, TokenBatch};

/// Grids that are dug for one puzzle at most.
const TRIES: usize = 5000;

/// How finished chains are noised and denoised again.
#[derive(Debug, Clone, Copy)]
pub struct Redenoise {
    pub time: Step,
    pub rounds: usize,
}

/// So many out of so many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub hits: usize,
    pub of: usize,
}

impl Rate {
    fn count(flags: &[bool]) -> Self {
        Self { hits: flags.iter().filter(|&&flag| flag).count(), of: flags.len() }
    }

    pub fn share(self) -> f64 {
        self.hits as f64 / self.of.max(1) as f64
    }
}

/// What free chains came to, after the reverse chain and after ReDeNoise.
pub struct Free {
    /// Valid grids.
    pub valid: [Rate; 2],
    /// Different grids among the valid ones.
    pub distinct: [usize; 2],
    /// Mean violations of a grid.
    pub violations: [f64; 2],
    /// Redraws that changed the site, per chain, in the reverse chain.
    pub changes: f64,
}

/// What chains around the clues of puzzles came to, after the reverse chain and after ReDeNoise.
pub struct Solved {
    pub clues: usize,
    /// Chains that solved their puzzle.
    pub single: [Rate; 2],
    /// Puzzles that some chain solved.
    pub any: [Rate; 2],
}

/// Runs chains of a trained network.
pub struct Chainer<'a> {
    size: Size,
    sampler: ReverseSampler<'a>,
    conditional: &'a dyn SiteConditional,
    again: Redenoise,
    seed: u64,
}

impl<'a> Chainer<'a> {
    pub fn new(
        size: Size,
        schedule: &'a Schedule,
        kernel: Box<dyn ReverseKernel>,
        conditional: &'a dyn SiteConditional,
        again: Redenoise,
        seed: u64,
    ) -> Self {
        Self { size, sampler: ReverseSampler::new(schedule, kernel), conditional, again, seed }
    }

    /// Draws grids with nothing clamped.
    pub fn free(&self, count: usize) -> anyhow::Result<Free> {
        let mut chains = self.sampler.start(count, self.seed);
        let (once, again, diagnostics) = self.run(&mut chains)?;
        let both = [once, again];
        Ok(Free {
            valid: both.each_ref().map(|grids| Rate::count(&self.valid(grids))),
            distinct: both.each_ref().map(|grids| self.distinct(grids)),
            violations: both.each_ref().map(|grids| {
                let all: usize = grids.iter().map(|grid| violations(self.size, grid)).sum();
                all as f64 / count as f64
            }),
            changes: diagnostics.changes as f64 / count as f64,
        })
    }

    /// Solves puzzles of so many clues, several chains each.
    pub fn solve(
        &self,
        source: &SolutionSource,
        clues: usize,
        puzzles: usize,
        candidates: usize,
    ) -> anyhow::Result<Solved> {
        let puzzles = self.puzzles(source, clues, puzzles)?;
        let mut chains = self.sampler.start(puzzles.len() * candidates, !self.seed);
        for (row, puzzle) in puzzles.iter().flat_map(|puzzle| std::iter::repeat_n(puzzle, candidates)).enumerate() {
            clamp(&mut chains, row, puzzle)?;
        }
        let (once, again, _) = self.run(&mut chains)?;
        // A valid grid that agrees with the clues is the solution: there is only one.
        let solved = [once, again].map(|grids| self.valid(&grids));
        let any =
            |solved: &Vec<bool>| -> Vec<bool> { solved.chunks(candidates).map(|some| some.contains(&true)).collect() };
        Ok(Solved {
            clues,
            single: solved.each_ref().map(|solved| Rate::count(solved)),
            any: solved.each_ref().map(|solved| Rate::count(&any(solved))),
        })
    }

    /// One chain that solves a puzzle, after each sweep.
    pub fn film(&self, source: &SolutionSource, clues: usize) -> anyhow::Result<String> {
        let puzzle = self.puzzles(source, clues, 1)?.remove(0);
        let mut chains = self.sampler.start(1, !self.seed);
        clamp(&mut chains, 0, &puzzle)?;
        let codec = SudokuCodec::new(self.size);
        let mask = puzzle.clue_mask();
        let mut pictures = vec![("a puzzle".to_owned(), codec.pretty_clues(puzzle.clues())?)];
        let horizon = self.sampler.schedule().horizon();
        let mut failed = None;
        let show = |tokens: &TokenBatch| codec.pretty(tokens.row(0), Some(&mask));
        self.sampler.run(self.conditional, &mut chains, horizon, 0, &mut |info| {
            match show(info.chains.tokens()) {
                Ok(grid) => {
                    let wrong = violations(self.size, info.chains.tokens().row(0));
                    pictures.push((format!("{} sweeps left, {wrong} violations", info.sweep), grid));
                }
                Err(error) => failed = Some(error),
            }
            ControlFlow::Continue(())
        })?;
        failed.map_or(Ok(()), Err)?;
        Ok(pictures.iter().map(|(title, grid)| format!("{title}\n{grid}\n")).collect::<Vec<_>>().join("\n"))
    }

    fn puzzles(&self, source: &SolutionSource, clues: usize, count: usize) -> anyhow::Result<Vec<Puzzle>> {
        let mut rng = ChainRng::new(self.seed, clues as u64);
        let draw = |_| Puzzle::draw(source, clues, TRIES, &mut rng);
        (0..count).map(draw).collect::<Result<_, _>>().context("`--clues`")
    }

    /// Grids after the reverse chain, and after ReDeNoise.
    fn run(&self, chains: &mut Chains) -> anyhow::Result<(TokenBatch, TokenBatch, StepDiagnostics)> {
        let diagnostics = self.sampler.sample(self.conditional, chains)?;
        let once = chains.tokens().clone();
        let Redenoise { time, rounds } = self.again;
        self.sampler.redenoise(self.conditional, chains, time, rounds, &mut |_, _| ControlFlow::Continue(()))?;
        Ok((once, chains.tokens().clone(), diagnostics))
    }

    fn valid(&self, grids: &TokenBatch) -> Vec<bool> {
        grids.iter().map(|grid| is_valid(self.size, grid)).collect()
    }

    fn distinct(&self, grids: &TokenBatch) -> usize {
        grids.iter().filter(|grid| is_valid(self.size, grid)).collect::<HashSet<_>>().len()
    }
}

fn clamp(chains: &mut Chains, row: usize, puzzle: &Puzzle) -> anyhow::Result<()> {
    for (site, token) in puzzle.given() {
        chains.clamp(row, site, token)?;
    }
    Ok(())
}
