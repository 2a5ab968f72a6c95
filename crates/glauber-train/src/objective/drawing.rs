//! How training examples are drawn.

use glauber_chain::ChainRng;
use glauber_model::{Asked, SiteClassifier};
use glauber_schedule::Schedule;
use glauber_tokens::{Site, Step};

use super::{Objective, OwnToken};
use crate::TrainConfig;

/// How training examples are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drawing {
    /// The sites with labels.
    pub asked: Asked,
    /// Whether time is continuous and all sites are equally noisy, as in ratio matching, instead of a step of the
    /// chain.
    pub continuous: bool,
    /// Share of rows with a random part of the sites clamped to the data.
    pub clamped_share: f64,
    /// Whether to draw a row's number of masks instead of a level.
    pub counts_masks: bool,
    /// Whether a row has the labels of a whole sweep, each site in its own context.
    pub whole_sweeps: bool,
    /// Sites per block, for a block-causal network; every block then has its own step.
    pub block: Option<usize>,
    /// Whether rows have the log-densities of their sequences.
    pub densities: bool,
    /// Number of classes of the network; it is also the label of rows without their class.
    pub classes: usize,
    /// Share of rows without their class.
    pub class_dropout: f64,
}

impl Drawing {
    /// Examples for held-out losses: without clamps, and with every class.
    pub fn held_out(network: &dyn SiteClassifier) -> Self {
        let classes = network.sizes().classes;
        Self {
            asked: network.answers(),
            continuous: false,
            clamped_share: 0.0,
            counts_masks: false,
            whole_sweeps: false,
            block: network.block(),
            densities: false,
            classes,
            class_dropout: 0.0,
        }
    }

    /// Adds the requirements of an objective: its time, its masks and the sites with labels.
    #[must_use]
    pub fn of(self, objective: &dyn Objective) -> Self {
        let asked = match (self.asked, objective.own_token()) {
            (Asked::Masked, OwnToken::Seen) => Asked::InView,
            (asked, _) => asked,
        };
        let (continuous, counts_masks) = (objective.is_continuous(), objective.counts_masks());
        Self { asked, continuous, counts_masks, densities: objective.compares_paths(), ..self }
    }

    /// The examples that a configuration trains a network on, under a schedule.
    pub fn training(network: &dyn SiteClassifier, schedule: &Schedule, train: &TrainConfig) -> Self {
        Self {
            clamped_share: train.clamped_share,
            whole_sweeps: train.whole_sweeps.hold(network, train.objective, schedule),
            class_dropout: train.class_dropout,
            ..Self::held_out(network).of(train.objective)
        }
    }

    /// Step and time of a row at the fraction `u` of the horizon; writes the signal level of every site.
    pub(super) fn place(&self, schedule: &Schedule, u: f64, levels: &mut [f64]) -> (Step, f64) {
        let horizon = schedule.horizon();
        if self.asked == Asked::After {
            levels.fill(1.0);
            return (0, 0.0);
        }
        let step = ((u * horizon as f64) as Step).min(horizon - 1);
        if !self.continuous {
            schedule.signal_levels(step, levels);
            return (step, step as f64 / horizon as f64);
        }
        levels.fill(schedule.level(u));
        (step, u)
    }

    /// The first step of the sweep of a row at the fraction `u` of all rows. Writes the signal level of every site
    /// after and before the sweep. Half the rows are divided equally between sweeps, and half in proportion to the
    /// signal that each sweep removes. A sweep that writes most of a sequence thus has more rows.
    pub(super) fn sweep(
        &self,
        schedule: &Schedule,
        u: f64,
        [left, right]: [&mut [f64]; 2],
        rng: &mut ChainRng,
    ) -> Step {
        let taken = |sweep: usize| schedule.signal_level(0, schedule.order().sweep_start(sweep));
        // The share of the sweeps before this one.
        let before = |sweep: usize| {
            0.5 * (sweep as f64 / schedule.sweeps() as f64 + (1.0 - taken(sweep)) / (1.0 - schedule.final_signal()))
        };
        let sweep = (1..schedule.sweeps()).rev().find(|&sweep| before(sweep) <= u).unwrap_or(0);
        let start = schedule.order().sweep_start(sweep);
        schedule.signal_levels(start, right);
        schedule.signal_levels(start + schedule.len(), left);
        let mut clamps = vec![0.0; left.len()];
        self.clamp(&mut clamps, rng);
        for (site, _) in clamps.iter().enumerate().filter(|(_, clamp)| **clamp == 1.0) {
            (left[site], right[site]) = (1.0, 1.0);
        }
        start
    }

    /// The step of a block that starts at site `first`, at the fraction `u` of its passes; writes its `levels`.
    pub(super) fn place_block(&self, schedule: &Schedule, u: f64, first: Site, levels: &mut [f64]) -> Step {
        let passes = schedule.sweeps();
        let touched = ((u * passes as f64) as usize).min(passes - 1);
        // Blocks are touched from the last to the first.
        let before = (schedule.len() - first - levels.len()).div_ceil(schedule.order().block().unwrap_or(1));
        let step = before * passes + touched;
        let level = if self.continuous { schedule.level(u) } else { schedule.signal_level(first, step) };
        levels.fill(level);
        step
    }

    /// The number of masks of `len` sites at the fraction `u` of all rows, at least one.
    fn count(u: f64, len: usize) -> usize {
        1 + ((u * len as f64) as usize).min(len - 1)
    }

    /// The time with the number of masks of a row at the fraction `u` of all rows; `u` itself if masks are not counted.
    pub(super) fn placed_at(&self, u: f64, len: usize) -> f64 {
        if self.counts_masks { Self::count(u, len) as f64 / len as f64 } else { u }
    }

    /// Chooses the masked sites of a row at the fraction `u` of all rows at random. Writes the level with that mean
    /// number of masks.
    pub(super) fn masks(u: f64, levels: &mut [f64], rng: &mut ChainRng) -> Vec<bool> {
        let len = levels.len();
        let count = Self::count(u, len);
        levels.fill(1.0 - count as f64 / len as f64);
        let mut left = count;
        let mut masked = |site: usize| {
            let taken = rng.below(len - site) < left;
            left -= usize::from(taken);
            taken
        };
        (0..len).map(&mut masked).collect()
    }

    /// The class of a row that the network receives.
    pub(super) fn told(&self, class: usize, rng: &mut ChainRng) -> usize {
        match rng.uniform() < self.class_dropout {
            true => self.classes,
            false => class,
        }
    }

    /// Clamps a random part of some rows: random sites, or all sites outside a range.
    pub(super) fn clamp(&self, levels: &mut [f64], rng: &mut ChainRng) {
        if self.clamped_share == 0.0 || rng.uniform() >= self.clamped_share {
            return;
        }
        if rng.uniform() < 0.5 {
            let known = rng.uniform();
            levels.iter_mut().for_each(|level| *level = if rng.uniform() < known { 1.0 } else { *level });
            return;
        }
        let free = 1 + rng.below(levels.len());
        let start = rng.below(levels.len() - free + 1);
        for (site, level) in levels.iter_mut().enumerate() {
            if !(start..start + free).contains(&site) {
                *level = 1.0;
            }
        }
    }
}
