use glauber_chain::ChainRng;
use glauber_energy::dag::{
    Bge, CachedScores, DagPairs, DagPosterior, DagTarget, DataTable, Graph, LinearGaussian, LocalScores, UniformDags,
    WeightLaw, auroc, dag_count, edge_marginals, expected_shd, jensen_shannon, pair_of, shd, site_of, sum_over_dags,
};
use glauber_energy::{Base, EnergyError, Target, exact};
use glauber_tokens::{Token, TokenBatch};
use proptest::prelude::*;

/// The unit test data of energies.md §8.
pub fn waves() -> DataTable {
    let row = |n: f64| {
        let first = (1.0 + 0.9 * n).sin();
        [first, 0.8 * first + 0.5 * (2.3 * n).cos(), (0.37 * n * n).cos()]
    };
    let names = ["a", "b", "c"].map(str::to_owned).to_vec();
    DataTable::new(names, (0..20).flat_map(|n| row(f64::from(n))).collect()).unwrap()
}

pub fn near(found: f64, expected: f64, digits: f64) {
    assert!((found - expected).abs() < digits, "{found} for {expected}");
}

/// (E36): BGe of four graphs, the evidence of all 25, and the edge marginals.
#[test]
fn bge_has_the_numbers_of_the_design() {
    let target = DagTarget::new(CachedScores::new(Bge::new(&waves()).unwrap())).unwrap();
    let score = |edges: &[(usize, usize)]| target.log_score(&Graph::new(3, edges).unwrap()).unwrap();
    near(score(&[]), -74.504129, 6e-7);
    near(score(&[(0, 1)]), -63.681826, 6e-7);
    near(score(&[(1, 0)]), -63.681826, 6e-7);
    for [a, b, c] in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        near(score(&[(a, b), (a, c), (b, c)]), -66.852994, 6e-7);
    }
    assert_eq!(score(&[(0, 1), (1, 2), (2, 0)]), f64::NEG_INFINITY);
    let listed = DagPosterior::enumerate(target.scores()).unwrap();
    let summed = sum_over_dags(target.scores()).unwrap();
    assert_eq!(listed.graphs(), 25);
    near(listed.log_evidence(), -65.593298, 6e-7);
    near(summed.log_evidence(), -65.593298, 6e-7);
    for (source, sink, p) in
        [(0, 1, 0.5005), (1, 0, 0.4995), (2, 0, 0.1506), (2, 1, 0.1536), (0, 2, 0.1104), (1, 2, 0.1124)]
    {
        near(summed.edge_marginal(source, sink), p, 6e-5);
        near(listed.edge_marginals()[source * 3 + sink], p, 6e-5);
    }
}

/// (E37): evidence by node, and the posterior of a weight.
#[test]
fn linear_gaussian_evidence_has_the_numbers_of_the_design() {
    let scores = LinearGaussian::new(&waves(), 0.1, 1.0).unwrap();
    near(scores.score(1, 0b000), -42.856877, 6e-7);
    near(scores.score(1, 0b001), -11.228688, 6e-7);
    near(scores.score(1, 0b101), -13.290435, 6e-7);
    near(scores.score(2, 0b011), -59.011132, 6e-7);
    let weights = scores.weights(1, 0b001).unwrap();
    near(weights.mean[0], 0.801798, 6e-7);
    near(weights.covariance[0], 0.009466, 6e-7);
    // Bayes: evidence = likelihood · prior / posterior, at any weights; here at the means of two
    // parents.
    let weights = scores.weights(1, 0b101).unwrap();
    let data = waves();
    let (a, c) = (weights.mean[0], weights.mean[1]);
    let normal = |x: f64, variance: f64| -0.5 * (x * x / variance + (2.0 * std::f64::consts::PI * variance).ln());
    let likelihood: f64 = data.values().chunks(3).map(|x| normal(x[1] - a * x[0] - c * x[2], 0.1)).sum();
    let covariance = &weights.covariance;
    let determinant = covariance[0] * covariance[3] - covariance[1] * covariance[2];
    let at_mean = -(2.0 * std::f64::consts::PI).ln() - 0.5 * determinant.ln();
    near(likelihood + normal(a, 1.0) + normal(c, 1.0) - at_mean, scores.score(1, 0b101), 1e-9);
    assert!(scores.weights(1, 0b010).is_err() && scores.weights(3, 0).is_err() && scores.weights(0, 0b1000).is_err());
}

#[test]
fn acyclic_graphs_are_counted() {
    // Robinson's numbers; 14 nodes by OEIS A003024.
    for (nodes, count) in [(1, 1), (2, 3), (3, 25), (4, 543), (5, 29_281), (6, 3_781_503), (7, 1_138_779_265)] {
        assert_eq!(dag_count(nodes), Some(count));
    }
    assert_eq!(dag_count(14), Some(1_439_428_141_044_398_334_941_790_719_839_535_103));
    assert_eq!(dag_count(15), None);
    for nodes in [2, 5, 14] {
        let log = UniformDags::new(nodes).unwrap().log_count();
        near(log, (dag_count(nodes).unwrap() as f64).ln(), 1e-12 * log.max(1.0));
    }
    assert!(UniformDags::new(1).is_err() && UniformDags::new(65).is_err() && UniformDags::new(64).is_ok());
}

/// Scores that all graphs share.
struct Even(usize);

impl LocalScores for Even {
    fn nodes(&self) -> usize {
        self.0
    }

    fn score(&self, _: usize, _: u64) -> f64 {
        0.0
    }
}

/// Every parent costs 20 nats.
struct Sparse(usize);

impl LocalScores for Sparse {
    fn nodes(&self) -> usize {
        self.0
    }

    fn score(&self, _: usize, parents: u64) -> f64 {
        -20.0 * f64::from(parents.count_ones())
    }
}

/// Scores of any size, one for each parent set.
struct Hashed(usize, u64, f64);

impl LocalScores for Hashed {
    fn nodes(&self) -> usize {
        self.0
    }

    fn score(&self, node: usize, parents: u64) -> f64 {
        self.2 * ChainRng::new(self.1, (node as u64) << 32 | parents).uniform()
    }
}

/// Inclusion and exclusion over sinks against lists of all graphs, and against Robinson's numbers.
#[test]
fn sums_over_sinks_equal_enumerations() {
    for nodes in [2, 3, 4, 5] {
        for (seed, spread) in [(1, 0.0), (2, 3.0), (3, 900.0)] {
            let scores = Hashed(nodes, seed, spread);
            let (listed, summed) = (DagPosterior::enumerate(&scores).unwrap(), sum_over_dags(&scores).unwrap());
            assert_eq!(listed.graphs() as u128, dag_count(nodes).unwrap());
            near(summed.log_sum(), listed.log_sum(), 1e-9);
            near(summed.log_evidence(), listed.log_evidence(), 1e-9);
            for (found, expected) in summed.edge_marginals().iter().zip(listed.edge_marginals()) {
                near(*found, expected, 1e-9);
            }
            let each: Vec<f64> =
                (0..nodes).map(|node| (0..1 << nodes).map(|set| summed.parent_set(node, set)).sum()).collect();
            each.iter().for_each(|sum| near(*sum, 1.0, 1e-9));
        }
    }
    let summed = sum_over_dags(&Even(12)).unwrap();
    near(summed.log_evidence(), 0.0, 1e-9);
    // All edges are alike.
    let edges = summed.edge_marginals();
    (1..12).for_each(|sink| near(edges[sink], edges[12], 1e-9));
    // Where graphs without an edge dominate, the most terms cancel.
    let sparse = sum_over_dags(&Sparse(12)).unwrap();
    near(sparse.log_sum(), 132f64 * (-20f64).exp(), 1e-11);
    let broken = |spread| sum_over_dags(&Hashed(3, 1, spread)).unwrap_err().to_string();
    assert!(broken(f64::NAN).contains("the score of node 0 given parents {} is NaN"));
    assert!(broken(f64::NEG_INFINITY).contains("no graph has a finite score"));
    assert!(sum_over_dags(&Even(15)).is_err() && DagPosterior::enumerate(&Even(7)).is_err());
}

proptest! {
    /// Δ of a bit is the difference of log-densities (E1), from every state, cyclic ones up to a
    /// constant.
    #[test]
    fn ratios_of_bits_are_differences(seed in 0u64..2000, density in 0.05f64..0.5) {
        let target = DagTarget::new(Hashed(5, 7, 10.0)).unwrap();
        let uniform = UniformDags::new(5).unwrap();
        let mut rng = ChainRng::new(seed, 0);
        let tokens: Vec<Token> = (0..20).map(|_| Token::from(rng.uniform() < density)).collect();
        let site = rng.below(20);
        for target in [&target as &dyn Target, &uniform] {
            let mut found = [0.0; 2];
            target.log_ratios(&tokens, site, &mut found);
            let mut each = [0, 1].map(|token| {
                let mut moved = tokens.clone();
                moved[site] = token;
                target.log_density(&moved)
            });
            let here = target.log_density(&tokens);
            if here > f64::NEG_INFINITY {
                each.iter_mut().for_each(|log| *log -= here);
            } else if each[0] > f64::NEG_INFINITY {
                each[0] = 0.0;
            }
            for (found, expected) in found.iter().zip(each) {
                prop_assert!(*found == expected || (found - expected).abs() < 1e-10, "{found} for {expected}");
            }
        }
        let graph = Graph::from_tokens(5, &tokens).unwrap();
        prop_assert_eq!(graph.tokens(), tokens);
        prop_assert_eq!(graph.is_acyclic(), target.log_density(&graph.tokens()) > f64::NEG_INFINITY);
    }
}

#[test]
fn sites_and_pairs_go_row_by_row() {
    let pairs: Vec<_> = (0..6).map(|site| pair_of(3, site)).collect();
    assert_eq!(pairs, [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)]);
    assert!(pairs.iter().enumerate().all(|(site, &(source, sink))| site_of(3, source, sink) == site));
    assert!(Graph::new(3, &[(0, 3)]).is_err() && Graph::new(3, &[(1, 1)]).is_err() && Graph::empty(1).is_err());
}

/// Exact draws: chi-square over the 543 graphs of 4 nodes.
#[test]
fn uniform_graphs_are_uniform() {
    let law = UniformDags::new(4).unwrap();
    let listed = DagPosterior::enumerate(&Even(4)).unwrap();
    let rows = 40_000;
    let mut batch = TokenBatch::filled(rows, 12, 0);
    let mut rng = ChainRng::new(5, 0);
    (0..rows).for_each(|row| law.draw(&mut rng, batch.row_mut(row)));
    let expected = rows as f64 / 543.0;
    let shares = listed.shares(&batch).unwrap();
    let statistic: f64 = shares.iter().map(|p| (p * rows as f64 - expected).powi(2) / expected).sum();
    // 542 degrees of freedom: standard deviation 33.
    assert!((statistic - 542.0).abs() < 4.0 * 33.0, "{statistic}");
    let large = UniformDags::new(64).unwrap();
    assert!((0..20).all(|_| large.graph(&mut rng).is_acyclic()));
}

/// The cache beyond 12 nodes answers as the scores do, from several threads.
#[test]
fn cached_scores_are_the_scores() {
    for nodes in [1, 4, 12, 13, 20] {
        let scores = Hashed(nodes, 3, 1.0);
        let cached = CachedScores::new(&scores);
        std::thread::scope(|scope| {
            for thread in 0..3 {
                let (cached, scores) = (&cached, &scores);
                scope.spawn(move || {
                    let mut rng = ChainRng::new(1, thread % 2);
                    for _ in 0..2000 {
                        let node = rng.below(nodes);
                        let set = (rng.below(1 << nodes) as u64) & !(1 << node);
                        assert_eq!(cached.score(node, set), scores.score(node, set));
                    }
                });
            }
        });
    }
}

/// Pairs and bits are the same posterior: the sum over all 3⁶ and all 2¹² states of four nodes.
#[test]
fn pairs_and_bits_are_the_same_posterior() {
    let scores = Hashed(4, 3, 5.0);
    let pairs = DagPairs::new(&scores).unwrap();
    let listed = DagPosterior::enumerate(&scores).unwrap();
    let exact = exact::enumerate(&pairs).unwrap();
    near(exact.log_partition(), listed.log_sum(), 1e-10);
    near(exact::enumerate(&DagTarget::new(&scores).unwrap()).unwrap().log_partition(), listed.log_sum(), 1e-10);
    for state in 0..729 {
        let tokens = exact.sequence(state);
        let graph = pairs.graph(&tokens).unwrap();
        let expected = listed.place(&graph).map_or(0.0, |place| listed.probabilities()[place]);
        near(exact.probabilities()[state], expected, 1e-12);
        let bits = pairs.bits(&TokenBatch::from_rows([&tokens]).unwrap()).unwrap();
        assert_eq!(bits.row(0), graph.tokens());
        for site in 0..6 {
            let mut found = [0.0; 3];
            pairs.log_ratios(&tokens, site, &mut found);
            let logs = [0, 1, 2].map(|token| {
                let mut moved = tokens.clone();
                moved[site] = token;
                pairs.log_density(&moved)
            });
            // From a graph with a cycle, up to a constant: no edge is possible if any token is.
            let here = pairs.log_density(&tokens);
            let base = if here > f64::NEG_INFINITY { here } else { logs[0].max(-1e300) };
            for (found, log) in found.iter().zip(logs) {
                assert!(*found == log || (found - (log - base)).abs() < 1e-9, "{found} for {log} − {base}");
            }
        }
    }
    assert!(pairs.graph(&[0; 5]).is_err() && pairs.bits(&TokenBatch::filled(1, 5, 0)).is_err());
}

/// On three nodes the enumeration of all 2⁶ bits is the list of graphs.
#[test]
fn bits_and_graphs_have_the_same_posterior() {
    let scores = Bge::new(&waves()).unwrap();
    let target = DagTarget::new(&scores).unwrap();
    let (bits, graphs) = (exact::enumerate(&target).unwrap(), DagPosterior::enumerate(&scores).unwrap());
    near(bits.log_partition(), graphs.log_sum(), 1e-10);
    let shares = graphs.shares(&graphs.sample(20_000, 1)).unwrap();
    for (place, share) in shares.iter().enumerate() {
        let graph = graphs.graph(place);
        assert_eq!(graphs.place(&graph), Some(place));
        near(bits.probabilities()[bits.state(&graph.tokens())], graphs.probabilities()[place], 1e-12);
        near(*share, graphs.probabilities()[place], 0.02);
    }
    assert!(
        graphs.shares(&TokenBatch::filled(1, 6, 1)).unwrap_err().to_string().contains("sampled graph 0 has a cycle")
    );
}

#[test]
fn distances_count_pairs() {
    let graph = |edges: &[(usize, usize)]| Graph::new(3, edges).unwrap();
    let truth = graph(&[(0, 1), (1, 2)]);
    for (edges, distance) in
        [(&[(0, 1), (1, 2)][..], 0), (&[(1, 0), (1, 2)], 1), (&[(0, 1)], 1), (&[], 2), (&[(1, 0), (2, 1), (2, 0)], 3)]
    {
        assert_eq!(shd(&graph(edges), &truth).unwrap(), distance);
    }
    assert!(shd(&truth, &Graph::empty(4).unwrap()).is_err());
    let mut marginals = [0.0; 9];
    marginals[1] = 0.9; // 0 → 1
    marginals[2] = 0.5; // 0 → 2, not an edge
    // Of 2 · 7 pairs the first edge wins 7, the second (0) wins none and ties with 6.
    near(auroc(&marginals, &truth).unwrap().unwrap(), (7.0 + 3.0) / 14.0, 1e-12);
    assert_eq!(auroc(&marginals, &graph(&[])).unwrap(), None);
    assert!(auroc(&[f64::NAN; 9], &truth).is_err() && auroc(&[0.0; 4], &truth).is_err());
    near(jensen_shannon(&[1.0, 0.0], &[0.0, 1.0]).unwrap(), 2f64.ln(), 1e-12);
    near(jensen_shannon(&[0.5, 0.5], &[0.5, 0.5]).unwrap(), 0.0, 1e-15);
    let batch = TokenBatch::from_rows([truth.tokens(), graph(&[]).tokens()]).unwrap();
    near(edge_marginals(3, &batch, None).unwrap().iter().sum(), 1.0, 1e-12);
    near(expected_shd(&truth, &batch, Some(&[0.0, f64::NEG_INFINITY])).unwrap(), 0.0, 1e-12);
    assert!(matches!(edge_marginals(4, &batch, None), Err(EnergyError::Mismatch { .. })));
}
