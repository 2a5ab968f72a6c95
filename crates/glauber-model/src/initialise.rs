//! Weights drawn on the host from one seed, so that every device starts from the same network.

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::{Tensor, TensorData};

use glauber_chain::ChainRng;

use crate::{Network, Role};

/// Standard deviation of the embedding tables' entries.
const EMBEDDING_DEVIATION: f64 = 0.02;

/// Draws every weight that does not start at zero.
pub(crate) fn draw_weights(network: Network, seed: u64) -> Network {
    let roles = network.roles().into_iter().collect();
    network.map(&mut Draw { rng: ChainRng::new(seed, 0), roles })
}

struct Draw {
    rng: ChainRng,
    roles: HashMap<ParamId, Role>,
}

impl Draw {
    /// Uniform with standard deviation `deviation`: bounded, with one draw per entry.
    fn values(&mut self, count: usize, deviation: f64) -> Vec<f32> {
        let bound = 3f64.sqrt() * deviation;
        let mut entry = || ((2.0 * self.rng.uniform() - 1.0) * bound) as f32;
        (0..count).map(|_| entry()).collect()
    }
}

impl ModuleMapper for Draw {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.shape();
        let fan_in = shape[0] as f64;
        let deviation = match self.roles[&param.id] {
            // Gates, shifts, scales and the read-out start at zero (adaLN-Zero); so do biases.
            Role::Modulation | Role::ReadOut | Role::Bias => return param,
            Role::Table => EMBEDDING_DEVIATION,
            Role::Hidden | Role::Join | Role::Linear => (1.0 / (3.0 * fan_in)).sqrt(),
        };
        let values = self.values(shape.num_elements(), deviation);
        param.map(|old| Tensor::from_data(TensorData::new(values, shape), &old.device()))
    }
}
