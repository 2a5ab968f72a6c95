//! Networks that see something.

use std::sync::Arc;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, Tensor, TensorData};
use glauber_model::{ModelConfig, Network};
use glauber_ngram::{NgramPrior, Parts};
use glauber_schedule::NoiseLaw;

/// A network none of whose weights is zero: an untrained one is blind, and blind networks are hollow for free.
pub fn awake(config: &ModelConfig, vocab: usize, len: usize, seed: u64, device: &Device) -> Network {
    struct Wake(u32);
    impl ModuleMapper for Wake {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let shape = param.shape();
            let values: Vec<f32> = (0..shape.num_elements())
                .map(|_| {
                    self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (self.0 >> 8) as f32 / (1 << 24) as f32 - 0.5
                })
                .collect();
            param.map(|old| Tensor::from_data(TensorData::new(values, shape), &old.device()) * 0.5)
        }
    }
    let network = Network::new(config, vocab, len, seed, device).expect("valid sizes");
    let network = network.map(&mut Wake(seed as u32));
    // Where the configuration asks for a prior: one that has seen something.
    let text: Vec<u32> = (0..300).map(|at: usize| (at * at / 7 % vocab) as u32).collect();
    let law = NoiseLaw::uniform(vocab).expect("a law");
    network.set_prior(Arc::new(NgramPrior::fit(2, &text, &Parts { count: 2, passage: 1 }, &law).expect("a text")));
    network
}
