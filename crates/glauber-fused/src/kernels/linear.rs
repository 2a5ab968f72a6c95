//! A linear layer.

use super::matmul::{Before, Matrix, MatrixMut, multiply};
use super::{column_sums, repeated};
use crate::operation::{Operation, Output};

/// `x · weight + bias`: inputs `x [row, input]`, `weight [input, output]`, `bias [output]`, or an empty one for none.
#[derive(Debug, Clone)]
pub(crate) struct Linear {
    pub input: usize,
    pub output: usize,
}

impl Operation<3> for Linear {
    fn forward(&self, [x, weight, bias]: [&[f32]; 3], _keep: bool) -> Output {
        let rows = x.len() / self.input;
        Output { values: affine(x, weight, bias, rows, self.input, self.output), kept: Vec::new() }
    }

    fn backward(&self, [x, weight, bias]: [&[f32]; 3], _kept: &[f32], gradient: &[f32]) -> [Vec<f32>; 3] {
        let (rows, input, output) = (x.len() / self.input, self.input, self.output);
        let gradients = Matrix::new(gradient, rows, output);
        let mut of_x = vec![0.0; x.len()];
        let weight = Matrix::new(weight, input, output).transposed();
        multiply(MatrixMut::new(&mut of_x, rows, input), gradients, weight, Before::Overwritten);
        let mut of_weight = vec![0.0; input * output];
        let x = Matrix::new(x, rows, input).transposed();
        multiply(MatrixMut::new(&mut of_weight, input, output), x, gradients, Before::Overwritten);
        let of_bias = if bias.is_empty() { Vec::new() } else { column_sums(gradient, output) };
        [of_x, of_weight, of_bias]
    }
}

/// `x · weight + bias`, an empty bias being none.
pub(super) fn affine(x: &[f32], weight: &[f32], bias: &[f32], rows: usize, input: usize, output: usize) -> Vec<f32> {
    let (mut out, before) = match bias.is_empty() {
        true => (vec![0.0; rows * output], Before::Overwritten),
        false => (repeated(bias, rows), Before::Added),
    };
    let (x, weight) = (Matrix::new(x, rows, input), Matrix::new(weight, input, output));
    multiply(MatrixMut::new(&mut out, rows, output), x, weight, before);
    out
}
