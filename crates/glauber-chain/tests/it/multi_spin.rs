//! Multi-spin coding against exact laws: single sites, small tori listed in full, energies of Kaufman, independence of the chains.

use crate::significance::{chi_square_p, normal_p};
use glauber_chain::oracles::{Ising, Lattice, kaufman_energy, yang_magnetisation};
use glauber_chain::statistics::{ChiSquare, series_estimate};
use glauber_chain::{ChainError, ChainRng, MultiSpin, SpinLaw};
use glauber_schedule::Boundary;
use glauber_tokens::{Token, TokenBatch};

fn model(height: usize, width: usize, coupling: f64, field: f64) -> Ising {
    Ising::new(Lattice::new(height, width, Boundary::Torus).unwrap(), coupling, field).unwrap()
}

fn random_tokens(rows: usize, sites: usize, seed: u64) -> TokenBatch {
    let mut rng = ChainRng::new(seed, 0);
    TokenBatch::new((0..rows * sites).map(|_| rng.below(2) as Token).collect(), sites).unwrap()
}

/// After a sweep the odd sites were last drawn given the even sites that still stand: their frequencies, for each number of neighbours
/// up, are binomial. Group remainders are covered by the widths.
#[test]
fn odd_sites_follow_their_conditional() {
    for (coupling, field, width) in [(0.3, 0.0, 6), (0.44, 0.2, 16), (-0.25, -0.1, 22)] {
        let ising = model(8, width, coupling, field);
        let mut chains = MultiSpin::new(&ising, &random_tokens(1280, 8 * width, 1), 5).unwrap();
        let mut seen = [[0u64; 2]; 5];
        for _ in 0..120 {
            chains.run(1);
            for row in chains.tokens().iter() {
                for site in (0..row.len()).filter(|site| (site / width + site % width) % 2 == 1) {
                    let around = ising.lattice().neighbours(site);
                    let up: u32 = around.iter().map(|&j| row[j as usize]).sum();
                    seen[up as usize][row[site] as usize] += 1;
                }
            }
        }
        for (up, [down_count, up_count]) in seen.into_iter().enumerate() {
            let expected = |factor: f64| {
                let local = factor * coupling * (2.0 * up as f64 - 4.0) + field;
                1.0 / (1.0 + (-2.0 * local).exp())
            };
            let n = (down_count + up_count) as f64;
            let deviation = |p: f64| (up_count as f64 - n * p) / (n * p * (1.0 - p)).sqrt();
            assert!(n > 1e4, "{up} up: {n}");
            assert!(normal_p(deviation(expected(1.0))) > 1e-3, "{up} up: {}", deviation(expected(1.0)));
            // The test can fail: a coupling 5% off is seen wherever it matters.
            if up != 2 {
                assert!(normal_p(deviation(expected(1.05))) < 1e-3, "{up} up: {}", deviation(expected(1.05)));
            }
        }
    }
}

/// Every configuration of a 2 × 4 torus, and the energy and magnetisation of a 4 × 4 torus, at level 1e-3.
#[test]
fn small_tori_follow_their_listed_law() {
    for (height, coupling, field) in [(2, 0.3, 0.15), (2, -0.4, 0.0), (4, 0.35, 0.0), (4, 0.25, -0.1)] {
        let ising = model(height, 4, coupling, field);
        let sites = 4 * height;
        // Cells: all configurations where they are few, else pairs of bond energy and spins up.
        let cell = |row: &[Token]| match height {
            2 => row.iter().rev().fold(0, |state, &token| 2 * state + token as usize),
            _ => (ising.bond_energy(row) as i64 + 32) as usize * 17 + row.iter().sum::<Token>() as usize,
        };
        let cells = if height == 2 { 256 } else { 65 * 17 };
        let law = |ising: &Ising| {
            let mut law = vec![0.0; cells];
            for state in 0..1usize << sites {
                let row: Vec<Token> = (0..sites).map(|site| (state >> site & 1) as Token).collect();
                law[cell(&row)] += ising.log_weight(&row).exp();
            }
            let sum: f64 = law.iter().sum();
            law.into_iter().map(|weight| weight / sum).collect::<Vec<f64>>()
        };
        let mut chains = MultiSpin::filled(&ising, 64 * 600, 0, 3).unwrap();
        chains.run_parallel(60);
        let mut counts = vec![0; cells];
        chains.tokens().iter().for_each(|row| counts[cell(row)] += 1);
        let p = |law: &[f64]| chi_square_p(ChiSquare::goodness_of_fit(&counts, law).unwrap());
        assert!(p(&law(&ising)) > 1e-3, "{height} x 4 at {coupling}, {field}: {}", p(&law(&ising)));
        // The test can fail: another coupling is rejected.
        assert!(p(&law(&model(height, 4, 0.9 * coupling, field))) < 1e-9);
    }
}

/// Energies per spin within three standard errors of Kaufman's on both sides of the critical point and at it, and the
/// magnetisation of Yang.
#[test]
fn energies_agree_with_kaufman() {
    for (side, coupling, burn_in) in [(64, 0.3, 200), (64, 0.6, 200), (18, 0.44, 2000), (10, 0.4406868, 1000)] {
        let ising = model(side, side, coupling, 0.0);
        let spins = (side * side) as f64;
        let mut chains = MultiSpin::filled(&ising, 128, 1, 17).unwrap();
        chains.run_parallel(burn_in);
        let mut energies = vec![Vec::new(); 128];
        let mut magnetisations = energies.clone();
        for _ in 0..400 {
            chains.run_parallel(4);
            let energy = chains.bond_energies();
            energies.iter_mut().zip(&energy).for_each(|(series, energy)| series.push(energy / spins));
            let magnetisation = chains.magnetisations();
            magnetisations.iter_mut().zip(&magnetisation).for_each(|(series, m)| series.push(m.abs()));
        }
        let estimate = series_estimate(&energies).estimate;
        let exact = kaufman_energy(side, side, coupling).unwrap();
        assert!(estimate.deviation_from(exact).abs() < 3.0, "{side}, {coupling}: {estimate:?} against {exact}");
        let off = kaufman_energy(side, side, 1.02 * coupling).unwrap();
        assert!(estimate.deviation_from(off).abs() > 3.0, "{side}, {coupling}: {estimate:?} against {off}");
        if coupling > 0.5 {
            let (estimate, yang) = (series_estimate(&magnetisations).estimate, yang_magnetisation(coupling));
            assert!(estimate.deviation_from(yang).abs() < 3.0, "{estimate:?} against {yang}");
        }
    }
}

/// Correlations between the chains of two blocks over many nearly independent moments: `T r²` of each pair is about a chi-square of one
/// degree, so the sum over the pairs has the pairs for a mean and about their double for a variance.
#[test]
fn chains_are_independent_of_each_other() {
    const MOMENTS: usize = 2000;
    let mut chains = MultiSpin::filled(&model(4, 4, 0.2, 0.0), 128, 1, 23).unwrap();
    chains.run(50);
    let mut series = vec![Vec::new(); 128];
    for _ in 0..MOMENTS {
        chains.run(12);
        series.iter_mut().zip(chains.magnetisations()).for_each(|(series, m)| series.push(m));
    }
    for series in &mut series {
        let mean = series.iter().sum::<f64>() / MOMENTS as f64;
        series.iter_mut().for_each(|x| *x -= mean);
        let norm = series.iter().map(|x| x * x).sum::<f64>().sqrt();
        series.iter_mut().for_each(|x| *x /= norm);
    }
    let pairs = (0..128).flat_map(|a| (0..a).map(move |b| (a, b)));
    let correlations: Vec<f64> =
        pairs.map(|(a, b)| series[a].iter().zip(&series[b]).map(|(x, y)| x * y).sum()).collect();
    let count = correlations.len() as f64;
    let mean = correlations.iter().sum::<f64>() * (MOMENTS as f64 / count).sqrt();
    let spread = correlations.iter().map(|r| r * r).sum::<f64>() * MOMENTS as f64;
    assert!(normal_p(mean) > 1e-3, "{mean}");
    assert!(normal_p((spread - count) / (2.0 * count).sqrt()) > 1e-3, "{spread} for {count} pairs");
    // Bonferroni over the pairs.
    let largest = correlations.iter().fold(0.0, |most: f64, r| most.max(r.abs()));
    assert!(normal_p(largest * (MOMENTS as f64).sqrt()) > 1e-3 / count, "{largest}");
}

#[test]
fn blocks_take_the_same_path_in_any_number_and_on_any_thread() {
    let ising = model(6, 10, 0.4, 0.05);
    let tokens = random_tokens(192, 60, 2);
    let start = MultiSpin::new(&ising, &tokens, 9).unwrap();
    assert_eq!(start.tokens(), tokens);
    assert_eq!((start.chains(), start.sites()), (192, 60));
    let mut serial = start.clone();
    let done = serial.run(7);
    assert_eq!((done.updates, done.evaluations), (192 * 60 * 7, 192 * 14));
    assert_ne!(serial, start);
    let mut parallel = start.clone();
    let mut in_two = parallel.run_parallel(3);
    in_two += parallel.run_parallel(4);
    assert_eq!(in_two, done);
    assert_eq!(serial, parallel);
    let first = TokenBatch::new(tokens.as_slice()[..64 * 60].to_vec(), 60).unwrap();
    let mut alone = MultiSpin::new(&ising, &first, 9).unwrap();
    alone.run(7);
    assert_eq!(alone.tokens().as_slice(), &serial.tokens().as_slice()[..64 * 60]);
    let mut other = MultiSpin::new(&ising, &first, 10).unwrap();
    other.run(7);
    assert_ne!(other.tokens(), alone.tokens());
}

#[test]
fn measurements_are_those_of_the_tokens() {
    for (height, width) in [(2, 2), (2, 4), (6, 2), (10, 18)] {
        let ising = model(height, width, 0.3, 0.0);
        let tokens = random_tokens(128, height * width, 4);
        let mut chains = MultiSpin::new(&ising, &tokens, 0).unwrap();
        let changes = chains.run(1).changes;
        let after = chains.tokens();
        let energies: Vec<f64> = after.iter().map(|row| ising.bond_energy(row)).collect();
        let magnetisations: Vec<f64> = after.iter().map(|row| ising.magnetisation(row)).collect();
        assert_eq!(chains.bond_energies(), energies);
        assert_eq!(chains.magnetisations(), magnetisations);
        let differences = after.as_slice().iter().zip(tokens.as_slice()).filter(|(a, b)| a != b).count();
        assert_eq!(changes, differences as u64);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let refused = |height, width, boundary| {
        let ising = Ising::new(Lattice::new(height, width, boundary).unwrap(), 0.3, 0.0).unwrap();
        matches!(MultiSpin::filled(&ising, 64, 0, 0), Err(ChainError::NoCheckerboard { .. }))
    };
    assert!(refused(3, 4, Boundary::Torus) && refused(4, 5, Boundary::Torus) && refused(4, 4, Boundary::Open));
    let ising = model(4, 4, 0.3, 0.0);
    assert!(MultiSpin::filled(&ising, 0, 0, 0).is_err());
    assert!(MultiSpin::filled(&ising, 65, 0, 0).is_err());
    assert!(MultiSpin::filled(&ising, 64, 2, 0).is_err());
    assert!(MultiSpin::new(&ising, &TokenBatch::filled(64, 8, 0), 0).is_err());
}

/// Colour by colour is the sweep, bit for bit; counts are those of the tokens, and copied chains are their ancestors.
#[test]
fn blocks_are_swept_by_colours() {
    let ising = model(6, 4, 0.4, 0.1);
    let mut whole = MultiSpin::filled(&ising, 128, 1, 9).unwrap();
    let mut parts = whole.clone();
    whole.run(3);
    let law = SpinLaw::new(0.4, 0.1);
    for _ in 0..3 {
        for block in &mut parts.blocks() {
            (0..2).for_each(|colour| block.redraw(colour, &law));
        }
    }
    assert_eq!(parts, whole);
    let tokens = parts.tokens();
    let up = |chain: usize, site: usize| -> u32 {
        ising.lattice().neighbours(site).iter().map(|&other| tokens.row(chain)[other as usize]).sum()
    };
    for (at, block) in parts.blocks().iter().enumerate() {
        for colour in 0..2 {
            let (counts, spins) = (block.neighbours_up(colour), block.spins_up(colour));
            for lane in 0..64 {
                let chain = 64 * at + lane;
                let sites: Vec<usize> = (0..24).filter(|site| (site / 4 + site % 4) % 2 == colour).collect();
                for (up_count, counts) in counts.iter().enumerate() {
                    let expected = sites.iter().filter(|&&site| up(chain, site) as usize == up_count).count();
                    assert_eq!(counts[lane], expected as u64);
                }
                let shown: u32 = sites.iter().map(|&site| tokens.row(chain)[site]).sum();
                assert_eq!(spins[lane], u64::from(shown));
            }
        }
    }
    let ancestors: Vec<usize> = (0..128).map(|chain| (37 * chain + 5) % 128 / 2).collect();
    parts.copy_chains(&ancestors);
    for (chain, &ancestor) in ancestors.iter().enumerate() {
        assert_eq!(parts.tokens().row(chain), tokens.row(ancestor));
    }
}
