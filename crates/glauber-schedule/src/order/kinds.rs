//! The kinds of site order, and how their number of sweeps changes.

use glauber_tokens::Site;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Origin, SiteOrder};
use crate::{Boundary, Neighbourhood, ScheduleError, colouring};

impl SiteOrder {
    /// Sites `0, 1, … L−1` in every sweep.
    ///
    /// # Errors
    /// When `len` or `sweeps` is 0, or the steps overflow.
    pub fn round_robin(len: usize, sweeps: usize) -> Result<Self, ScheduleError> {
        check_size(len, sweeps)?;
        Ok(Self::build(Origin::Periodic, len, sweeps, (0..len).collect(), (0..=len).collect(), vec![0]))
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
        Ok(Self::build(Origin::Permutation { seed }, len, 1, sites, (0..=steps).collect(), starts))
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
        Ok(Self::build(Origin::RandomScan { seed }, len, 1, sites, (0..=steps).collect(), starts))
    }

    /// One colour class of a row-major `height × width` lattice per step. No two neighbours share a class, also on a
    /// torus of odd side.
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
        check_size(check_lattice(height, width)?, sweeps)?;
        Ok(Self::periodic(&colouring::classes(height, width, neighbourhood, boundary), sweeps))
    }

    /// Per step, sites of a row-major `height × width` lattice that are at least `spacing` rows or columns apart. Site
    /// (y, x) is touched by step `(y mod spacing) · min(spacing, width) + x mod spacing` of every sweep. A sweep has
    /// `spacing²` steps if both sides are at least `spacing`. A spacing of 2 is the chromatic order of eight
    /// neighbours; a spacing of the longer side touches sites one by one.
    ///
    /// Redrawing such a block from one evaluation is exact if its sites are conditionally independent, as in a random
    /// field of shorter range. For a network it is an approximation that improves with the spacing.
    ///
    /// # Errors
    /// When a side, `spacing` or `sweeps` is 0, or the steps overflow.
    pub fn spaced(height: usize, width: usize, spacing: usize, sweeps: usize) -> Result<Self, ScheduleError> {
        let len = check_lattice(height, width)?;
        not_zero([("spacing", spacing)])?;
        check_size(len, sweeps)?;
        Ok(Self::periodic(&colouring::spaced_classes(height, width, spacing), sweeps))
    }

    /// Distant sites per step: with `n = ⌈len / block⌉` steps per sweep, step `k` of each sweep touches `k, k + n, k +
    /// 2n, …`, at most `block` sites.
    ///
    /// Redrawing the block from one evaluation is exact if its sites are conditionally independent. Otherwise it is an
    /// approximation: good if dependences are shorter than `n`, and worse for smaller `n`.
    ///
    /// # Errors
    /// When `len` or `sweeps` is 0, `block` is not in `1..=len`, or the steps overflow.
    pub fn strided(len: usize, block: usize, sweeps: usize) -> Result<Self, ScheduleError> {
        check_size(len, sweeps)?;
        check_block(block, len)?;
        let stride = len.div_ceil(block);
        let blocks: Vec<Vec<Site>> = (0..stride).map(|first| (first..len).step_by(stride).collect()).collect();
        Ok(Self::periodic(&blocks, sweeps))
    }

    /// Blocks of consecutive sites in sequence, the last block first. Each step touches all sites of a block, and each
    /// block has `passes` steps. A block is all noise before the next one is touched. The reverse chain therefore
    /// writes the blocks from first to last. This is [BD3-LM](https://arxiv.org/abs/2503.09573), between
    /// autoregression (blocks of one site) and passes over all sites (one block).
    ///
    /// ```
    /// use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
    ///
    /// let order = SiteOrder::block_by_block(4, 2, 2)?;
    /// assert_eq!([order.sites(0), order.sites(1), order.sites(2), order.sites(3)], [[2, 3], [2, 3], [0, 1], [0, 1]]);
    /// let schedule = Schedule::new(SignalShape::Linear, order, NoiseLaw::absorbing(3, 2)?, 1e-3, false)?;
    /// assert_eq!([0, 1, 2].map(|t| schedule.signal_level(3, t)), [1.0, 0.5005, 1e-3]);
    /// # Ok::<(), glauber_schedule::ScheduleError>(())
    /// ```
    ///
    /// # Errors
    /// When `len` or `passes` is 0, `block` is not in `1..=len`, or the steps overflow.
    pub fn block_by_block(len: usize, block: usize, passes: usize) -> Result<Self, ScheduleError> {
        check_size(len, passes)?;
        check_block(block, len)?;
        let blocks = (0..len).step_by(block).rev().map(|first| (first..len.min(first + block)).collect::<Vec<Site>>());
        let blocks: Vec<Vec<Site>> = blocks.flat_map(|sites| vec![sites; passes]).collect();
        let starts = (0..passes).map(|pass| pass * (blocks.len() / passes)).collect();
        let (sites, block_starts) = flatten(&blocks);
        Ok(Self::build(Origin::BlockByBlock { block }, len, 1, sites, block_starts, starts))
    }

    /// A user-made order: step `t` touches `blocks[t]`.
    ///
    /// A sweep is the shortest run of steps that touches every site. Steps after the last complete sweep belong to that
    /// sweep.
    ///
    /// # Errors
    /// When there is no site or no block, a block is empty, names a site twice, or names one that is not in `0..len`.
    pub fn from_blocks(len: usize, blocks: Vec<Vec<Site>>) -> Result<Self, ScheduleError> {
        check_size(len, 1)?;
        not_zero([("blocks", blocks.len())])?;
        let mut last_step = vec![None; len];
        let mut last_sweep = vec![None; len];
        let mut sweep_starts = vec![0];
        let mut missing = len;
        for (step, block) in blocks.iter().enumerate() {
            let refused = |what: String| Err(ScheduleError::Order(format!("step {step} touches {what}")));
            if block.is_empty() {
                return refused("no site; leave the empty block out".into());
            }
            if missing == 0 {
                sweep_starts.push(step);
                missing = len;
            }
            for &site in block {
                if site >= len {
                    return refused(format!("site {site}, but the sequence has the sites 0..{len}"));
                }
                if last_step[site].replace(step) == Some(step) {
                    return refused(format!("site {site} twice; a block names each of its sites once"));
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
        Ok(Self::build(Origin::Listed, len, 1, sites, starts, sweep_starts))
    }

    /// The same blocks in every sweep, each site once.
    fn periodic(blocks: &[Vec<Site>], sweeps: usize) -> Self {
        let (sites, starts) = flatten(blocks);
        Self::build(Origin::Periodic, sites.len(), sweeps, sites, starts, vec![0])
    }

    /// The same kind of order with another number of sweeps. Sweep `k` of a permutation or a random scan is the same in
    /// both orders.
    ///
    /// # Errors
    /// If `sweeps` is 0, the steps overflow, or the order is user-made ([`from_blocks`](Self::from_blocks)), which
    /// cannot be extended.
    pub fn with_sweeps(&self, sweeps: usize) -> Result<Self, ScheduleError> {
        check_size(self.len, sweeps)?;
        match self.origin {
            Origin::Periodic => Ok(Self { repeats: sweeps, ..self.clone() }),
            Origin::Permutation { seed } => Self::permutation(self.len, sweeps, seed),
            Origin::RandomScan { seed } => Self::random_scan(self.len, sweeps, seed),
            Origin::BlockByBlock { block } => Self::block_by_block(self.len, block, sweeps),
            Origin::Listed => Err(ScheduleError::Order(format!(
                "a user-made order of {} sweeps cannot be extended to {sweeps}, because its further blocks are unknown; list the blocks of all sweeps with `from_blocks`, or use another order",
                self.sweeps()
            ))),
        }
    }
}

fn check_size(len: usize, sweeps: usize) -> Result<usize, ScheduleError> {
    not_zero([("len", len), ("sweeps", sweeps)])?;
    let many = || format!("{len} sites times {sweeps} sweeps overflow the step counter; lower `sweeps`");
    len.checked_mul(sweeps).ok_or_else(|| ScheduleError::Order(many()))
}

fn check_block(block: usize, len: usize) -> Result<(), ScheduleError> {
    match (1..=len).contains(&block) {
        true => Ok(()),
        false => Err(ScheduleError::Order(format!(
            "`block` is {block}, expected a number of sites between 1 and the {len} of the sequence"
        ))),
    }
}

/// The sites of a lattice.
fn check_lattice(height: usize, width: usize) -> Result<usize, ScheduleError> {
    not_zero([("height", height), ("width", width)])?;
    let many = || format!("{height} rows times {width} columns overflow the counter of sites; lower `height`");
    height.checked_mul(width).ok_or_else(|| ScheduleError::Order(many()))
}

fn not_zero<const N: usize>(numbers: [(&'static str, usize); N]) -> Result<(), ScheduleError> {
    let check = |(key, number)| ScheduleError::unless_in_range(number > 0, key, 0.0, "at least 1");
    numbers.into_iter().try_for_each(check)
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

/// An unbiased draw from `0..bound` by Lemire's method: the high half of a product, redrawn in the few biased cases.
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
    use super::super::tests::orders;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn strided_blocks_are_far_apart() {
        let blocks = |len, block| -> Vec<Vec<Site>> {
            let order = SiteOrder::strided(len, block, 1).unwrap();
            (0..order.horizon()).map(|t| order.sites(t).to_vec()).collect()
        };
        assert_eq!(blocks(10, 4), [vec![0, 3, 6, 9], vec![1, 4, 7], vec![2, 5, 8]]);
        assert_eq!(blocks(4, 1), [[0], [1], [2], [3]]);
        assert_eq!(blocks(3, 3), [[0, 1, 2]]);
        assert!(SiteOrder::strided(4, 1, 2).unwrap().is_single_site());
    }

    #[test]
    fn blocks_come_one_after_the_other_the_last_first() {
        let order = SiteOrder::block_by_block(5, 2, 3).unwrap();
        let steps: Vec<&[Site]> = (0..order.horizon()).map(|t| order.sites(t)).collect();
        assert_eq!(steps, [&[4][..], &[4], &[4], &[2, 3], &[2, 3], &[2, 3], &[0, 1], &[0, 1], &[0, 1]]);
        assert_eq!((0..9).map(|t| order.touch_of(t)).collect::<Vec<_>>(), [0, 1, 2, 0, 1, 2, 0, 1, 2]);
        assert_eq!((order.block(), order.sweeps()), (Some(2), 3));
        assert_eq!(order.with_sweeps(1).unwrap(), SiteOrder::block_by_block(5, 2, 1).unwrap());
        // One block is passes of all sites, blocks of one site are one sweep from the last to the first.
        let all = SiteOrder::block_by_block(5, 5, 2).unwrap();
        assert!((0..2).all(|t| all.sites(t) == SiteOrder::strided(5, 5, 2).unwrap().sites(t)));
        assert!(SiteOrder::block_by_block(5, 1, 1).unwrap().is_balanced());
    }

    #[test]
    fn other_numbers_of_sweeps_keep_the_kind_of_order() {
        for order in orders().into_iter().take(6) {
            for sweeps in [1, 2, 3, 7] {
                let other = order.with_sweeps(sweeps).unwrap();
                assert_eq!((other.sweeps(), other.len()), (sweeps, order.len()));
                let shared = order.horizon().min(other.horizon());
                assert!((0..shared).all(|t| order.sites(t) == other.sites(t)));
                assert_eq!(other.with_sweeps(3).unwrap(), order);
            }
            assert!(order.with_sweeps(0).is_err() && order.with_sweeps(usize::MAX).is_err());
        }
        let listed = orders().pop().unwrap().with_sweeps(2).unwrap_err();
        assert!(listed.to_string().contains("from_blocks"), "{listed}");
    }

    #[test]
    fn value_stability_of_the_random_orders() {
        let flat = |order: SiteOrder| -> Vec<Site> { (0..order.horizon()).map(|t| order.sites(t)[0]).collect() };
        assert_eq!(flat(SiteOrder::permutation(6, 2, 42).unwrap()), PERMUTATION);
        assert_eq!(flat(SiteOrder::random_scan(6, 2, 42).unwrap()), RANDOM_SCAN);
    }

    #[test]
    fn bad_orders_are_refused() {
        assert!(SiteOrder::round_robin(0, 1).is_err());
        assert!(SiteOrder::round_robin(1, 0).is_err());
        assert!(SiteOrder::random_scan(usize::MAX, 2, 0).is_err());
        assert!(SiteOrder::from_blocks(2, vec![]).is_err());
        assert!(SiteOrder::from_blocks(2, vec![vec![]]).is_err());
        assert!(SiteOrder::from_blocks(2, vec![vec![2]]).is_err());
        assert!(SiteOrder::from_blocks(2, vec![vec![1, 1]]).is_err());
        assert!(SiteOrder::strided(6, 0, 1).is_err() && SiteOrder::strided(6, 7, 1).is_err());
        assert!(SiteOrder::block_by_block(6, 0, 1).is_err() && SiteOrder::block_by_block(6, 7, 1).is_err());
    }

    const PERMUTATION: [Site; 12] = [0, 5, 3, 4, 1, 2, 5, 4, 3, 1, 2, 0];
    const RANDOM_SCAN: [Site; 12] = [2, 1, 2, 2, 4, 0, 2, 1, 2, 4, 3, 4];

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
