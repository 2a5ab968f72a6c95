//! §6 of `docs/math.md`: the logits of a site never depend, by one bit, on the token that stands there.

use crate::awake;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use glauber_model::{
    Asked, Conditioning, Conditions, ModelConfig, Network, NetworkKind, Positions, Preset, PriorConfig, RightView,
    SiteClassifier, Sites,
};
use proptest::prelude::*;

const VOCAB: usize = 11;
const LEN: usize = 9;

fn device() -> Device {
    Device::flex()
}

fn small(network: NetworkKind) -> ModelConfig {
    ModelConfig {
        network,
        width: 32,
        layers: 2,
        merge_layers: 2,
        heads: 4,
        condition_width: 16,
        positions: Positions::Grid { columns: 3 },
        site_vectors: true,
        conditioning: Conditioning::SignalLevel,
        classes: 2,
        tied: false,
        block: 3,
        prior: (network != NetworkKind::BlockCausal).then_some(PriorConfig { order: 2 }),
    }
}

fn awake(config: &ModelConfig, seed: u64) -> Network {
    awake::awake(config, VOCAB, LEN, seed, &device())
}

fn input(rows: &[Vec<i32>], time: f32) -> (Tensor<2, Int>, Conditions) {
    let batch = rows.len();
    let tokens = Tensor::<2, Int>::from_data(TensorData::new(rows.concat(), [batch, rows[0].len()]), &device());
    // The noisier the later the site; the last is known.
    let len = rows[0].len();
    let level = |at: usize| if at % len == len - 1 { 1.0 } else { 0.9 - 0.1 * (at % len) as f32 };
    let levels: Vec<f32> = (0..batch * len).map(level).collect();
    let conditions = Conditions {
        time: Tensor::full([batch], time, &device()),
        levels: Tensor::from_data(TensorData::new(levels, [batch, len]), &device()),
        classes: Some(Tensor::from_data(TensorData::new(vec![1; batch], [batch]), &device())),
        parts: None,
        right: None,
    };
    (tokens, conditions)
}

fn logits(network: &Network, rows: &[Vec<i32>], time: f32, sites: Sites<'_>) -> Vec<Vec<f32>> {
    let (tokens, conditions) = input(rows, time);
    let data = network.logits(tokens, &conditions, sites).into_data();
    let values: Vec<f32> = data.iter::<f32>().collect();
    values.chunks_exact(VOCAB).map(<[f32]>::to_vec).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn hollow_logits_of_a_site_ignore_its_token_bit_for_bit(
        row in prop::collection::vec(0..VOCAB as i32, 2..=LEN),
        site in 0usize..LEN,
        other in 1..VOCAB as i32,
        time in 0f32..1.0,
        seed in 1u64..5,
    ) {
        let site = site % row.len();
        let network = awake(&small(NetworkKind::Hollow), seed);
        let mut changed = row.clone();
        changed[site] = (changed[site] + other) % VOCAB as i32;
        let before = logits(&network, std::slice::from_ref(&row), time, Sites::All);
        let after = logits(&network, &[changed], time, Sites::All);
        for at in 0..row.len() {
            let same = before[at].iter().zip(&after[at]).all(|(a, b)| a.to_bits() == b.to_bits());
            prop_assert_eq!(same, at == site, "logits of site {}, token of site {} changed", at, site);
        }
    }

    #[test]
    fn masked_query_logits_of_a_site_ignore_its_token_bit_for_bit(
        row in prop::collection::vec(0..VOCAB as i32, 2..=LEN),
        site in 0usize..LEN,
        other in 1..VOCAB as i32,
        seed in 1u64..5,
    ) {
        let site = site % row.len();
        let network = awake(&small(NetworkKind::MaskedQuery), seed);
        let mut changed = row.clone();
        changed[site] = (changed[site] + other) % VOCAB as i32;
        let before = logits(&network, std::slice::from_ref(&row), 0.5, Sites::Each(&[site]));
        let after = logits(&network, std::slice::from_ref(&changed), 0.5, Sites::Each(&[site]));
        prop_assert_eq!(&before, &after);
        let asked = (site + 1) % row.len();
        let before = logits(&network, &[row], 0.5, Sites::Each(&[asked]));
        let after = logits(&network, &[changed], 0.5, Sites::Each(&[asked]));
        prop_assert_ne!(&before, &after);
    }
}

#[test]
fn every_way_of_asking_gives_the_same_logits() {
    let rows = vec![vec![1, 2, 3, 4, 5, 6, 7, 8, 9], vec![9, 8, 7, 6, 5, 4, 3, 2, 1]];
    for &kind in NetworkKind::ALL {
        let network = awake(&small(kind), 1);
        let all = logits(&network, &rows, 0.3, Sites::All);
        let block = logits(&network, &rows, 0.3, Sites::Block(&[7, 2]));
        let each = logits(&network, &rows, 0.3, Sites::Each(&[2, 7]));
        let close = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
        assert!(close(&block[0], &all[7]) && close(&block[1], &all[2]), "{kind:?}: block, first row");
        assert!(close(&block[2], &all[LEN + 7]), "{kind:?}: block, second row");
        assert!(close(&each[0], &all[2]) && close(&each[1], &all[LEN + 7]), "{kind:?}: each");
    }
}

#[test]
fn every_design_is_blind_where_it_says_so() {
    for &kind in NetworkKind::ALL {
        let network = awake(&small(kind), 2);
        let of_token = |token| logits(&network, &[vec![1, 2, 3, 4, token, 6, 7, 8, 9]], 0.5, Sites::Each(&[4]));
        // A network that answers at masked sites alone sees what it is not asked to hide.
        let sees = matches!(network.answers(), Asked::Masked | Asked::InView);
        assert_eq!(of_token(5) != of_token(0), sees, "{kind:?}");
    }
}

#[test]
fn an_autoregressive_network_sees_the_sites_after_alone() {
    let network = awake(&small(NetworkKind::Autoregressive), 3);
    let row = vec![1, 2, 3, 4, 5, 6, 7, 8, 9];
    let before = logits(&network, std::slice::from_ref(&row), 0.5, Sites::All);
    for changed in 0..LEN {
        let mut other = row.clone();
        other[changed] = 0;
        // Neither does it see the time.
        let after = logits(&network, &[other], 0.2, Sites::All);
        for site in 0..LEN {
            assert_eq!(before[site] == after[site], changed <= site, "logits of {site}, token of {changed} changed");
        }
    }
}

/// Block diffusion: a site sees the noisy tokens of its block and the clean ones of blocks before, of neither sequence anything else.
#[test]
fn a_block_causal_network_sees_its_own_block_and_clean_ones_before() {
    let network = awake(&small(NetworkKind::BlockCausal), 3);
    let (noisy, clean) = (vec![1, 2, 3, 4, 5, 6, 7, 8, 9], vec![9, 8, 7, 6, 5, 4, 3, 2, 1]);
    let of = |noisy: &[i32], clean: &[i32]| {
        let (tokens, conditions) = input(&[noisy.to_vec()], 0.5);
        let right = RightView { tokens: input(&[clean.to_vec()], 0.5).0, levels: conditions.levels.clone() };
        let data = network.logits(tokens, &Conditions { right: Some(right), ..conditions }, Sites::All).into_data();
        data.iter::<f32>().collect::<Vec<f32>>().chunks_exact(VOCAB).map(<[f32]>::to_vec).collect::<Vec<_>>()
    };
    let before = of(&noisy, &clean);
    let change = |row: &[i32], at: usize| row.iter().enumerate().map(|(i, &x)| if i == at { 0 } else { x }).collect();
    for changed in 0..LEN {
        let [other, earlier]: [Vec<i32>; 2] = [change(&noisy, changed), change(&clean, changed)];
        let (after, given) = (of(&other, &clean), of(&noisy, &earlier));
        for site in 0..LEN {
            assert_eq!(before[site] == after[site], site / 3 != changed / 3, "{site}, noisy token of {changed}");
            assert_eq!(before[site] == given[site], changed / 3 >= site / 3, "{site}, clean token of {changed}");
        }
    }
    // Where blocks before are clean one sequence is enough, whatever comes behind.
    let chain = [&clean[..3], &noisy[3..]].concat();
    let alone = logits(&network, &[chain], 0.5, Sites::All);
    assert_eq!(alone[3..6], before[3..6]);
}

#[test]
fn a_block_causal_network_that_keeps_clean_blocks_says_the_same() {
    let network = awake(&small(NetworkKind::BlockCausal), 3);
    let mut rows = vec![vec![9, 8, 7, 4, 5, 6, 1, 1, 1], vec![2, 2, 3, 1, 0, 0, 4, 4, 4]];
    let (tokens, conditions) = input(&rows, 0.5);
    let mut kept = network.states(tokens, &conditions).expect("a network that keeps states");
    // The first block, the last with both before it, one before again with another token in the first, and a part of the last.
    for (change, asked) in [
        (None, vec![0, 1, 2]),
        (None, vec![6, 7, 8]),
        (Some((1, 5)), vec![3, 5]),
        (None, vec![8]),
        (Some((7, 2)), vec![7, 6]),
    ] {
        if let Some((site, token)) = change {
            rows.iter_mut().for_each(|row| row[site] = token);
            let column = |value: i32| Tensor::from_data(TensorData::new(vec![value; 2], [2, 1]), &device());
            kept.set(site, column(token), Tensor::ones([2, 1], &device()));
        }
        let found: Vec<f32> = kept.logits(&asked).into_data().iter::<f32>().collect();
        let expected = logits(&network, &rows, 0.5, Sites::Block(&asked)).concat();
        assert!(found.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-5), "{asked:?}: {found:?}, {expected:?}");
        assert_eq!(found.len(), 2 * asked.len() * VOCAB);
    }
}

/// A network without conditioning gives the same logits at any time and any level, and any other does not.
#[test]
fn a_network_that_is_told_nothing_of_the_noise_says_the_same_whatever_it_is() {
    let row = [vec![1, 2, 3, 4, 5, 6, 7, 8, 9]];
    let cleaner = |conditions: &Conditions| Conditions {
        time: conditions.time.clone() * 0.5,
        levels: conditions.levels.clone() * 0.5,
        ..conditions.clone()
    };
    for kind in [NetworkKind::Hollow, NetworkKind::Bidirectional] {
        let given = [Conditioning::None, Conditioning::Step, Conditioning::SignalLevel, Conditioning::SignalLevelOnly];
        for (conditioning, blind) in given.into_iter().zip([true, false, false, false]) {
            let network = awake(&ModelConfig { conditioning, prior: None, ..small(kind) }, 5);
            let (tokens, conditions) = input(&row, 0.5);
            let [one, other] = [conditions.clone(), cleaner(&conditions)]
                .map(|conditions| network.logits(tokens.clone(), &conditions, Sites::All).into_data());
            assert_eq!(one == other, blind, "{kind:?}, {conditioning:?}");
        }
    }
}

#[test]
fn with_a_prior_a_network_trains_on_its_own_logits_too() {
    let prior = small(NetworkKind::Hollow).prior;
    let refused = Network::new(&ModelConfig { prior, ..small(NetworkKind::BlockCausal) }, VOCAB, LEN, 3, &device());
    assert!(refused.unwrap_err().to_string().contains("`block-causal`"));
    for &kind in NetworkKind::ALL.iter().filter(|kind| small(**kind).prior.is_some()) {
        let network = awake(&small(kind), 4);
        let rows = [vec![1, 2, 3, 4, 5, 6, 7, 8, 9]];
        let (tokens, conditions) = input(&rows, 0.4);
        let trained = network.trained_logits(tokens, &conditions, Sites::Block(&[7, 2]));
        let values = |logits: &Tensor<3>| logits.clone().into_data().iter::<f32>().collect::<Vec<_>>();
        let said = logits(&network, &rows, 0.4, Sites::Block(&[7, 2])).concat();
        assert_eq!(values(&trained[1]), said, "{kind:?}: with the prior last");
        assert!(values(&trained[0]) != said && trained.len() == 2, "{kind:?}: without it first");
        let without = Network::new(&ModelConfig { prior: None, ..small(kind) }, VOCAB, LEN, 3, &device());
        let (tokens, conditions) = input(&rows, 0.4);
        assert_eq!(without.expect("sizes").trained_logits(tokens, &conditions, Sites::All).len(), 1, "{kind:?}");
    }
}

#[test]
fn an_untrained_network_gives_uniform_conditionals() {
    for &kind in NetworkKind::ALL {
        let network =
            Network::new(&ModelConfig { prior: None, ..small(kind) }, VOCAB, LEN, 3, &device()).expect("valid sizes");
        let logits = logits(&network, &[vec![0; LEN]], 0.5, Sites::Each(&[4]));
        assert_eq!(logits, vec![vec![0.0; VOCAB]]);
    }
}

#[test]
fn weights_depend_on_the_seed_alone() {
    let build = |seed| {
        let config = ModelConfig { prior: None, ..small(NetworkKind::Hollow) };
        let network = Network::new(&config, VOCAB, LEN, seed, &device()).expect("valid sizes");
        format!("{:?}", first_weights(&network))
    };
    assert_eq!(build(1), build(1));
    assert_ne!(build(1), build(2));
}

fn first_weights(network: &Network) -> Vec<f32> {
    struct First(Vec<f32>);
    impl burn::module::ModuleVisitor for First {
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
            self.0.extend(param.val().into_data().iter::<f32>().take(4));
        }
    }
    let mut first = First(Vec::new());
    network.visit(&mut first);
    first.0
}

#[test]
fn the_preset_of_the_papers_size_has_its_size() {
    // GPT-2's vocabulary and sequences of 1024, as the paper's text model.
    let config = Preset::Ggm387m.config();
    let count = Network::count_parameters(&config, 50_257, 1024, &device()).expect("valid sizes");
    let millions = count as f64 / 1e6;
    assert!((millions - 387.0).abs() < 2.0, "{millions} M parameters");
}
