//! Weights drawn on the host from one seed, so that every device starts from the same network.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};

use glauber_chain::ChainRng;

/// Standard deviation of the embedding tables' entries.
const EMBEDDING_DEVIATION: f64 = 0.02;

/// Draws every weight that does not start at zero.
pub(crate) fn draw_weights<M: Module>(module: M, seed: u64) -> M {
    module.map(&mut Draw { rng: ChainRng::new(seed, 0), path: Vec::new() })
}

struct Draw {
    rng: ChainRng,
    path: Vec<String>,
}

impl Draw {
    fn on_path(&self, name: &str) -> bool {
        self.path.iter().any(|part| part == name)
    }

    /// Uniform with standard deviation `deviation`: bounded, and one draw an entry.
    fn values(&mut self, count: usize, deviation: f64) -> Vec<f32> {
        let bound = 3f64.sqrt() * deviation;
        let mut entry = || ((2.0 * self.rng.uniform() - 1.0) * bound) as f32;
        (0..count).map(|_| entry()).collect()
    }
}

impl ModuleMapper for Draw {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.into());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        // Gates, shifts, scales and the read-out start at zero (adaLN-Zero); so do biases, the only vectors.
        if D != 2 || self.on_path("modulation") || self.on_path("head") {
            return param;
        }
        let shape = param.shape();
        let fan_in = shape[0] as f64;
        let deviation = match self.on_path("table") || self.on_path("class_table") || self.on_path("ends") {
            true => EMBEDDING_DEVIATION,
            false => (1.0 / (3.0 * fan_in)).sqrt(),
        };
        let values = self.values(shape.num_elements(), deviation);
        param.map(|old| Tensor::from_data(TensorData::new(values, shape), &old.device()))
    }
}
