//! Muon: momentum with orthogonalised matrices (Jordan et al., "Muon: An optimizer for hidden layers in neural
//! networks", 2024).

use burn::tensor::Tensor;
use glauber_fused::newton_schulz;

use crate::gradients::sum_of_squares;

/// Decay of the momentum.
const MOMENTUM: f64 = 0.95;

/// Coefficients of the quintic iteration, from the source named above.
const QUINTIC: [f64; 3] = [3.4445, -4.7750, 2.0315];

/// Steps of the iteration.
const ITERATIONS: usize = 5;

/// Root mean square of an update divided by the learning rate. It equals AdamW's, so that both share one learning rate
/// (Liu et al., "Muon is Scalable for LLM Training", 2025, §2.2).
const UPDATE_SIZE: f64 = 0.2;

/// One step of a matrix; returns the matrix and its momentum. burn's Muon is not used, because it sums the norm in no
/// fixed order.
pub(crate) fn step<const D: usize>(
    matrix: Tensor<D>,
    gradient: Tensor<D>,
    momentum: Tensor<D>,
    rate: f64,
    decay: f64,
) -> (Tensor<D>, Tensor<D>) {
    let momentum = momentum.mul_scalar(MOMENTUM) + gradient.clone();
    let update = orthogonal(gradient + momentum.clone().mul_scalar(MOMENTUM));
    let longer = update.dims().into_iter().max().unwrap_or(1) as f64;
    let size = rate * UPDATE_SIZE * longer.sqrt();
    (matrix.mul_scalar(1.0 - rate * decay) - update.mul_scalar(size), momentum)
}

/// The matrix with its singular values moved near 1.
fn orthogonal<const D: usize>(matrix: Tensor<D>) -> Tensor<D> {
    let dims = matrix.dims();
    let norm = sum_of_squares(matrix.clone()).sqrt().max(1e-12);
    let matrix = matrix.div_scalar(norm).reshape([dims[D - 2], dims[D - 1]]);
    newton_schulz(matrix, QUINTIC, ITERATIONS).reshape(dims)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn updates_are_orthogonal_whatever_the_shape() {
        for dims in [[8, 24], [24, 8], [16, 16]] {
            // As good as random: the squares make every row another one.
            let values: Vec<f32> = (0..dims[0] * dims[1]).map(|at| (0.37 * (at * at) as f32).sin()).collect();
            let matrix = Tensor::<2>::from_data(TensorData::new(values, dims), &Device::flex());
            let x = orthogonal(matrix);
            let short = dims[0].min(dims[1]);
            let gram =
                if dims[0] > dims[1] { x.clone().transpose().matmul(x) } else { x.clone().matmul(x.transpose()) };
            let trace: f64 = (0..short)
                .map(|i| gram.clone().slice([i..i + 1, i..i + 1]).into_data().iter::<f64>().sum::<f64>())
                .sum();
            let all = sum_of_squares(gram);
            // The iteration brings singular values to about 0.7..1.2, not to 1.
            let mean = trace / short as f64;
            assert!((0.6..1.4).contains(&mean), "{dims:?}: mean squared singular value {mean}");
            assert!(all < 1.6 * short as f64, "{dims:?}: {all} for {short} singular values");
        }
    }
}
