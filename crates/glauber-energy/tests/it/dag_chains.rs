use glauber_chain::{ChainRng, Chains, HeatBath, ReverseKernel};
use glauber_energy::dag::{
    Bge, CachedScores, DagPairs, DagPosterior, DagTarget, Graph, LocalScores, RandomNetwork, StructureMcmc,
    UniformDags, auroc, edge_marginals, expected_shd, jensen_shannon, sum_over_dags,
};
use glauber_energy::{Annealing, Base, Gibbs, Levels, Particles, Target, unwatched};
use glauber_schedule::SiteOrder;
use glauber_tokens::{Token, TokenBatch};

/// The benchmark: 5 nodes, 5 expected edges, 100 rows.
fn five() -> (Graph, CachedScores<Bge>) {
    let network = RandomNetwork { nodes: 5, edges: 5.0, rows: 100, noise_variance: 0.1, seed: 21 };
    let found = network.simulate().unwrap();
    (found.graph, CachedScores::new(Bge::new(&found.data).unwrap()))
}

fn near(found: f64, expected: f64, digits: f64) {
    assert!((found - expected).abs() < digits, "{found} for {expected}");
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

/// Samples of heat bath, shape `[sample · chain, site]`: 50 chains, 5 sweeps apart.
fn heat_bath(target: &impl Target, starts: TokenBatch, burn_in: usize, samples: usize) -> TokenBatch {
    let mut chains = Chains::seeded(starts, 1);
    let order = |sweeps| SiteOrder::round_robin(target.len(), sweeps).unwrap();
    let mut run = |order: SiteOrder| {
        HeatBath::default().run_parallel(&Gibbs(target), &mut chains, &order, 0..order.horizon()).unwrap();
        chains.tokens().clone()
    };
    run(order(burn_in));
    let rows: Vec<Token> = (0..samples).flat_map(|_| run(order(5)).into_vec()).collect();
    TokenBatch::new(rows, target.len()).unwrap()
}

fn uniform_starts(nodes: usize, rows: usize) -> TokenBatch {
    let uniform = UniformDags::new(nodes).unwrap();
    let mut starts = TokenBatch::filled(rows, uniform.len(), 0);
    let mut rng = ChainRng::new(1, 0);
    (0..rows).for_each(|row| uniform.draw(&mut rng, starts.row_mut(row)));
    starts
}

/// The row "DAG posterior": heat bath on pairs and structure MCMC beside the 29,281 graphs, against
/// the divergence of as many exact draws. Heat bath on bits cannot turn strong edges round.
#[test]
fn chains_reach_the_exact_posterior() {
    let (truth, scores) = five();
    let listed = DagPosterior::enumerate(&scores).unwrap();
    let best = listed.expected_shd(&truth).unwrap();
    let divergence =
        |tokens: &TokenBatch| jensen_shannon(&listed.shares(tokens).unwrap(), listed.probabilities()).unwrap();
    let floor = divergence(&listed.sample(10_000, 9));
    let check = |name: &str, tokens: &TokenBatch| {
        let found = divergence(tokens);
        assert_eq!(tokens.rows(), 10_000);
        assert!(found < 1.3 * floor && found < 0.02, "{name}: {found} beside {floor}");
        let marginals = edge_marginals(5, tokens, None).unwrap();
        for (found, expected) in marginals.iter().zip(listed.edge_marginals()) {
            assert!((found - expected).abs() < 0.02, "{name}: {found} for {expected}");
        }
        near(expected_shd(&truth, tokens, None).unwrap(), best, 0.05);
        let of = |marginals: &[f64]| auroc(marginals, &truth).unwrap().unwrap();
        near(of(&marginals), of(&listed.edge_marginals()), 0.05);
    };
    let pairs = DagPairs::new(&scores).unwrap();
    let found = heat_bath(&pairs, TokenBatch::filled(50, 10, 0), 20, 200);
    check("heat bath on pairs", &pairs.bits(&found).unwrap());
    let target = DagTarget::new(&scores).unwrap();
    let settings = StructureMcmc { chains: 50, burn_in: 500, samples: 200, thin: 100, seed: 1 };
    let found = settings.run(&target).unwrap();
    assert!(found.accepted > 0.05 && found.accepted < 1.0, "{}", found.accepted);
    check("structure MCMC", &found.tokens);
    assert!(StructureMcmc { thin: 0, ..settings }.run(&target).is_err());
    let frozen = divergence(&heat_bath(&target, uniform_starts(5, 50), 20, 200));
    assert!(frozen > 2.0 * floor, "{frozen} beside {floor}");
}

/// Where data are few, edges are weak, and heat bath on single bits mixes too.
#[test]
fn heat_bath_on_bits_has_the_posterior() {
    let network = RandomNetwork { nodes: 4, edges: 3.0, rows: 8, noise_variance: 1.0, seed: 5 };
    let scores = CachedScores::new(Bge::new(&network.simulate().unwrap().data).unwrap());
    let listed = DagPosterior::enumerate(&scores).unwrap();
    let tokens = heat_bath(&DagTarget::new(&scores).unwrap(), uniform_starts(4, 50), 50, 400);
    let divergence =
        |tokens: &TokenBatch| jensen_shannon(&listed.shares(tokens).unwrap(), listed.probabilities()).unwrap();
    let (found, floor) = (divergence(&tokens), divergence(&listed.sample(20_000, 9)));
    assert!(found < 2.0 * floor, "{found} beside {floor}");
}

/// Structure MCMC on equal scores is uniform only if the sizes of neighbourhoods are corrected for.
#[test]
fn structure_mcmc_corrects_for_neighbourhoods() {
    let listed = DagPosterior::enumerate(&Even(3)).unwrap();
    let settings = StructureMcmc { chains: 20, burn_in: 100, samples: 2000, thin: 10, seed: 2 };
    let tokens = settings.run(&DagTarget::new(Even(3)).unwrap()).unwrap().tokens;
    for share in listed.shares(&tokens).unwrap() {
        near(share, 0.04, 0.005);
    }
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let again = one.install(|| settings.run(&DagTarget::new(Even(3)).unwrap()).unwrap());
    assert_eq!(again.tokens, tokens);
}

/// Annealing from uniform graphs, whose number is known: the exact `log Z` within its interval. The
/// levels carry bits over what freezes them in the target.
#[test]
fn annealing_from_uniform_graphs_gives_the_evidence() {
    let (_, scores) = five();
    let target = DagTarget::new(&scores).unwrap();
    let exact = sum_over_dags(&scores).unwrap();
    let base = UniformDags::new(5).unwrap();
    let mut particles = Particles::new(&target, &base, 1000, 4).unwrap();
    let go = &mut unwatched;
    let found = Annealing::default().run(&mut particles, &Levels::linear(100).unwrap(), go).unwrap();
    let [low, high] = found.log_partition.interval;
    assert!(low <= exact.log_sum() && exact.log_sum() <= high, "{:?}, {}", found.log_partition, exact.log_sum());
    assert!(high - low < 0.4, "{:?}", found.log_partition);
    let marginals = edge_marginals(5, &found.tokens, Some(&found.log_weights)).unwrap();
    for (found, expected) in marginals.iter().zip(exact.edge_marginals()) {
        near(*found, *expected, 0.1);
    }
}
