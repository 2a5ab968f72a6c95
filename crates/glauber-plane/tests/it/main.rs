//! The integration tests of glauber-plane, one program for all.

use glauber_chain::ChainRng;
use glauber_chain::statistics::Estimate;
use glauber_plane::{BITS, GrayCode, PlaneSet};
use proptest::prelude::*;

/// Draws and densities are of one law: densities have mass one, and in cells of the plane there are as many draws as they say.
#[test]
fn draws_follow_their_densities() {
    const CELLS: usize = 16;
    const FINE: usize = 160;
    const DRAWS: usize = 100_000;
    for &set in PlaneSet::ALL {
        let cell = |x: f64| ((x + 8.0) as usize).min(CELLS - 1);
        let at = |k: usize| (k as f64 + 0.5) / 10.0 - 8.0;
        let mut expected = vec![0.0; CELLS * CELLS];
        for (x, y) in (0..FINE).flat_map(|i| (0..FINE).map(move |j| (at(i), at(j)))) {
            expected[cell(x) * CELLS + cell(y)] += set.log_density([x, y]).exp() / 100.0;
        }
        let mass: f64 = expected.iter().sum();
        assert!((mass - 1.0).abs() < 5e-3, "{set}: {mass}");
        let (mut found, mut rng) = (vec![0.0; CELLS * CELLS], ChainRng::new(3, 0));
        for _ in 0..DRAWS {
            let [x, y] = set.draw(&mut rng);
            found[cell(x) * CELLS + cell(y)] += 1.0 / DRAWS as f64;
        }
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let error = (expected / DRAWS as f64).sqrt();
            assert!((found - expected).abs() < 6.0 * error + 5e-4, "{set}, cell {at}: {found} {expected}");
        }
    }
}

/// What a perfect model scores, against figures from nearest neighbours that were computed without densities (±0.025), and exactly where
/// the set is uniform.
#[test]
fn floors_are_those_of_nearest_neighbours() {
    let figures = [20.016, 19.958, 20.547, 19.716, 19.527, 20.121, 20.698];
    for (&set, figure) in PlaneSet::ALL.iter().zip(figures) {
        let (mut rng, cell) = (ChainRng::new(5, 0), GrayCode::of(set).log_cell());
        let surprise = |_| -set.log_density(set.draw(&mut rng)) - cell;
        let surprises: Vec<f64> = (0..4000).map(surprise).collect();
        let floor = Estimate::independent(&surprises);
        assert!((floor.mean - figure).abs() < 0.025 + 3.0 * floor.standard_error, "{set}: {floor:?}, {figure}");
        if set == PlaneSet::Checkerboard {
            assert!((floor.mean - (32f64.ln() - cell)).abs() < 1e-9, "{floor:?}");
        }
    }
}

#[test]
fn names_are_read_back() {
    for &set in PlaneSet::ALL {
        assert_eq!(set.name().parse(), Ok(set));
    }
    let error = "3spirals".parse::<PlaneSet>().unwrap_err();
    assert!(error.contains("`3spirals`") && error.contains("2spirals, 8gaussians"), "{error}");
}

proptest! {
    #[test]
    fn codes_are_read_back_and_neighbours_differ_in_one_bit(x in -4.0f64..4.0, y in -4.0f64..4.0) {
        for &set in PlaneSet::ALL {
            let code = GrayCode::of(set);
            let step = (code.log_cell() / 2.0).exp();
            let tokens = code.encode([x, y]);
            prop_assert_eq!(tokens.len(), BITS);
            prop_assert_eq!(code.word_of(&tokens), code.word([x, y]));
            let back = code.decode(&tokens);
            for bits in [2, 4, 8, 16] {
                let packed = code.with_bits(bits).unwrap();
                let tokens = packed.encode([x, y]);
                prop_assert_eq!((tokens.len(), packed.vocab()), (BITS / bits, 1 << bits));
                prop_assert_eq!((packed.word_of(&tokens), packed.decode(&tokens)), (code.word([x, y]), back));
            }
            prop_assert!((back[0] - x).abs() <= step && (back[1] - y).abs() <= step);
            // The next cell, in the middle of both; signs meet at 0.
            let next = code.word([back[0] + step * back[0].signum(), back[1]]);
            prop_assert_eq!((next ^ code.word(back)).count_ones(), 1);
        }
    }
}
