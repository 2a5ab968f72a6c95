//! The sets of token grids that are compared.

use anyhow::ensure;
use glauber_chain::{ChainRng, StepDiagnostics};
use glauber_tokens::Token;

use crate::arguments::{ClassFlags, FidelityFlags};
use crate::images::Grids;
use crate::sampling::Sampling;
use crate::trained::Trained;

/// Numbers that conditionals may hold at once, where they are asked for all sites.
const MOST_NUMBERS: usize = 1 << 24;
/// Chains that run at once at most.
const MOST_CHAINS: usize = 256;

/// Streams of the seed for all that is not a chain; far from those that number chains.
const REFERENCE_STREAM: u64 = u64::MAX - 1;
const HELD_OUT_STREAM: u64 = u64::MAX - 2;
const INDEPENDENT_STREAM: u64 = u64::MAX - 3;

/// Token grids, and the class of each where one is known or was asked for.
pub struct Labelled {
    pub grids: Vec<Vec<Token>>,
    pub classes: Vec<Option<usize>>,
}

/// Samples of a run.
pub struct Drawn {
    pub labelled: Labelled,
    /// Passes of a sequence through the network, all samples together.
    pub evaluations: u64,
    pub seconds: f64,
}

impl Labelled {
    /// Training images to compare with.
    pub fn reference(source: &Grids, count: usize, seed: u64) -> Self {
        Self::chosen(source, count, ChainRng::new(seed, REFERENCE_STREAM))
    }

    /// Held-out images.
    pub fn held_out(source: &Grids, count: usize, seed: u64) -> Self {
        Self::chosen(source, count, ChainRng::new(seed, HELD_OUT_STREAM))
    }

    /// So many different images, or all of them.
    fn chosen(source: &Grids, count: usize, mut rng: ChainRng) -> Self {
        let mut indices: Vec<usize> = (0..source.len()).collect();
        let count = count.min(source.len());
        for place in 0..count {
            indices.swap(place, place + rng.below(source.len() - place));
        }
        let (grids, classes) = indices[..count].iter().map(|&index| source.grid(index, &mut rng)).unzip();
        Self { grids, classes }
    }

    /// Grids whose sites are independent, each drawn from what stands at that site in these: the token of one of them, drawn anew for
    /// each site.
    pub fn independent(&self, count: usize, seed: u64) -> Self {
        let mut rng = ChainRng::new(seed, INDEPENDENT_STREAM);
        let sites = self.grids.first().map_or(0, Vec::len);
        let mut grid = || (0..sites).map(|site| self.grids[rng.below(self.len())][site]).collect();
        Self { grids: (0..count).map(|_| grid()).collect(), classes: vec![None; count] }
    }

    /// Number of grids.
    pub fn len(&self) -> usize {
        self.grids.len()
    }
}

/// How many samples each class has: as many as any other, give or take one. One group of no class from a run without classes.
fn groups(classes: usize, count: usize) -> Vec<(Option<usize>, usize)> {
    match classes {
        0 => vec![(None, count)],
        _ => (0..classes).map(|class| (Some(class), count / classes + usize::from(class < count % classes))).collect(),
    }
}

/// Draws samples, the one of number `i` with stream `i` of the seed, class after class; `progress` is told how many are done. Gives also how
/// often a sequence passed through the network.
pub fn samples(
    flags: &FidelityFlags,
    trained: &Trained,
    sampling: &Sampling,
    progress: &mut dyn FnMut(usize),
) -> anyhow::Result<(Labelled, u64)> {
    let classes = trained.config.model.classes;
    ensure!(
        flags.guidance.is_none() || classes > 0,
        "`--guidance`: {} was trained without classes",
        flags.run.display()
    );
    let schedule = sampling.schedule();
    let at_once = (MOST_NUMBERS / (schedule.len() * trained.vocabulary.size)).clamp(1, MOST_CHAINS);
    let mut labelled = Labelled { grids: Vec::new(), classes: Vec::new() };
    let mut done = StepDiagnostics::default();
    for (class, count) in groups(classes, flags.count) {
        let conditional = trained.conditional_of(schedule, &ClassFlags { class, guidance: flags.guidance })?;
        let end = labelled.len() + count;
        while labelled.len() < end {
            let first = labelled.len();
            let streams = first as u64..end.min(first + at_once) as u64;
            let rngs = streams.map(|stream| ChainRng::new(flags.draw.seed, stream)).collect();
            let mut chains = sampling.start_with(rngs);
            done += sampling.run(conditional.as_ref(), &mut chains, &mut |_| {})?;
            labelled.grids.extend(chains.tokens().iter().map(<[Token]>::to_vec));
            labelled.classes.resize(labelled.len(), class);
            progress(labelled.len());
        }
    }
    // Guidance asks the network twice, with the class and without.
    let passes = if flags.guidance.is_some_and(|weight| weight != 0.0) { 2 } else { 1 };
    Ok((labelled, passes * done.evaluations))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_share_the_samples() {
        assert_eq!(groups(0, 7), [(None, 7)]);
        assert_eq!(groups(3, 7), [(Some(0), 3), (Some(1), 2), (Some(2), 2)]);
        assert_eq!(groups(3, 2), [(Some(0), 1), (Some(1), 1), (Some(2), 0)]);
    }

    #[test]
    fn independent_sites_have_their_own_marginals() {
        // The first site is 1 in every fourth grid, and the second is always its opposite.
        let grids: Vec<Vec<Token>> = (0..400).map(|i| if i % 4 == 0 { vec![1, 0] } else { vec![0, 1] }).collect();
        let classes = vec![None; grids.len()];
        let drawn = Labelled { grids, classes }.independent(4000, 3);
        let share = |wanted: &dyn Fn(&[Token]) -> bool| {
            drawn.grids.iter().filter(|grid| wanted(grid)).count() as f64 / drawn.len() as f64
        };
        // Four standard errors.
        assert!((share(&|grid| grid[0] == 1) - 0.25).abs() < 0.028);
        assert!((share(&|grid| grid[1] == 1) - 0.75).abs() < 0.028);
        assert!((share(&|grid| grid[0] == grid[1]) - 0.375).abs() < 0.031);
    }
}
