use glauber_chain::ChainRng;
use glauber_chain::oracles::{
    EnumeratedTable, Ising, Lattice, Potts, kaufman_energy, kaufman_log_partition, log_partition_strip,
};
use glauber_energy::exact::{eliminate, empirical_floor, enumerate};
use glauber_energy::{
    Cosine, FactorGraph, Gibbs, Hypergrid, ManyWell, PlanePoints, Table, edwards_anderson, exact, ising_graph,
    potts_graph,
};
use glauber_plane::PlaneSet;
use glauber_schedule::Boundary;
use statrs::function::gamma::ln_gamma;

/// (E4): log Z and energy a spin, by side and coupling.
#[test]
fn the_table_of_kaufmans_values_comes_out() {
    let couplings = [0.28, 0.4407, 0.6, 1.2];
    for (side, row) in [
        (4, [(12.530667, -0.750199), (15.522246, -1.565677), (20.056533, -1.908070), (39.094249, -1.999444)]),
        (8, [(49.740105, -0.646811), (60.143042, -1.491667), (78.141649, -1.909067), (154.297555, -1.999444)]),
        (16, [(198.935419, -0.642940), (238.647169, -1.453167), (310.487039, -1.909086), (615.110777, -1.999444)]),
        (24, [(447.604643, -0.642933), (536.155559, -1.440249), (697.729403, -1.909086), (1383.132813, -1.999444)]),
    ] {
        for (coupling, (log_z, energy)) in couplings.into_iter().zip(row) {
            assert!((kaufman_log_partition(side, side, coupling).unwrap() - log_z).abs() < 6e-7, "{side}, {coupling}");
            assert!((kaufman_energy(side, side, coupling).unwrap() - energy).abs() < 6e-7, "{side}, {coupling}");
        }
    }
}

/// The 4 × 4 torus with a field of .1 inside the β.
#[test]
fn small_tori_with_a_field_come_out() {
    for (coupling, log_z, magnetisation) in
        [(0.28, 12.561515, 0.48422), (0.4407, 15.701431, 0.85773), (0.6, 20.443698, 0.97636)]
    {
        let lattice = Lattice::new(4, 4, Boundary::Torus).unwrap();
        let ising = Ising::new(lattice, coupling, 0.1 * coupling).unwrap();
        let exact = enumerate(&ising).unwrap();
        assert!((exact.log_partition() - log_z).abs() < 6e-7);
        assert!((exact.mean(|x| ising.magnetisation(x).abs()) - magnetisation).abs() < 6e-6);
    }
}

#[test]
fn elimination_equals_transfer_matrices_and_enumeration() {
    for (height, width, boundary) in [(3, 4, Boundary::Torus), (4, 4, Boundary::Open), (2, 5, Boundary::Torus)] {
        let lattice = Lattice::new(height, width, boundary).unwrap();
        let glass = edwards_anderson(&lattice, 0.8, true, 3).unwrap();
        let found = eliminate(&glass).unwrap();
        assert!((found - enumerate(&glass).unwrap().log_partition()).abs() < 1e-10);
        // Two colours at 2β are the Ising model at β, up to β for each bond.
        let potts = Potts::new(lattice.clone(), 2, 0.9).unwrap();
        let ising = Ising::new(lattice.clone(), 0.45, 0.0).unwrap();
        let bonds = lattice.bonds().count() as f64;
        let found = eliminate(&potts_graph(&potts).unwrap()).unwrap();
        assert!((found - 0.45 * bonds - log_partition_strip(&ising).unwrap()).abs() < 1e-10);
    }
    // Three colours by enumeration.
    let lattice = Lattice::new(4, 2, Boundary::Torus).unwrap();
    let graph = potts_graph(&Potts::new(lattice, 3, 1.1).unwrap()).unwrap();
    assert!((eliminate(&graph).unwrap() - enumerate(&graph).unwrap().log_partition()).abs() < 1e-10);
    // A torus against Kaufman, wide and high: the same tables. Open strips against the transfer matrix.
    for (height, width) in [(4, 30), (30, 4)] {
        let lattice = Lattice::new(height, width, Boundary::Torus).unwrap();
        let graph = ising_graph(&Ising::new(lattice, 0.5, 0.0).unwrap()).unwrap();
        assert!((eliminate(&graph).unwrap() - kaufman_log_partition(height, width, 0.5).unwrap()).abs() < 1e-9);
        assert!(exact::elimination_entries(&graph).unwrap() <= 120.0 * 512.0);
    }
    let strip = |height, width| Ising::new(Lattice::new(height, width, Boundary::Open).unwrap(), 0.5, 0.1).unwrap();
    let expected = log_partition_strip(&strip(10, 40)).unwrap();
    for ising in [strip(10, 40), strip(40, 10)] {
        assert!((eliminate(&ising_graph(&ising).unwrap()).unwrap() - expected).abs() < 1e-9);
    }
    let long = |boundary| edwards_anderson(&Lattice::new(10, 400, boundary).unwrap(), 1.0, false, 1).unwrap();
    assert!(exact::elimination_entries(&long(Boundary::Torus)).unwrap() <= 4000.0 * 21f64.exp2());
    assert!(exact::elimination_entries(&long(Boundary::Open)).unwrap() <= 4000.0 * 11f64.exp2());
    // Two colours on a torus of 4 × 10.
    let lattice = Lattice::new(4, 10, Boundary::Torus).unwrap();
    let graph = potts_graph(&Potts::new(lattice, 2, 1.0).unwrap()).unwrap();
    assert!((eliminate(&graph).unwrap() - 0.5 * 80.0 - kaufman_log_partition(4, 10, 0.5).unwrap()).abs() < 1e-9);
}

/// A random field on a long chain: elimination against the forward recursion, marginals against both directions.
#[test]
fn chains_are_summed_exactly_at_any_length() {
    let (vocab, len) = (3, 200);
    let mut rng = ChainRng::new(5, 0);
    let mut logs = |n: usize| -> Vec<f64> { (0..n).map(|_| 3.0 * rng.uniform()).collect() };
    let unary: Vec<Vec<f64>> = (0..len).map(|_| logs(vocab)).collect();
    let pairs: Vec<Vec<f64>> = (1..len).map(|_| logs(vocab * vocab)).collect();
    let graph = FactorGraph::chain(&unary, &pairs).unwrap();
    assert!(FactorGraph::chain(&unary, &pairs[1..]).is_err() && FactorGraph::chain(&[], &[]).is_err());
    let sum = |logs: Vec<f64>| -> f64 {
        let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        top + logs.iter().map(|log| (log - top).exp()).sum::<f64>().ln()
    };
    let mut forward = vec![unary[0].clone()];
    for i in 1..len {
        let (last, pair) = (&forward[i - 1], &pairs[i - 1]);
        let of = |b: usize| unary[i][b] + sum((0..vocab).map(|a| last[a] + pair[a * vocab + b]).collect());
        forward.push((0..vocab).map(of).collect());
    }
    let log_z = sum(forward[len - 1].clone());
    assert!((eliminate(&graph).unwrap() - log_z).abs() < 1e-9);
    let mut backward = vec![0.0; vocab];
    let marginals = exact::marginals(&graph).unwrap();
    for site in (0..len).rev() {
        for (token, found) in marginals[site].iter().enumerate() {
            assert!((found - (forward[site][token] + backward[token] - log_z).exp()).abs() < 1e-9, "site {site}");
        }
        if site > 0 {
            let (next, pair, field) = (backward, &pairs[site - 1], &unary[site]);
            let of = |a: usize| sum((0..vocab).map(|b| pair[a * vocab + b] + field[b] + next[b]).collect());
            backward = (0..vocab).map(of).collect();
        }
    }
    assert!(marginals.iter().all(|law| (law.iter().sum::<f64>() - 1.0).abs() < 1e-9));
}

#[test]
fn a_table_beyond_the_limit_is_refused() {
    let lattice = Lattice::new(16, 16, Boundary::Torus).unwrap();
    let graph = potts_graph(&Potts::new(lattice, 3, 1.0).unwrap()).unwrap();
    assert!(eliminate(&graph).unwrap_err().to_string().contains("anneal instead"));
    assert!(enumerate(&graph).is_err());
}

/// (E5): torchgfn's and gfnx's grids.
#[test]
fn hypergrids_have_the_published_partition_functions() {
    let standard = [0.1, 0.5, 2.0];
    for (side, dimensions, log_z) in
        [(8, 2, 3.109061), (8, 4, 6.344934), (16, 2, 4.183576), (16, 4, 9.063417), (20, 4, 9.976366), (64, 2, 7.098045)]
    {
        let grid = Hypergrid::new(side, dimensions, standard).unwrap();
        assert!((grid.log_partition() - log_z).abs() < 6e-7, "{side}, {dimensions}");
        assert!((enumerate(&grid).unwrap().log_partition() - log_z).abs() < 6e-7);
    }
    let cosine = Cosine::new(12, 3, [0.1, 0.5]).unwrap();
    assert!((cosine.log_partition() - enumerate(&cosine).unwrap().log_partition()).abs() < 1e-10);
}

/// Floors of torchgfn's regression tests, at 200,000 draws. (E16) is their limit of rare states, and what was published.
#[test]
fn floors_of_empirical_laws_come_out() {
    for (side, dimensions, published, floor) in [
        (8, 2, 0.0117, 0.0114516),
        (16, 2, 0.025, 0.0249460),
        (8, 4, 0.1065, 0.1064969),
        (16, 4, 0.438, 0.4376090),
        (20, 4, 0.648, 0.6478639),
    ] {
        let exact = enumerate(&Hypergrid::new(side, dimensions, [0.1, 0.5, 2.0]).unwrap()).unwrap();
        let found = empirical_floor(exact.probabilities(), 200_000);
        // (E16) takes every state for a rare one, and is a little larger.
        let rate = |p: &f64| (200_000.0 * p, (200_000.0 * p).floor());
        let log = |(rate, whole): (f64, f64)| -rate + (whole + 1.0) * rate.ln() - ln_gamma(whole + 1.0);
        let poisson = exact.probabilities().iter().map(|p| log(rate(p)).exp()).sum::<f64>() / 100_000.0;
        assert!((poisson / published - 1.0).abs() < 5e-3 && (1.0..1.02).contains(&(poisson / found)), "{poisson}");
        assert!((found - floor).abs() < 6e-8, "{side}, {dimensions}: {found}");
    }
    // Against draws.
    let exact = enumerate(&Table::random(3, 3, 1.5, 1).unwrap()).unwrap();
    let draws = 500;
    let mut sum = 0.0;
    for seed in 0..2000 {
        let mut law = vec![0.0; 27];
        exact.sample(draws, seed).iter().for_each(|row| law[exact.state(row)] += 1.0 / draws as f64);
        sum += law.iter().zip(exact.probabilities()).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2000.0;
    }
    let floor = empirical_floor(exact.probabilities(), draws);
    assert!((sum / floor - 1.0).abs() < 0.01, "{sum} for {floor}");
    // A fair coin tossed twice: distances 1, 0, 0, 1. One state alone has none.
    assert!((empirical_floor(&[0.5, 0.5], 2) - 0.5).abs() < 1e-12 && empirical_floor(&[1.0, 0.0], 7) == 0.0);
}

#[test]
fn wells_and_planes_have_their_masses() {
    let well = ManyWell::new(2);
    assert!((well.log_partition() - enumerate(&well).unwrap().log_partition()).abs() < 1e-9);
    for set in [PlaneSet::Moons, PlaneSet::Gaussians] {
        let found = enumerate(&PlanePoints::new(set, 8)).unwrap().log_partition();
        assert!(found.abs() < 2e-3, "{}: {found}", set.name());
    }
}

/// Heat bath with the conditionals of one table from the law of another: against the update of the chain crate's oracle.
#[test]
fn edits_have_the_law_of_heat_bath() {
    let (table, start) =
        (Table::random(3, 3, 1.5, 2).unwrap(), enumerate(&Table::random(3, 3, 1.0, 3).unwrap()).unwrap());
    let joint = EnumeratedTable::new(3, 3, enumerate(&table).unwrap().probabilities().to_vec()).unwrap();
    let mut expected = start.probabilities().to_vec();
    for site in [0, 2, 1, 2] {
        expected = joint.heat_bath_law(&expected, &[joint.conditionals(joint.probabilities(), site)], &[site]);
    }
    let found = exact::edit_law(&Gibbs(&table), start.probabilities(), &[(0, 0), (0, 2), (0, 1), (0, 2)]).unwrap();
    assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-14));
    assert!(exact::edit_law(&Gibbs(&table), &[1.0], &[]).is_err());
}
