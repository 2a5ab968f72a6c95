//! Which sites each step touches.

use glauber_tokens::{Site, Step};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::{Boundary, Neighbourhood, OrderConfig, ScheduleError, colouring};

/// The block of sites that each step `0..T` touches.
///
/// A stored stretch of steps is repeated a number of times: one sweep for the periodic orders, the whole run once for the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SiteOrder {
    len: usize,
    repeats: usize,
    /// Sites of the stretch, and where each step's block starts, shape `[step + 1]`.
    sites: Vec<Site>,
    block_starts: Vec<usize>,
    /// Steps that touch each site, ascending, and where each site's list starts, shape `[site + 1]`.
    visits: Vec<Step>,
    visit_starts: Vec<usize>,
    /// First step of each sweep of the stretch.
    sweep_starts: Vec<Step>,
    balanced: bool,
}

impl SiteOrder {
    /// Sites `0, 1, … L−1` in every sweep.
    ///
    /// # Errors
    /// When `len` or `sweeps` is 0, or the steps overflow.
    pub fn round_robin(len: usize, sweeps: usize) -> Result<Self, ScheduleError> {
        check_size(len, sweeps)?;
        Ok(Self::build(len, sweeps, (0..len).collect(), (0..=len).collect(), vec![0]))
    }

    /// A fresh uniform permutation of the sites in every sweep, from ChaCha8 keyed by `seed`.
    ///
    /// # Errors
    /// When `len` or `sweeps` is 0, or the steps overflow.
    pub fn permutation(len: usize, sweeps: usize, seed: u64) -> Result<Self, ScheduleError> {
        let steps = check_size(len, sweeps)?;
        let mut rng = generator(seed);
        let mut sites: Vec<Site> = (0..steps).map(|t| t % len).collect();
        for sweep in sites.chunks_exact_mut(len) {
            // Fisher and Yates.
            for last in (1..len).rev() {
                sweep.swap(last, below(&mut rng, last + 1));
            }
        }
        let starts = (0..sweeps).map(|k| k * len).collect();
        Ok(Self::build(len, 1, sites, (0..=steps).collect(), starts))
    }

    /// `sweeps · len` sites drawn uniformly with replacement, from ChaCha8 keyed by `seed`. A sweep is `len` draws, so some sites
    /// are touched more often than others.
    ///
    /// # Errors
    /// When `len` or `sweeps` is 0, or the steps overflow.
    pub fn random_scan(len: usize, sweeps: usize, seed: u64) -> Result<Self, ScheduleError> {
        let steps = check_size(len, sweeps)?;
        let mut rng = generator(seed);
        let sites = (0..steps).map(|_| below(&mut rng, len)).collect();
        let starts = (0..sweeps).map(|k| k * len).collect();
        Ok(Self::build(len, 1, sites, (0..=steps).collect(), starts))
    }

    /// One colour class of a row-major `height × width` lattice at a step. No two neighbours share a class, also on a torus of odd
    /// side.
    ///
    /// # Errors
    /// When a side or `sweeps` is 0, or the steps overflow.
    pub fn chromatic(
        height: usize,
        width: usize,
        neighbourhood: Neighbourhood,
        boundary: Boundary,
        sweeps: usize,
    ) -> Result<Self, ScheduleError> {
        for (key, side) in [("height", height), ("width", width)] {
            if side == 0 {
                return Err(ScheduleError::Zero { key });
            }
        }
        let len = height.checked_mul(width).ok_or(ScheduleError::TooManySteps { len: height, sweeps: width })?;
        check_size(len, sweeps)?;
        let classes = colouring::classes(height, width, neighbourhood, boundary);
        let (sites, starts) = flatten(&classes);
        Ok(Self::build(len, sweeps, sites, starts, vec![0]))
    }

    /// A user-made order, passed through once: step `t` touches `blocks[t]`.
    ///
    /// A sweep of it is the shortest run of steps that touches every site; what follows the last complete one belongs to it.
    ///
    /// # Errors
    /// When there is no site or no block, a block is empty, names a site twice, or names one that is not in `0..len`.
    pub fn from_blocks(len: usize, blocks: Vec<Vec<Site>>) -> Result<Self, ScheduleError> {
        check_size(len, 1)?;
        if blocks.is_empty() {
            return Err(ScheduleError::Zero { key: "blocks" });
        }
        let mut last_step = vec![None; len];
        let mut last_sweep = vec![None; len];
        let mut sweep_starts = vec![0];
        let mut missing = len;
        for (step, block) in blocks.iter().enumerate() {
            if block.is_empty() {
                return Err(ScheduleError::EmptyBlock { step });
            }
            if missing == 0 {
                sweep_starts.push(step);
                missing = len;
            }
            for &site in block {
                if site >= len {
                    return Err(ScheduleError::OutsideSequence { step, site, len });
                }
                if last_step[site].replace(step) == Some(step) {
                    return Err(ScheduleError::RepeatedSite { step, site });
                }
                let sweep = sweep_starts.len();
                if last_sweep[site].replace(sweep) != Some(sweep) {
                    missing -= 1;
                }
            }
        }
        if missing > 0 && sweep_starts.len() > 1 {
            sweep_starts.pop();
        }
        let (sites, starts) = flatten(&blocks);
        Ok(Self::build(len, 1, sites, starts, sweep_starts))
    }

    /// The order a configuration describes, over `len` sites.
    ///
    /// # Errors
    /// [`ScheduleError::LatticeSize`] when a lattice does not have `len` sites, and those of the constructors.
    pub fn from_config(config: &OrderConfig, len: usize, sweeps: usize) -> Result<Self, ScheduleError> {
        match *config {
            OrderConfig::RoundRobin => Self::round_robin(len, sweeps),
            OrderConfig::Permutation { seed } => Self::permutation(len, sweeps, seed),
            OrderConfig::RandomScan { seed } => Self::random_scan(len, sweeps, seed),
            OrderConfig::Chromatic { height, width, neighbourhood, boundary } => {
                if height.checked_mul(width) != Some(len) {
                    return Err(ScheduleError::LatticeSize { height, width, len });
                }
                Self::chromatic(height, width, neighbourhood, boundary, sweeps)
            }
        }
    }

    fn build(len: usize, repeats: usize, sites: Vec<Site>, block_starts: Vec<usize>, sweep_starts: Vec<Step>) -> Self {
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
        let mut order = Self { len, repeats, sites, block_starts, visits, visit_starts, sweep_starts, balanced: false };
        order.balanced = (0..len).all(|site| order.once_a_sweep(site));
        order
    }

    fn once_a_sweep(&self, site: Site) -> bool {
        let visits = self.stored_visits(site);
        visits.len() == self.sweep_starts.len()
            && visits.iter().zip(&self.sweep_starts).all(|(v, start)| v >= start)
            && visits.iter().zip(&self.sweep_starts[1..]).all(|(v, end)| v < end)
    }

    /// Steps at which the stored stretch touches a site, ascending.
    pub(crate) fn stored_visits(&self, site: Site) -> &[Step] {
        &self.visits[self.visit_starts[site]..self.visit_starts[site + 1]]
    }

    /// Steps of the stored stretch.
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

    /// Whether every step touches exactly one site, which is when the reverse heat-bath chain is exact for any data.
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

    /// The first step of a sweep; the horizon for a sweep past the last.
    pub fn sweep_start(&self, sweep: usize) -> Step {
        if sweep >= self.sweeps() {
            return self.horizon();
        }
        let stored = self.sweep_starts.len();
        (sweep / stored) * self.stretch() + self.sweep_starts[sweep % stored]
    }
}

fn check_size(len: usize, sweeps: usize) -> Result<usize, ScheduleError> {
    for (key, value) in [("len", len), ("sweeps", sweeps)] {
        if value == 0 {
            return Err(ScheduleError::Zero { key });
        }
    }
    len.checked_mul(sweeps).ok_or(ScheduleError::TooManySteps { len, sweeps })
}

fn flatten(blocks: &[Vec<Site>]) -> (Vec<Site>, Vec<usize>) {
    let mut starts = vec![0];
    let mut sites = Vec::new();
    for block in blocks {
        sites.extend_from_slice(block);
        starts.push(sites.len());
    }
    (sites, starts)
}

fn generator(seed: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    ChaCha8Rng::from_seed(key)
}

/// An unbiased draw from `0..bound`: the high half of a product, redrawn in the few cases that would favour some values (Lemire).
fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    let bound = bound as u64;
    let threshold = bound.wrapping_neg() % bound;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(bound);
        if product as u64 >= threshold {
            return (product >> 64) as usize;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn orders() -> Vec<SiteOrder> {
        vec![
            SiteOrder::round_robin(6, 3).unwrap(),
            SiteOrder::permutation(6, 3, 1).unwrap(),
            SiteOrder::random_scan(6, 3, 1).unwrap(),
            SiteOrder::chromatic(2, 3, Neighbourhood::Four, Boundary::Torus, 3).unwrap(),
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
        assert_eq!(balanced, [true, true, false, true, false]);
    }

    #[test]
    fn user_made_sweeps_are_the_shortest_complete_runs() {
        let blocks = vec![vec![0], vec![0], vec![1], vec![1, 0], vec![1]];
        let order = SiteOrder::from_blocks(2, blocks).unwrap();
        assert_eq!(order.sweeps(), 2);
        assert_eq!((0..5).map(|t| order.sweep_of(t)).collect::<Vec<_>>(), [0, 0, 0, 1, 1]);
    }

    #[test]
    fn value_stability_of_the_random_orders() {
        let flat = |order: SiteOrder| -> Vec<Site> { (0..order.horizon()).map(|t| order.sites(t)[0]).collect() };
        assert_eq!(flat(SiteOrder::permutation(6, 2, 42).unwrap()), PERMUTATION);
        assert_eq!(flat(SiteOrder::random_scan(6, 2, 42).unwrap()), RANDOM_SCAN);
    }

    const PERMUTATION: [Site; 12] = [0, 5, 3, 4, 1, 2, 5, 4, 3, 1, 2, 0];
    const RANDOM_SCAN: [Site; 12] = [2, 1, 2, 2, 4, 0, 2, 1, 2, 4, 3, 4];

    #[test]
    fn bad_orders_are_refused() {
        assert!(SiteOrder::round_robin(0, 1).is_err());
        assert!(SiteOrder::round_robin(1, 0).is_err());
        assert!(SiteOrder::random_scan(usize::MAX, 2, 0).is_err());
        assert!(SiteOrder::from_blocks(2, vec![]).is_err());
        assert!(SiteOrder::from_blocks(2, vec![vec![]]).is_err());
        assert!(SiteOrder::from_blocks(2, vec![vec![2]]).is_err());
        assert!(SiteOrder::from_blocks(2, vec![vec![1, 1]]).is_err());
        let lattice = OrderConfig::Chromatic {
            height: 2,
            width: 3,
            neighbourhood: Neighbourhood::Four,
            boundary: Boundary::Open,
        };
        assert!(SiteOrder::from_config(&lattice, 7, 1).is_err());
        assert!(toml::from_str::<OrderConfig>("kind = 'round-robin'\nseed = 1").is_err());
    }

    proptest! {
        #[test]
        fn permutations_touch_every_site_once_a_sweep(len in 1usize..20, sweeps in 1usize..4, seed: u64) {
            prop_assert!(SiteOrder::permutation(len, sweeps, seed).unwrap().is_balanced());
        }

        #[test]
        fn bounded_draws_stay_below(bound in 1usize..1000, seed: u64) {
            let mut rng = generator(seed);
            prop_assert!((0..20).all(|_| below(&mut rng, bound) < bound));
        }
    }
}
