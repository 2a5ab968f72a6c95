//! Vector quantisation: the nearest entry of a table (van den Oord et al., "Neural Discrete Representation Learning", 2017).

use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Int, Tensor};

use super::Quantised;

/// Scores held at a time while searching.
const SCORES_AT_A_TIME: usize = 1 << 22;

/// A table of codes, `[entry, dimension]`.
#[derive(Module, Debug)]
pub struct Codebook {
    /// The entries.
    pub(crate) table: Param<Tensor<2>>,
}

impl Codebook {
    pub(crate) fn zeros(entries: usize, dim: usize, device: &Device) -> Self {
        Self { table: Initializer::Zeros.init([entries, dim], device) }
    }

    /// The entries, `[entry, dimension]`.
    pub fn table(&self) -> Tensor<2> {
        self.table.val()
    }

    /// The nearest entry in Euclidean distance: latents `[position, dimension]` to indices `[position]`.
    ///
    /// Positions are searched a few at a time, so that a table of many entries needs little memory.
    pub fn indices(&self, latents: Tensor<2>) -> Tensor<1, Int> {
        let table = self.table.val().inner();
        let latents = latents.inner();
        let [entries, _] = table.dims();
        let [positions, _] = latents.dims();
        // ‖x − e‖² without the ‖x‖² that all entries share.
        let squares = table.clone().square().sum_dim(1).reshape([1, entries]);
        let turned = table.transpose().mul_scalar(-2.0);
        let chunk = (SCORES_AT_A_TIME / entries).max(1);
        let nearest = |start: usize| {
            let some = latents.clone().narrow(0, start, chunk.min(positions - start));
            (some.matmul(turned.clone()) + squares.clone()).argmin(1).squeeze_dim::<1>(1)
        };
        Tensor::cat((0..positions).step_by(chunk).map(nearest).collect(), 0)
    }

    /// The entries of indices `[position]`, `[position, dimension]`.
    pub fn codes(&self, indices: Tensor<1, Int>) -> Tensor<2> {
        self.table.val().select(0, indices)
    }

    /// The nearest entries; neither codes nor commitment give the table a gradient, which follows the latents by moving averages.
    pub fn quantise(&self, latents: Tensor<2>) -> Quantised {
        let indices = self.indices(latents.clone());
        let nearest = self.table.val().inner().select(0, indices.clone());
        let distance = nearest.clone() - latents.clone();
        let codes = latents.clone() + (nearest - latents.inner());
        Quantised { codes, indices, commitment: Some(distance.square().mean()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::TensorData;
    use glauber_chain::ChainRng;

    fn random(rng: &mut ChainRng, rows: usize, columns: usize) -> Vec<f32> {
        (0..rows * columns).map(|_| (2.0 * rng.uniform() - 1.0) as f32).collect()
    }

    fn codebook(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Codebook {
        let mut codebook = Codebook::zeros(shape[0], shape[1], device);
        codebook.table = codebook.table.map(|_| Tensor::from_data(TensorData::new(values, shape), device));
        codebook
    }

    #[test]
    fn the_search_in_chunks_finds_the_nearest_entries() {
        let device = Device::flex();
        let (entries, dim, positions) = (1 << 14, 4, 600);
        let mut rng = ChainRng::new(3, 2);
        let table = random(&mut rng, entries, dim);
        let latents = random(&mut rng, positions, dim);
        assert!(positions * entries > 2 * SCORES_AT_A_TIME, "several chunks");
        let found = codebook(table.clone(), [entries, dim], &device)
            .indices(Tensor::from_data(TensorData::new(latents.clone(), [positions, dim]), &device));
        let found: Vec<i64> = found.into_data().iter().collect();
        assert_eq!(found.len(), positions);
        let distance = |entry: usize, at: usize| -> f64 {
            let pairs = table[entry * dim..][..dim].iter().zip(&latents[at * dim..][..dim]);
            pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum()
        };
        for (at, &index) in found.iter().enumerate() {
            let least = (0..entries).map(|entry| distance(entry, at)).fold(f64::INFINITY, f64::min);
            let excess = distance(index as usize, at) - least;
            assert!(excess < 1e-6, "position {at}: {excess} farther than the nearest");
        }
    }

    #[test]
    fn gradients_pass_straight_and_commitment_pulls_to_the_code() {
        let device = Device::flex();
        let codebook = codebook(vec![0.0, 0.0, 1.0, 1.0], [2, 2], &device).train();
        let latents = Tensor::<2>::from_data([[0.8, 0.6]], &device).autodiff().require_grad();
        let quantised = codebook.quantise(latents.clone());
        assert_eq!(quantised.indices.to_data().iter::<i64>().collect::<Vec<_>>(), [1]);
        let codes: Vec<f32> = quantised.codes.to_data().iter().collect();
        assert!(codes.iter().all(|c| (c - 1.0).abs() < 1e-6));
        let gradients = (quantised.codes * Tensor::from_data([[3.0, 5.0]], &device)).sum().backward();
        let gradient: Vec<f32> = latents.grad(&gradients).unwrap().into_data().iter().collect();
        assert_eq!(gradient, [3.0, 5.0]);

        let commitment = codebook.quantise(latents.clone()).commitment.unwrap();
        let gradients = commitment.backward();
        let gradient: Vec<f32> = latents.grad(&gradients).unwrap().into_data().iter().collect();
        // d/dx of the mean of (x − e)² over two numbers is x − e.
        assert!((gradient[0] + 0.2).abs() < 1e-6 && (gradient[1] + 0.4).abs() < 1e-6, "{gradient:?}");
        assert!(codebook.table.val().grad(&gradients).is_none());
    }
}
