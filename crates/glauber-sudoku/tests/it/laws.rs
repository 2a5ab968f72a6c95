//! The laws of the sources, by chi-square. Seeds are fixed, so a test passes or fails for good; a correct program would have failed
//! with probability 10⁻⁴ when the seed was first chosen.

use std::collections::BTreeMap;

use glauber_chain::ChainRng;
use glauber_chain::statistics::ChiSquare;
use glauber_sudoku::{Size, SolutionSource, is_valid, solve};
use glauber_tokens::{Site, Token};
use statrs::distribution::{ChiSquared, ContinuousCDF};

const LEVEL: f64 = 1e-4;

fn assert_uniform(counts: &[u64], what: &str) {
    let law = vec![1.0 / counts.len() as f64; counts.len()];
    let test = ChiSquare::goodness_of_fit(counts, &law).expect("more than one cell");
    assert_eq!(test.degrees, counts.len() - 1, "{what}: too few draws for every cell");
    let p = ChiSquared::new(test.degrees as f64).unwrap().sf(test.statistic);
    assert!(p > LEVEL, "{what}: {test:?}, p = {p:e}");
}

#[test]
fn grids_of_four_are_uniform_over_all_288() {
    let mut rng = ChainRng::new(1, 0);
    let source = SolutionSource::new(Size::Four);
    let every = solve(Size::Four, &[None; 16], usize::MAX).unwrap();
    let mut counts: BTreeMap<Vec<Token>, u64> = every.into_iter().map(|grid| (grid, 0)).collect();
    assert_eq!(counts.len(), 288);
    for _ in 0..288 * 200 {
        *counts.get_mut(&source.sample(&mut rng)).expect("one of the valid grids") += 1;
    }
    assert_uniform(&counts.into_values().collect::<Vec<_>>(), "grids");
}

/// The sites of a box, of the boxes `0..9`.
fn box_sites(square: usize) -> Vec<Site> {
    (0..81).filter(|&site| Size::Nine.houses_of(site)[2] == 18 + square).collect()
}

/// What invariance under the symmetries makes exactly uniform, whatever the law of the classes.
#[test]
fn grids_of_nine_show_their_symmetries() {
    let mut rng = ChainRng::new(2, 0);
    let source = SolutionSource::new(Size::Nine);
    let mut pairs = [0u64; 81];
    let mut across = [0u64; 9];
    let mut beside = [0u64; 9];
    let mut below = [0u64; 9];
    for _ in 0..40_000 {
        let grid = source.sample(&mut rng);
        assert!(is_valid(Size::Nine, &grid));
        pairs[(grid[40] * 9 + grid[71]) as usize] += 1;
        let place = |square| box_sites(square).iter().position(|&site| grid[site] == grid[0]).expect("every digit");
        across[place(4)] += 1;
        beside[place(1)] += 1;
        below[place(3)] += 1;
    }
    // Relabelling: any two sites hold each ordered pair of different digits equally often, and each pair of equal ones. Sites 40 and
    // 71 share no house; as a digit moves freely within the box of site 71, the pair is equal with probability 1/9.
    let equal: u64 = (0..9).map(|digit| pairs[digit * 10]).sum();
    assert_uniform(&(0..9).map(|digit| pairs[digit * 10]).collect::<Vec<_>>(), "equal pairs");
    assert_uniform(&(0..81).filter(|i| i % 10 != 0).map(|i| pairs[i]).collect::<Vec<_>>(), "unequal pairs");
    let share = [equal, pairs.iter().sum::<u64>() - equal];
    let test = ChiSquare::goodness_of_fit(&share, &[1.0 / 9.0, 8.0 / 9.0]).unwrap();
    assert!(ChiSquared::new(1.0).unwrap().sf(test.statistic) > LEVEL, "{share:?}");
    // Rows and columns move freely within box 4, so the digit of site 0 stands anywhere in it.
    assert_uniform(&across, "box across");
    // In a box of its own band it cannot stand in its row again, in one of its own stack not in its column; elsewhere it can.
    assert_eq!(beside[..3], [0, 0, 0]);
    assert_uniform(&beside[3..], "box beside");
    let (own, free): (Vec<usize>, Vec<usize>) = (0..9).partition(|place| place % 3 == 0);
    assert!(own.iter().all(|&place| below[place] == 0));
    assert_uniform(&free.iter().map(|&place| below[place]).collect::<Vec<_>>(), "box below");
}

#[test]
fn a_draw_is_a_function_of_its_generator() {
    for size in Size::ALL {
        let source = SolutionSource::new(size);
        let draw = |stream| source.sample(&mut ChainRng::new(9, stream));
        assert_eq!(draw(0), draw(0));
        assert_ne!(draw(0), draw(1));
    }
}
