//! What a network keeps between questions gives the logits of the whole network.

use crate::awake;
use burn::tensor::{Device, Int, Tensor, TensorData};
use glauber_model::{
    Conditioning, Conditions, ModelConfig, NetworkKind, Positions, PriorConfig, SiteClassifier, Sites, States,
};
use proptest::prelude::*;

const VOCAB: usize = 11;
const LEN: usize = 9;
const BATCH: usize = 2;

fn config(merge_layers: usize, conditioning: Conditioning) -> ModelConfig {
    ModelConfig {
        network: NetworkKind::Hollow,
        width: 32,
        layers: 2,
        merge_layers,
        heads: 4,
        condition_width: 16,
        positions: Positions::Line,
        site_vectors: true,
        conditioning,
        classes: 2,
        tied: false,
        block: 0,
        prior: Some(PriorConfig { order: 2 }),
    }
}

/// Rows as they stand.
#[derive(Debug, Clone)]
struct Rows {
    tokens: Vec<i32>,
    levels: Vec<f32>,
    len: usize,
}

impl Rows {
    fn tensors(&self, device: &Device) -> (Tensor<2, Int>, Conditions) {
        let shape = [BATCH, self.len];
        let conditions = Conditions {
            time: Tensor::full([BATCH], 0.25, device),
            levels: Tensor::from_data(TensorData::new(self.levels.clone(), shape), device),
            classes: Some(Tensor::from_data([1, 2], device)),
            parts: None,
            right: None,
        };
        (Tensor::from_data(TensorData::new(self.tokens.clone(), shape), device), conditions)
    }

    /// Changes a site of every row and tells the network so.
    fn change(&mut self, site: usize, token: i32, level: f32, kept: &mut dyn States, device: &Device) {
        let mut tokens = Vec::new();
        for row in 0..BATCH {
            let at = row * self.len + site;
            self.tokens[at] = (token + row as i32) % VOCAB as i32;
            self.levels[at] = level;
            tokens.push(self.tokens[at]);
        }
        let shape = [BATCH, 1];
        kept.set(site, Tensor::from_data(TensorData::new(tokens, shape), device), Tensor::full(shape, level, device));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn incremental_logits_are_those_of_the_whole_network(
        len in 1..=LEN,
        merge_layers in 0usize..3,
        only in any::<bool>(),
        causal in any::<bool>(),
        seed in 1u64..5,
        moves in prop::collection::vec((0..LEN, 0..VOCAB as i32, 0.01f32..1.0, 0..LEN, any::<bool>()), 1..12),
    ) {
        let device = Device::flex();
        let conditioning = if only { Conditioning::SignalLevelOnly } else { Conditioning::Step };
        let kind = if causal { NetworkKind::Autoregressive } else { NetworkKind::Hollow };
        let config = ModelConfig { network: kind, ..config(merge_layers, conditioning) };
        let network = awake::awake(&config, VOCAB, LEN, seed, &device);
        let mut rows = Rows { tokens: vec![3; BATCH * len], levels: vec![0.5; BATCH * len], len };
        let (tokens, conditions) = rows.tensors(&device);
        let mut kept = network.states(tokens, &conditions).expect("both keep states");
        for (site, token, level, asked, ask) in moves {
            rows.change(site % len, token, level, &mut *kept, &device);
            if !ask {
                continue;
            }
            let block = [asked % len, (asked + 4) % len];
            let block = if block[0] == block[1] { &block[..1] } else { &block };
            let (tokens, conditions) = rows.tensors(&device);
            let expected = network.logits(tokens, &conditions, Sites::Block(block)).into_data();
            let found = kept.logits(block).into_data();
            prop_assert_eq!(found.shape(), expected.shape());
            for (found, expected) in found.iter::<f32>().zip(expected.iter::<f32>()) {
                prop_assert!((found - expected).abs() < 1e-4, "{found}, expected {expected}");
            }
        }
    }
}

#[test]
fn a_network_told_signal_levels_only_does_not_look_at_the_time() {
    let device = Device::flex();
    for (conditioning, same) in [(Conditioning::SignalLevelOnly, true), (Conditioning::SignalLevel, false)] {
        let network = awake::awake(&config(1, conditioning), VOCAB, LEN, 1, &device);
        let rows = Rows { tokens: vec![1; BATCH * LEN], levels: vec![0.5; BATCH * LEN], len: LEN };
        let logits = |time: f64| {
            let (tokens, conditions) = rows.tensors(&device);
            let conditions = Conditions { time: Tensor::full([BATCH], time, &device), ..conditions };
            network.logits(tokens, &conditions, Sites::All).into_data().iter::<f32>().collect::<Vec<_>>()
        };
        assert_eq!(logits(0.1) == logits(0.9), same, "{conditioning:?}");
    }
}
