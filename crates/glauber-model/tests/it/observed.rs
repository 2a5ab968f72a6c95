//! Gradients that are told of on the way are those of the end.

use crate::awake;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use burn::module::{Module, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Int, Tensor, TensorData};
use glauber_fused::GradientObserver;
use glauber_model::{
    Conditioning, Conditions, ModelConfig, Network, NetworkKind, Positions, Preset, SiteClassifier, Sites,
};

const VOCAB: usize = 7;
const LEN: usize = 6;
const ROWS: usize = 3;

fn config(network: NetworkKind, tied: bool, layers: usize, merge_layers: usize) -> ModelConfig {
    ModelConfig {
        network,
        width: 16,
        layers,
        merge_layers,
        heads: 2,
        condition_width: 8,
        positions: Positions::Line,
        conditioning: Conditioning::SignalLevel,
        classes: 2,
        tied,
    }
}

/// All gradients of a number that every logit has a part in.
fn gradients(network: &Network) -> HashMap<ParamId, Vec<f32>> {
    struct Entries(GradientsParams, HashMap<ParamId, Vec<f32>>);
    impl ModuleVisitor for Entries {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.0.remove::<D>(param.id) {
                self.1.insert(param.id, gradient.into_data().iter::<f32>().collect());
            }
        }
    }
    let device = Device::flex().autodiff();
    let network = network.clone().train();
    let tokens: Vec<i32> = (0..ROWS * LEN).map(|at| (at * at % VOCAB) as i32).collect();
    let conditions = Conditions {
        time: Tensor::full([ROWS], 0.4, &device),
        levels: Tensor::full([ROWS, LEN], 0.7, &device),
        classes: Some(Tensor::from_data(TensorData::new(vec![1; ROWS], [ROWS]), &device)),
    };
    let tokens = Tensor::<2, Int>::from_data(TensorData::new(tokens, [ROWS, LEN]), &device);
    let logits = network.logits(tokens, &conditions, Sites::Block(&[1, 4, 5]));
    let loss = logits.clone().sin().sum() + logits.powi_scalar(2).sum();
    let mut entries = Entries(GradientsParams::from_grads(loss.backward(), &network), HashMap::new());
    network.visit(&mut entries);
    entries.1
}

/// How many parameters only states are multiplied with, by their names.
fn between_states(network: &Network) -> usize {
    struct Count(Vec<String>, usize);
    impl ModuleVisitor for Count {
        fn enter_module(&mut self, name: &str, _container_type: &str) {
            self.0.push(name.into());
        }
        fn exit_module(&mut self, _name: &str, _container_type: &str) {
            self.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, _: &Param<Tensor<D>>) {
            let between = |name: &String| ["attention", "feed_forward", "join", "head"].contains(&name.as_str());
            self.1 += usize::from(self.0.iter().any(between));
        }
    }
    let mut count = Count(Vec::new(), 0);
    network.visit(&mut count);
    count.1
}

#[test]
fn what_is_told_on_the_way_is_what_there_is_in_the_end_and_comes_in_stages() {
    for kind in [NetworkKind::Hollow, NetworkKind::MaskedQuery, NetworkKind::Bidirectional] {
        for (tied, recomputing, layers, merge_layers) in
            [(false, false, 3, 2), (true, false, 1, 1), (false, true, 2, 2), (true, true, 2, 0)]
        {
            let name = format!("{kind:?}, {layers}, {merge_layers}, tied: {tied}, recomputing: {recomputing}");
            let config = config(kind, tied, layers, merge_layers);
            let network = awake::awake(&config, VOCAB, LEN, 1, &Device::flex()).recomputing(recomputing);
            let told = Arc::new(Mutex::new(Vec::new()));
            let ear = Arc::clone(&told);
            let observer = GradientObserver::new(move |parameter, gradient: &[f32]| {
                ear.lock().expect("one thread").push((parameter, gradient.to_vec()));
            });
            let unobserved = gradients(&network);
            assert_eq!(gradients(&network.clone().observed(observer)), unobserved, "{name}");
            let told = std::mem::take(&mut *told.lock().expect("one thread"));
            let mut rest = told.as_slice();
            for stage in network.stages() {
                let (of_stage, others) = rest.split_at(stage.len());
                rest = others;
                for (parameter, gradient) in of_stage {
                    assert!(stage.contains(parameter), "{name}: out of its stage");
                    assert_eq!(Some(gradient), unobserved.get(parameter), "{name}");
                    assert!(gradient.iter().any(|entry| *entry != 0.0), "{name}");
                }
            }
            assert!(rest.is_empty(), "{name}: {} gradients of no stage", rest.len());
            assert_eq!(told.len(), between_states(&network), "{name}");
        }
    }
}

#[test]
fn presets_have_a_stage_for_the_read_out_and_each_layer() {
    let config = Preset::Tiny.config();
    let network = Network::new(&config, VOCAB, LEN, 1, &Device::flex()).expect("a network");
    assert_eq!(network.stages().len(), 1 + config.layers);
}
