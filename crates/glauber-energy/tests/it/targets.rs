use glauber_chain::oracles::{Ising, Lattice, Potts, kaufman_energy};
use glauber_chain::statistics::series_estimate;
use glauber_chain::{ChainError, ChainRng, Chains, HeatBath, ReverseKernel};
use glauber_energy::{
    BitSequence, Cosine, Factor, FactorGraph, GaussianMixture, Gibbs, Hypergrid, ManyWell, PlanePoints, Table, Target,
    edwards_anderson, exact, ising_couplings, potts_graph, random_couplings,
};
use glauber_plane::{GrayCode, PlaneSet};
use glauber_schedule::{Boundary, SiteOrder};
use glauber_tokens::{Token, TokenBatch};
use proptest::prelude::*;

fn torus(side: usize) -> Lattice {
    Lattice::new(side, side, Boundary::Torus).unwrap()
}

fn all() -> Vec<Box<dyn Target>> {
    let couplings = random_couplings(9, 3.0, 4);
    vec![
        Box::new(Ising::new(torus(4), 0.4, 0.1).unwrap()),
        Box::new(Potts::new(torus(3), 3, 0.9).unwrap()),
        Box::new(potts_graph(&Potts::new(torus(3), 3, 0.9).unwrap()).unwrap()),
        Box::new(edwards_anderson(&torus(4), 0.7, true, 1).unwrap()),
        Box::new(ising_couplings(&couplings, &[0.2; 9]).unwrap()),
        Box::new(Table::random(3, 4, 2.0, 1).unwrap()),
        Box::new(Hypergrid::new(8, 3, [0.1, 0.5, 2.0]).unwrap()),
        Box::new(Cosine::new(8, 2, [0.1, 0.5]).unwrap()),
        Box::new(BitSequence::random(16, 3, 0.5, 2)),
        Box::new(PlanePoints::new(PlaneSet::Moons, 8)),
        Box::new(GaussianMixture::new(2, 1)),
        Box::new(ManyWell::new(2)),
    ]
}

proptest! {
    /// `Δ_i(a; x) = −Δ_i(x_i; x^{i←a})`, and Δ is the difference of log-densities, at random states of every target.
    #[test]
    fn ratios_are_differences_of_log_densities(seed in 0u64..1000) {
        for target in all() {
            let mut rng = ChainRng::new(seed, 0);
            let tokens: Vec<Token> = (0..target.len()).map(|_| rng.below(target.vocab()) as Token).collect();
            let site = rng.below(target.len());
            let here = target.log_density(&tokens);
            let mut ratios = vec![0.0; target.vocab()];
            target.log_ratios(&tokens, site, &mut ratios);
            prop_assert!(ratios[tokens[site] as usize] == 0.0);
            for (token, &ratio) in ratios.iter().enumerate() {
                let mut moved = tokens.clone();
                moved[site] = token as Token;
                let expected = target.log_density(&moved) - here;
                prop_assert!((ratio - expected).abs() < 1e-10 * (1.0 + here.abs()), "{ratio} for {expected}");
                let mut back = vec![0.0; target.vocab()];
                target.log_ratios(&moved, site, &mut back);
                prop_assert!((back[tokens[site] as usize] + ratio).abs() < 1e-9 * (1.0 + here.abs()));
            }
        }
    }
}

/// Blocks cover every site once, and the ratios of a site do not depend on another site of its block.
#[test]
fn sites_of_a_block_are_independent() {
    for target in all() {
        let blocks = target.blocks();
        let mut sites: Vec<usize> = blocks.concat();
        sites.sort_unstable();
        assert_eq!(sites, (0..target.len()).collect::<Vec<_>>());
        let tokens = vec![0; target.len()];
        let (mut before, mut after) = (vec![0.0; target.vocab()], vec![0.0; target.vocab()]);
        for block in blocks.iter().filter(|block| block.len() > 1) {
            target.log_ratios(&tokens, block[0], &mut before);
            let mut moved = tokens.clone();
            moved[block[1]] = 1;
            target.log_ratios(&moved, block[0], &mut after);
            assert_eq!(before, after);
        }
    }
}

/// Glauber dynamics through [`Gibbs`] of a random table reaches its law.
#[test]
fn heat_bath_through_a_target_samples_it() {
    let table = Table::random(3, 4, 1.5, 7).unwrap();
    let exact = exact::enumerate(&table).unwrap();
    let mut chains = Chains::seeded(TokenBatch::filled(40_000, 4, 0), 1);
    let order = SiteOrder::round_robin(4, 30).unwrap();
    HeatBath::default().run_parallel(&Gibbs(&table), &mut chains, &order, 0..order.horizon()).unwrap();
    let mut counts = vec![0u64; exact.probabilities().len()];
    chains.tokens().iter().for_each(|row| counts[exact.state(row)] += 1);
    let found = glauber_chain::statistics::ChiSquare::goodness_of_fit(&counts, exact.probabilities()).unwrap();
    let degrees = found.degrees as f64;
    assert!(found.statistic < degrees + 4.0 * (2.0 * degrees).sqrt(), "{found:?}");
}

/// The row "Energy" of energies.md: heat bath of the 16 × 16 torus through [`Gibbs`], energy a site within 4 standard
/// errors of Kaufman's and m² of the cluster updates' at three temperatures.
#[test]
fn heat_bath_of_the_torus_has_the_exact_energy() {
    for (coupling, squared, slack) in [(0.28, 0.0223, 0.0009), (0.4407, 0.549, 0.015), (0.6, 0.9479, 0.0024)] {
        let ising = Ising::new(torus(16), coupling, 0.0).unwrap();
        let mut chains = Chains::seeded(TokenBatch::filled(16, 256, 1), 3);
        let order = ising.lattice().order(4).unwrap();
        let (mut energies, mut squares) = (vec![Vec::new(); 16], vec![Vec::new(); 16]);
        for turn in 0..500 {
            HeatBath::default().run_parallel(&Gibbs(&ising), &mut chains, &order, 0..order.horizon()).unwrap();
            for (row, tokens) in chains.tokens().iter().enumerate().filter(|_| turn >= 100) {
                energies[row].push(ising.bond_energy(tokens) / 256.0);
                squares[row].push(ising.magnetisation(tokens).powi(2));
            }
        }
        let energy = series_estimate(&energies).estimate;
        assert!(energy.deviation_from(kaufman_energy(16, 16, coupling).unwrap()).abs() < 4.0, "{coupling}: {energy:?}");
        let found = series_estimate(&squares).estimate;
        assert!((found.mean - squared).abs() < 4.0 * found.standard_error + slack, "{coupling}: {found:?}");
    }
}

struct Broken(f64);

impl Target for Broken {
    fn vocab(&self) -> usize {
        2
    }

    fn len(&self) -> usize {
        3
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        if tokens[2] == 1 { self.0 } else { 0.0 }
    }
}

#[test]
fn a_nan_names_row_site_and_step() {
    let mut chains = Chains::seeded(TokenBatch::filled(2, 3, 0), 1);
    let order = SiteOrder::round_robin(3, 1).unwrap();
    let run = |target: f64, chains: &mut Chains| {
        HeatBath::default().run_parallel(&Gibbs(Broken(target)), chains, &order, 0..3).unwrap_err()
    };
    assert!(matches!(run(f64::NAN, &mut chains), ChainError::NotANumber { site: 2, .. }));
    assert!(matches!(run(f64::INFINITY, &mut chains), ChainError::NoMass { site: 2, .. }));
}

/// Two colours at β are the Ising model at β/2; `J = σA` is the Ising model at `β = 2σ`.
#[test]
fn lattice_models_agree_with_factor_graphs() {
    let ising = Ising::new(torus(4), 0.3, 0.0).unwrap();
    let potts = Potts::new(torus(4), 2, 0.6).unwrap();
    let graph = potts_graph(&potts).unwrap();
    let sites = 16;
    let mut couplings = vec![0.0; sites * sites];
    for (a, b) in torus(4).bonds() {
        couplings[a * sites + b] += 0.15;
        couplings[b * sites + a] += 0.15;
    }
    let general = ising_couplings(&couplings, &vec![0.0; sites]).unwrap();
    let mut rng = ChainRng::new(1, 0);
    let rows: Vec<Vec<Token>> = (0..20).map(|_| (0..sites).map(|_| rng.below(2) as Token).collect()).collect();
    for row in &rows {
        assert!((potts.log_density(row) - graph.log_density(row)).abs() < 1e-12);
        assert!((ising.log_density(row) - general.log_density(row)).abs() < 1e-12);
        let shift = potts.log_density(row) - ising.log_density(row);
        assert!((shift - 0.3 * 32.0).abs() < 1e-12);
    }
}

#[test]
fn points_are_where_the_published_code_has_them() {
    // At 16 bits a coordinate the cell of a point is that of the code of the plane's crate.
    let points = PlanePoints::new(PlaneSet::Moons, 16);
    let code = GrayCode::of(PlaneSet::Moons);
    let mut rng = ChainRng::new(3, 0);
    for _ in 0..200 {
        let point = [4.0 * rng.uniform() - 2.0, 4.0 * rng.uniform() - 2.0];
        let word = code.word(point);
        let tokens: Vec<Token> = (0..32).rev().map(|bit| word >> bit & 1).collect();
        let found = points.point(&tokens);
        assert!((0..2).all(|d| (found[d] - point[d]).abs() < 1e-3), "{found:?} for {point:?}");
        assert_eq!(points.tokens(point), tokens);
        // Coarse cells hold the points that are told to lie in them.
        let coarse = PlanePoints::new(PlaneSet::Moons, 8);
        let (cell, tokens) = (1.0 / 5779.76 * 256.0, coarse.tokens(point));
        let middle = coarse.point(&tokens);
        assert!((0..2).all(|d| (middle[d] - point[d]).abs() < cell / 2.0 + 1e-9), "{middle:?} for {point:?}");
    }
}

#[test]
fn bad_graphs_are_refused_by_what_is_wrong() {
    let refused = |factors: Vec<Factor>| FactorGraph::new(2, 3, factors).unwrap_err().to_string();
    assert!(refused(vec![Factor::new(vec![0, 3], vec![0.0; 4])]).contains("distinct ones below 3"));
    assert!(refused(vec![Factor::new(vec![1, 1], vec![0.0; 4])]).contains("distinct ones below 3"));
    assert!(refused(vec![Factor::new(vec![1], vec![0.0; 3])]).contains("3 entries, expected 2^1"));
    assert!(refused(vec![Factor::new(vec![1], vec![0.0, f64::NAN])]).contains("NaN"));
    assert!(FactorGraph::new(0, 1, vec![]).is_err() && FactorGraph::new(2, 0, vec![]).is_err());
    let json = |text: &str| FactorGraph::from_json(text).unwrap_err().to_string();
    let site = r#""sites": [{"name": "a", "tokens": ["x", "y"]}]"#;
    assert!(json("{").starts_with("factor graph: "));
    for (factor, reason) in [
        (r#"{"sites": ["b"], "weights": [1, 1]}"#, "names \"b\", expected one of a"),
        (r#"{"sites": ["a"], "weights": [1]}"#, "[1] in its table"),
        (r#"{"sites": ["a"], "weights": [1, -2]}"#, "-2 in its table"),
        (r#"{"sites": ["a"]}"#, "either weights or logs"),
        (r#"{"sites": ["a"], "weight": [1, 1]}"#, "unknown field `weight`"),
    ] {
        let found = json(&format!("{{{site}, \"factors\": [{factor}]}}"));
        assert!(found.contains(reason), "{found}");
    }
    let twice = r#"{"sites": [{"name": "a", "tokens": ["x"]}, {"name": "a", "tokens": ["x"]}], "factors": []}"#;
    assert!(json(twice).contains("given twice"));
}

/// A site with fewer tokens than the vocabulary never shows the ones that it lacks.
#[test]
fn sites_of_a_file_may_have_different_tokens() {
    let graph = FactorGraph::from_json(
        r#"{"sites": [{"name": "a", "tokens": ["x", "y", "z"]}, {"name": "b", "tokens": ["u", "v"]}],
            "factors": [{"sites": ["a", "b"], "logs": [[0, 1], [0.5, null], [-1, 0]]}]}"#,
    )
    .unwrap();
    assert_eq!((graph.tokens_of(0), graph.tokens_of(1), graph.token_name(0, 2)), (3, 2, "z".to_owned()));
    let exact = exact::enumerate(&graph).unwrap();
    let z = 1.0 + 1f64.exp() + 0.5f64.exp() + (-1f64).exp() + 1.0;
    assert!((exact.log_partition() - z.ln()).abs() < 1e-12);
    assert_eq!(exact.marginals()[1][2], 0.0);
}
