//! The sites that each step touches.

mod config;
mod kinds;

use glauber_tokens::{Site, Step};

pub use config::OrderConfig;

/// The block of sites that each step `0..T` touches.
///
/// A stored range of steps is repeated: one sweep for the periodic orders, all steps once for the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteOrder {
    len: usize,
    repeats: usize,
    /// Sites of the stored range, and the start of each step's block, shape `[step + 1]`.
    sites: Vec<Site>,
    block_starts: Vec<usize>,
    /// Steps that touch each site, ascending, and the start of each site's list, shape `[site + 1]`.
    visits: Vec<Step>,
    visit_starts: Vec<usize>,
    /// First step of each sweep of the stored range.
    sweep_starts: Vec<Step>,
    balanced: bool,
    origin: Origin,
}

/// The kind of order, from which further sweeps are generated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// The stored range is one sweep.
    Periodic,
    Permutation {
        seed: u64,
    },
    RandomScan {
        seed: u64,
    },
    BlockByBlock {
        block: usize,
    },
    /// A list by the user.
    Listed,
}

impl SiteOrder {
    fn build(
        origin: Origin,
        len: usize,
        repeats: usize,
        sites: Vec<Site>,
        block_starts: Vec<usize>,
        sweep_starts: Vec<Step>,
    ) -> Self {
        let mut visit_starts = vec![0; len + 1];
        for &site in &sites {
            visit_starts[site + 1] += 1;
        }
        for site in 0..len {
            visit_starts[site + 1] += visit_starts[site];
        }
        let mut next = visit_starts.clone();
        let mut visits = vec![0; sites.len()];
        for (step, bounds) in block_starts.windows(2).enumerate() {
            for &site in &sites[bounds[0]..bounds[1]] {
                visits[next[site]] = step;
                next[site] += 1;
            }
        }
        let mut order =
            Self { len, repeats, sites, block_starts, visits, visit_starts, sweep_starts, balanced: false, origin };
        order.balanced = (0..len).all(|site| order.once_a_sweep(site));
        order
    }

    fn once_a_sweep(&self, site: Site) -> bool {
        let visits = self.stored_visits(site);
        visits.len() == self.sweep_starts.len()
            && visits.iter().zip(&self.sweep_starts).all(|(v, start)| v >= start)
            && visits.iter().zip(&self.sweep_starts[1..]).all(|(v, end)| v < end)
    }

    /// Steps of the stored range that touch a site, ascending.
    pub(crate) fn stored_visits(&self, site: Site) -> &[Step] {
        &self.visits[self.visit_starts[site]..self.visit_starts[site + 1]]
    }

    /// Steps of the stored range.
    fn stretch(&self) -> Step {
        self.block_starts.len() - 1
    }

    /// Number of sites `L`.
    #[allow(clippy::len_without_is_empty)] // at least one site always
    pub fn len(&self) -> usize {
        self.len
    }

    /// Number of steps `T`.
    pub fn horizon(&self) -> Step {
        self.stretch() * self.repeats
    }

    /// Number of sweeps.
    pub fn sweeps(&self) -> usize {
        self.sweep_starts.len() * self.repeats
    }

    /// Whether every sweep touches every site exactly once.
    pub fn is_balanced(&self) -> bool {
        self.balanced
    }

    /// Whether every step touches exactly one site. The reverse heat-bath chain is then exact for any data.
    pub fn is_single_site(&self) -> bool {
        self.sites.len() == self.stretch()
    }

    /// The sites that step `t` touches, at least one, none twice.
    ///
    /// # Panics
    /// When `t ≥ T`.
    pub fn sites(&self, t: Step) -> &[Site] {
        assert!(t < self.horizon(), "step {t} of {}", self.horizon());
        let at = t % self.stretch();
        &self.sites[self.block_starts[at]..self.block_starts[at + 1]]
    }

    /// How often the steps `0..before` touch a site.
    ///
    /// # Panics
    /// When there is no such site.
    pub fn touches(&self, site: Site, before: Step) -> usize {
        let before = before.min(self.horizon());
        let visits = self.stored_visits(site);
        let (rounds, rest) = (before / self.stretch(), before % self.stretch());
        rounds * visits.len() + visits.partition_point(|&v| v < rest)
    }

    /// The sweep that step `t` belongs to. The horizon itself counts as the step after the last sweep.
    pub fn sweep_of(&self, t: Step) -> usize {
        if t >= self.horizon() {
            return self.sweeps();
        }
        let (rounds, rest) = (t / self.stretch(), t % self.stretch());
        rounds * self.sweep_starts.len() + self.sweep_starts.partition_point(|&s| s <= rest) - 1
    }

    /// The index of step `t` among the touches of its sites, from 0; it sets the noise level. It equals the sweep of
    /// `t`, except for [`block_by_block`](Self::block_by_block).
    pub fn touch_of(&self, t: Step) -> usize {
        match self.origin {
            Origin::BlockByBlock { .. } if t < self.horizon() => self.touches(self.sites(t)[0], t),
            _ => self.sweep_of(t),
        }
    }

    /// Sites per block, for the order [`block_by_block`](Self::block_by_block).
    pub fn block(&self) -> Option<usize> {
        match self.origin {
            Origin::BlockByBlock { block } => Some(block),
            _ => None,
        }
    }

    /// The first step of a sweep; the horizon for a sweep past the last.
    pub fn sweep_start(&self, sweep: usize) -> Step {
        if sweep >= self.sweeps() {
            return self.horizon();
        }
        let stored = self.sweep_starts.len();
        (sweep / stored) * self.stretch() + self.sweep_starts[sweep % stored]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Boundary, Neighbourhood};

    pub(super) fn orders() -> Vec<SiteOrder> {
        vec![
            SiteOrder::round_robin(6, 3).unwrap(),
            SiteOrder::permutation(6, 3, 1).unwrap(),
            SiteOrder::random_scan(6, 3, 1).unwrap(),
            SiteOrder::chromatic(2, 3, Neighbourhood::Four, Boundary::Torus, 3).unwrap(),
            SiteOrder::strided(6, 4, 3).unwrap(),
            SiteOrder::spaced(2, 3, 2, 3).unwrap(),
            SiteOrder::block_by_block(6, 4, 3).unwrap(),
            SiteOrder::from_blocks(6, vec![vec![0, 3], vec![1, 2], vec![0, 4, 5], vec![1], vec![2]]).unwrap(),
        ]
    }

    #[test]
    fn touches_equal_a_naive_count() {
        for order in orders() {
            for site in 0..order.len() {
                let mut count = 0;
                for t in 0..order.horizon() {
                    assert_eq!(order.touches(site, t), count);
                    count += usize::from(order.sites(t).contains(&site));
                }
                assert_eq!(order.touches(site, order.horizon()), count);
            }
        }
    }

    #[test]
    fn sweeps_partition_the_steps() {
        for order in orders() {
            for sweep in 0..order.sweeps() {
                let range = order.sweep_start(sweep)..order.sweep_start(sweep + 1);
                assert!(!range.is_empty());
                assert!(range.into_iter().all(|t| order.sweep_of(t) == sweep));
            }
            assert_eq!(order.sweep_start(order.sweeps()), order.horizon());
        }
        let balanced: Vec<bool> = orders().iter().map(SiteOrder::is_balanced).collect();
        assert_eq!(balanced, [true, true, false, true, true, true, false, false]);
    }

    #[test]
    fn user_made_sweeps_are_the_shortest_complete_runs() {
        let blocks = vec![vec![0], vec![0], vec![1], vec![1, 0], vec![1]];
        let order = SiteOrder::from_blocks(2, blocks).unwrap();
        assert_eq!(order.sweeps(), 2);
        assert_eq!((0..5).map(|t| order.sweep_of(t)).collect::<Vec<_>>(), [0, 0, 0, 1, 1]);
    }
}
