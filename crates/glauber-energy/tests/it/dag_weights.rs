use glauber_chain::ChainRng;
use glauber_energy::dag::{
    DagPosterior, DataTable, Graph, LinearGaussian, LocalScores, ParentSets, RandomNetwork, SharedWeights, Sharing,
    WeightLaw, WeightMoments, WeightPosterior, alternate, sum_over_dags,
};
use glauber_tokens::TokenBatch;

use crate::dag::{near, waves};

/// 5 columns of a random network, its noise variance .1.
fn network(seed: u64) -> LinearGaussian {
    let settings = RandomNetwork { nodes: 5, edges: 5.0, rows: 30, noise_variance: 0.1, seed };
    LinearGaussian::new(&settings.simulate().unwrap().data, 0.1, 1.0).unwrap()
}

fn all_near(found: &[f64], expected: &[f64], digits: f64) {
    assert_eq!(found.len(), expected.len());
    found.iter().zip(expected).for_each(|(found, expected)| near(*found, *expected, digits));
}

fn moments_near(found: &WeightMoments, expected: &WeightMoments, digits: f64) {
    all_near(&found.present, &expected.present, digits);
    all_near(&found.mean, &expected.mean, digits);
    all_near(&found.variance, &expected.variance, digits);
}

/// The log-density of a normal law at 0 from its mean.
fn normal(apart: f64, variance: f64) -> f64 {
    -0.5 * (apart * apart / variance + (2.0 * std::f64::consts::PI * variance).ln())
}

/// `log p(x_node | parents, θ)` from the rows themselves.
fn log_likelihood(data: &DataTable, node: usize, weights: &[f64]) -> f64 {
    let apart = |x: &[f64]| x[node] - x.iter().zip(weights).map(|(x, weight)| x * weight).sum::<f64>();
    data.values().chunks(data.columns()).map(|x| normal(apart(x), 0.1)).sum()
}

/// Sums over a grid of weights of the parents, which is exact to rounding for smooth functions that vanish at the ends:
/// calls with the weights of all columns and the volume of a cell.
fn over_grid(parents: &[usize], mut act: impl FnMut(&[f64; 3], f64)) {
    const STEP: f64 = 0.04;
    let steps: Vec<f64> = (-100..=100).map(|at| f64::from(at) * STEP).collect();
    let mut weights = [0.0; 3];
    match *parents {
        [] => act(&weights, 1.0),
        [a] => steps.iter().for_each(|&x| {
            weights[a] = x;
            act(&weights, STEP);
        }),
        [a, b] => steps.iter().for_each(|&x| {
            for &y in &steps {
                (weights[a], weights[b]) = (x, y);
                act(&weights, STEP * STEP);
            }
        }),
        _ => panic!("3 columns"),
    }
}

fn parents_of(set: u64) -> Vec<usize> {
    (0..64).filter(|node| set >> node & 1 == 1).collect()
}

/// The joint posterior of graphs and weights on 3 nodes by integrals of likelihood and prior over weights, and sums over the
/// 25 graphs.
#[test]
fn joint_moments_of_three_nodes_are_integrals() {
    let (data, scores) = (waves(), LinearGaussian::new(&waves(), 0.1, 1.0).unwrap());
    // Evidence, and first and second moments by column, of each node and parent set.
    let mut table = std::collections::HashMap::new();
    for node in 0..3 {
        for set in (0..8u64).filter(|set| set >> node & 1 == 0) {
            let (parents, mut sums) = (parents_of(set), [0.0; 7]);
            let top = scores.score(node, set);
            over_grid(&parents, |weights, volume| {
                let prior: f64 = parents.iter().map(|&parent| normal(weights[parent], 1.0)).sum();
                let mass = volume * (log_likelihood(&data, node, weights) + prior - top).exp();
                sums[0] += mass;
                for (column, weight) in weights.iter().enumerate() {
                    sums[1 + column] += mass * weight;
                    sums[4 + column] += mass * weight * weight;
                }
            });
            near(sums[0], 1.0, 1e-9);
            table.insert((node, set), sums.map(|sum| sum * (top + 60.0).exp()));
        }
    }
    let graphs = DagPosterior::enumerate(&scores).unwrap();
    let (mut total, mut present, mut first, mut second) = (0.0, [0.0; 9], [0.0; 9], [0.0; 9]);
    for at in 0..graphs.graphs() {
        let graph = graphs.graph(at);
        let parts: Vec<_> = (0..3).map(|node| table[&(node, graph.parents()[node])]).collect();
        let mass: f64 = parts.iter().map(|sums| sums[0]).product();
        total += mass;
        for (source, sink) in (0..9).map(|edge| (edge / 3, edge % 3)).filter(|&(s, t)| s != t && graph.has(s, t)) {
            let edge = source * 3 + sink;
            present[edge] += mass;
            first[edge] += mass * parts[sink][1 + source] / parts[sink][0];
            second[edge] += mass * parts[sink][4 + source] / parts[sink][0];
        }
    }
    let mut expected = WeightMoments { present: vec![0.0; 9], mean: vec![0.0; 9], variance: vec![0.0; 9] };
    for edge in (0..9).filter(|edge| edge % 4 != 0) {
        expected.present[edge] = present[edge] / total;
        expected.mean[edge] = first[edge] / present[edge];
        expected.variance[edge] = second[edge] / present[edge] - expected.mean[edge].powi(2);
    }
    let found = graphs.parent_sets().weight_moments(&scores).unwrap();
    moments_near(&found, &expected, 1e-9);
    let (mean, variance) = found.overall();
    for edge in 0..9 {
        near(mean[edge], first[edge] / total, 1e-9);
        near(variance[edge], second[edge] / total - (first[edge] / total).powi(2), 1e-9);
    }
}

/// The moments by parent sets are those of a sum over all 29,281 graphs, and of inclusion and exclusion.
#[test]
fn joint_moments_of_five_nodes_are_direct_sums() {
    let scores = network(3);
    let graphs = DagPosterior::enumerate(&scores).unwrap();
    let (mut first, mut second, mut present) = ([0.0; 25], [0.0; 25], [0.0; 25]);
    for (at, p) in graphs.probabilities().iter().enumerate() {
        for (sink, &set) in graphs.graph(at).parents().iter().enumerate() {
            let law = scores.weights(sink, set).unwrap();
            for (place, &source) in law.parents.iter().enumerate() {
                let (edge, mean) = (source * 5 + sink, law.mean[place]);
                present[edge] += p;
                first[edge] += p * mean;
                second[edge] += p * (law.covariance[place * law.parents.len() + place] + mean * mean);
            }
        }
    }
    let found = graphs.parent_sets().weight_moments(&scores).unwrap();
    let (mean, variance) = found.overall();
    for edge in (0..25).filter(|edge| edge % 6 != 0) {
        near(found.present[edge], present[edge], 1e-12);
        near(found.mean[edge], first[edge] / present[edge], 1e-9);
        near(found.variance[edge], second[edge] / present[edge] - (first[edge] / present[edge]).powi(2), 1e-9);
        near(mean[edge], first[edge], 1e-12);
        near(variance[edge], second[edge] - first[edge] * first[edge], 1e-12);
    }
    let (mean, variance) = sum_over_dags(&scores).unwrap().parent_sets().weight_moments(&scores).unwrap().overall();
    let expected = found.overall();
    all_near(&mean, &expected.0, 1e-10);
    all_near(&variance, &expected.1, 1e-10);
}

/// With the posterior of each parent set, the reward of VBG is the evidence.
#[test]
fn the_bound_of_the_posterior_is_the_evidence() {
    let scores = network(1);
    for node in 0..5 {
        for set in (0..32u64).filter(|set| set >> node & 1 == 0) {
            let law = scores.weights(node, set).unwrap();
            near(scores.bound(node, &law).unwrap(), scores.score(node, set), 1e-9);
        }
    }
}

/// Elsewhere it is the integral of `φ (log p(data | θ) + log p(θ) − log φ)`.
#[test]
fn the_bound_of_another_law_is_its_integral() {
    let (data, scores) = (waves(), LinearGaussian::new(&waves(), 0.1, 1.0).unwrap());
    let (mean, covariance) = ([0.6, -0.3], [0.09, 0.02, 0.02, 0.16]);
    let determinant: f64 = 0.09 * 0.16 - 0.02 * 0.02;
    let law = WeightPosterior { parents: vec![0, 2], mean: mean.to_vec(), covariance: covariance.to_vec() };
    let (mut found, mut mass) = (0.0, 0.0);
    over_grid(&[0, 2], |weights, volume| {
        let (x, y) = (weights[0] - mean[0], weights[2] - mean[1]);
        let square = (0.16 * x * x - 0.04 * x * y + 0.09 * y * y) / determinant;
        let log = -0.5 * square - (2.0 * std::f64::consts::PI).ln() - 0.5 * determinant.ln();
        let prior = normal(weights[0], 1.0) + normal(weights[2], 1.0);
        found += volume * log.exp() * (log_likelihood(&data, 1, weights) + prior - log);
        mass += volume * log.exp();
    });
    near(mass, 1.0, 1e-12);
    near(scores.bound(1, &law).unwrap(), found, 1e-9);
    assert!(found < scores.score(1, 0b101) - 0.1);
    let wrong = |law: WeightPosterior| assert!(scores.bound(1, &law).is_err());
    wrong(WeightPosterior { parents: vec![0, 3], ..law.clone() });
    wrong(WeightPosterior { parents: vec![0, 1], ..law.clone() });
    wrong(WeightPosterior { mean: vec![0.0], ..law.clone() });
    wrong(WeightPosterior { covariance: vec![1.0], ..law.clone() });
    wrong(WeightPosterior { covariance: vec![1.0, 2.0, 2.0, 1.0], ..law });
}

/// Graphs of 2 nodes have one edge at most: shared laws lose nothing.
#[test]
fn shared_laws_of_single_edges_are_exact() {
    let data = waves();
    let values = data.values().chunks(3).flat_map(|row| [row[0], row[1]]).collect();
    let data = DataTable::new(vec!["a".into(), "b".into()], values).unwrap();
    let scores = LinearGaussian::new(&data, 0.1, 1.0).unwrap();
    let found = alternate(&scores, &uniform(2), Sharing::Edges, 10).unwrap();
    near(found.bounds[0], sum_over_dags(&scores).unwrap().log_evidence(), 1e-9);
    let law = found.weights.weights(1, 0b01).unwrap();
    near(law.mean[0], 0.801798, 6e-7);
    near(law.covariance[0], 0.009466, 6e-7);
}

/// Laws of nodes that are fitted to one graph are its posterior, and the prior where it has no edge.
#[test]
fn shared_laws_of_one_graph_are_exact() {
    let scores = network(3);
    let graph = Graph::new(5, &[(0, 1), (2, 1), (4, 1), (3, 0), (1, 3)]).unwrap();
    let one = TokenBatch::new(graph.tokens(), 20).unwrap();
    let fitted =
        SharedWeights::fitted(&scores, &ParentSets::of_samples(5, &one, None).unwrap(), Sharing::Nodes).unwrap();
    for (node, &set) in graph.parents().iter().enumerate() {
        near(fitted.score(node, set), scores.score(node, set), 1e-9);
        let (found, expected) = (fitted.weights(node, set).unwrap(), scores.weights(node, set).unwrap());
        all_near(&found.mean, &expected.mean, 1e-12);
        all_near(&found.covariance, &expected.covariance, 1e-12);
    }
    let prior = fitted.weights(2, 0b01011).unwrap();
    all_near(&prior.mean, &[0.0; 3], 1e-15);
    all_near(&prior.covariance, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0], 1e-15);
}

/// By nodes, the reward is the integral over all weights into a node, those too that the graph does not read.
#[test]
fn the_reward_of_laws_of_nodes_is_an_integral() {
    let (data, scores) = (waves(), LinearGaussian::new(&waves(), 0.1, 1.0).unwrap());
    let shared = SharedWeights::fitted(&scores, &uniform(3), Sharing::Nodes).unwrap();
    let law = shared.weights(2, 0b011).unwrap();
    let [a, b, _, c] = law.covariance[..] else { panic!("2 parents") };
    let determinant = a * c - b * b;
    assert!(b.abs() > 1e-3, "{b}");
    let mut found = 0.0;
    over_grid(&[0, 1], |weights, volume| {
        let (x, y) = (weights[0] - law.mean[0], weights[1] - law.mean[1]);
        let square = (c * x * x - 2.0 * b * x * y + a * y * y) / determinant;
        let log = -0.5 * square - (2.0 * std::f64::consts::PI).ln() - 0.5 * determinant.ln();
        let prior = normal(weights[0], 1.0) + normal(weights[1], 1.0);
        found += volume * log.exp() * (log_likelihood(&data, 2, &[weights[0], 0.0, 0.0]) + prior - log);
    });
    near(shared.score(2, 0b001), found, 1e-9);
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

fn uniform(nodes: usize) -> ParentSets {
    sum_over_dags(&Even(nodes)).unwrap().parent_sets()
}

/// The bound never falls, stays below the evidence, and is that of a direct sum over graphs.
#[test]
fn alternation_never_loses() {
    for seed in 0..4 {
        let scores = network(seed);
        let exact = sum_over_dags(&scores).unwrap();
        let starts = [uniform(5), exact.parent_sets()];
        for (start, sharing) in starts.iter().flat_map(|start| [(start, Sharing::Edges), (start, Sharing::Nodes)]) {
            let found = alternate(&scores, start, sharing, 200).unwrap();
            let last = *found.bounds.last().unwrap();
            assert!(last > found.bounds[0] + 1e-6 && last < exact.log_evidence());
            for pair in found.bounds.windows(2) {
                assert!(pair[1] > pair[0] - 1e-9, "{seed}: {} after {}", pair[1], pair[0]);
            }
            // E_q log R − E_q log q − log(number of graphs).
            let listed = DagPosterior::enumerate(&found.weights).unwrap();
            let bound = |p: &f64, at: usize| {
                let reward: f64 = (0..5).map(|node| found.weights.score(node, listed.graph(at).parents()[node])).sum();
                if *p > 0.0 { p * (reward - p.ln()) } else { 0.0 }
            };
            let sum: f64 = listed.probabilities().iter().enumerate().map(|(at, p)| bound(p, at)).sum();
            near(sum - 29_281f64.ln(), last, 1e-8);
        }
    }
}

/// Fitted weights are the best ones: at a law of graphs, any other mean or variance loses.
#[test]
fn fitted_weights_are_the_best() {
    let scores = network(2);
    let graphs = DagPosterior::enumerate(&Tempered(&scores)).unwrap().parent_sets();
    for sharing in [Sharing::Edges, Sharing::Nodes] {
        let mean = |graphs: &ParentSets, fitted: &ParentSets| {
            graphs.mean_score(&SharedWeights::fitted(&scores, fitted, sharing).unwrap()).unwrap()
        };
        let other = uniform(5);
        assert!(mean(&graphs, &graphs) > mean(&graphs, &other) && mean(&other, &other) > mean(&other, &graphs));
    }
    let fitted = SharedWeights::fitted(&scores, &graphs, Sharing::Edges).unwrap();
    let best = graphs.mean_score(&fitted).unwrap();
    let mut seen = 0;
    for edge in (0..25).filter(|edge| edge % 6 != 0) {
        for (mean, variance) in [(0.01, 1.0), (-0.01, 1.0), (0.0, 1.2), (0.0, 0.8)] {
            let other = Moved { fitted: &fitted, scores: &scores, edge, mean, variance };
            let lost = best - graphs.mean_score(&other).unwrap();
            assert!(lost > 0.0, "edge {edge}: {mean}, {variance} gains {}", -lost);
            seen += 1;
        }
    }
    assert_eq!(seen, 80);
}

/// A twentieth of the scores: many graphs have a share.
struct Tempered<'a>(&'a LinearGaussian);

impl LocalScores for Tempered<'_> {
    fn nodes(&self) -> usize {
        self.0.nodes()
    }

    fn score(&self, node: usize, parents: u64) -> f64 {
        0.05 * self.0.score(node, parents)
    }
}

/// Shared weights of which one edge has another law.
struct Moved<'a> {
    fitted: &'a SharedWeights,
    scores: &'a LinearGaussian,
    edge: usize,
    mean: f64,
    variance: f64,
}

impl LocalScores for Moved<'_> {
    fn nodes(&self) -> usize {
        5
    }

    fn score(&self, node: usize, parents: u64) -> f64 {
        let mut law = self.fitted.weights(node, parents).unwrap();
        let place = law.parents.iter().position(|source| source * 5 + node == self.edge);
        if let Some(place) = place {
            law.mean[place] += self.mean;
            law.covariance[place * (law.parents.len() + 1)] *= self.variance;
        }
        self.scores.bound(node, &law).unwrap()
    }
}

/// Samples give the laws of parents, also with weights; joint draws have the moments of the joint posterior.
#[test]
fn samples_have_the_joint_moments() {
    let scores = LinearGaussian::new(&waves(), 0.1, 1.0).unwrap();
    let graphs = DagPosterior::enumerate(&scores).unwrap();
    let mut all = TokenBatch::filled(25, 6, 0);
    (0..25).for_each(|at| all.row_mut(at).copy_from_slice(&graphs.graph(at).tokens()));
    let logs: Vec<f64> = graphs.probabilities().iter().map(|p| p.ln()).collect();
    let weighted = ParentSets::of_samples(3, &all, Some(&logs)).unwrap();
    let exact = graphs.parent_sets().weight_moments(&scores).unwrap();
    moments_near(&weighted.weight_moments(&scores).unwrap(), &exact, 1e-12);
    const DRAWS: usize = 40_000;
    let (mut rng, tokens) = (ChainRng::new(7, 0), graphs.sample(DRAWS, 7));
    let (mut first, mut second) = ([0.0; 9], [0.0; 9]);
    for row in tokens.iter() {
        let graph = Graph::from_tokens(3, row).unwrap();
        for (edge, weight) in scores.draw_weights(&graph, &mut rng).unwrap().into_iter().enumerate() {
            first[edge] += weight / DRAWS as f64;
            second[edge] += weight * weight / DRAWS as f64;
        }
    }
    let (mean, variance) = exact.overall();
    for edge in 0..9 {
        let error = (variance[edge] / DRAWS as f64).sqrt();
        assert!((first[edge] - mean[edge]).abs() <= 4.0 * error, "edge {edge}: {} for {}", first[edge], mean[edge]);
        near(second[edge] - first[edge].powi(2), variance[edge], 0.05 * variance[edge] + 1e-12);
    }
}

#[test]
fn sizes_that_differ_are_refused() {
    let (scores, three) = (network(0), uniform(3));
    assert!(SharedWeights::fitted(&scores, &three, Sharing::Edges).is_err() && three.mean_score(&scores).is_err());
    assert!(three.weight_moments(&scores).is_err() && alternate(&scores, &three, Sharing::Nodes, 1).is_err());
    let shared = SharedWeights::fitted(&scores, &uniform(5), Sharing::Nodes).unwrap();
    assert!(shared.weights(5, 0).is_err() && shared.weights(0, 1).is_err() && shared.weights(0, 1 << 6).is_err());
    let graph = Graph::empty(3).unwrap();
    assert!(shared.draw_weights(&graph, &mut ChainRng::new(0, 0)).is_err());
    assert!(ParentSets::of_samples(3, &TokenBatch::filled(0, 6, 0), None).is_err());
}
