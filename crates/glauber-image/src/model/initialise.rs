//! Weights drawn on the host from one seed, so that every device starts from the same autoencoder.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};

use glauber_chain::ChainRng;

/// Draws every kernel and the codebook; biases stay at zero, the scales of normalisations at one.
pub(crate) fn draw_weights<M: Module>(module: M, seed: u64, stream: u64) -> M {
    module.map(&mut Draw { rng: ChainRng::new(seed, stream) })
}

struct Draw {
    rng: ChainRng,
}

impl ModuleMapper for Draw {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let shape = param.shape();
        let bound = match D {
            // Kernels: variance 1/(3 · fan-in), which keeps the scale through SiLU and residual sums.
            4 => 1.0 / ((shape[1] * shape[2] * shape[3]) as f64).sqrt(),
            // The codebook: as far out as normalised latents reach.
            2 => 1.0,
            _ => return param,
        };
        let values = (0..shape.num_elements()).map(|_| ((2.0 * self.rng.uniform() - 1.0) * bound) as f32);
        let data = TensorData::new(values.collect(), shape);
        param.map(|old| Tensor::from_data(data, &old.device()))
    }
}
