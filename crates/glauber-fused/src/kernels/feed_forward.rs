//! Two linear layers with a ReLU between them.

use super::column_sums;
use super::linear::affine;
use super::matmul::{Before, Matrix, MatrixMut, multiply};
use super::simd::vectorised;
use crate::operation::{Operation, Output};

/// Rows worked on at a time: their hidden states stay in the processor's cache between the layers.
const TILE: usize = 256;

/// `relu(x · up + b) · down + c`: inputs `x [row, width]`, `up [width, hidden]`, `b [hidden]`, `down [hidden, width]`, `c [width]`.
#[derive(Debug, Clone)]
pub(crate) struct FeedForward {
    pub width: usize,
    pub hidden: usize,
}

impl Operation<5> for FeedForward {
    fn forward(&self, [x, up, b, down, c]: [&[f32]; 5], keep: bool) -> Output {
        let (width, hidden) = (self.width, self.hidden);
        let mut values = Vec::with_capacity(x.len());
        let mut kept = Vec::with_capacity(if keep { x.len() / width * hidden } else { 0 });
        for x in x.chunks(TILE * width) {
            let rows = x.len() / width;
            let mut states = affine(x, up, b, rows, width, hidden);
            rectify(&mut states);
            values.extend_from_slice(&affine(&states, down, c, rows, hidden, width));
            if keep {
                kept.extend_from_slice(&states);
            }
        }
        Output { values, kept }
    }

    fn backward(&self, [x, up, _, down, _]: [&[f32]; 5], kept: &[f32], gradient: &[f32]) -> [Vec<f32>; 5] {
        let (width, hidden) = (self.width, self.hidden);
        let mut of_x = vec![0.0; x.len()];
        let (mut of_up, mut of_down) = (vec![0.0; width * hidden], vec![0.0; hidden * width]);
        let mut of_b = vec![0.0; hidden];
        let up = Matrix::new(up, width, hidden).transposed();
        let down = Matrix::new(down, hidden, width).transposed();
        let tiles = of_x.chunks_mut(TILE * width).zip(x.chunks(TILE * width));
        let tiles = tiles.zip(gradient.chunks(TILE * width)).zip(kept.chunks(TILE * hidden));
        for (((of_x, x), gradient), states) in tiles {
            let rows = x.len() / width;
            let gradients = Matrix::new(gradient, rows, width);
            let mut slopes = vec![0.0; rows * hidden];
            multiply(MatrixMut::new(&mut slopes, rows, hidden), gradients, down, Before::Overwritten);
            through_the_rectifier(&mut slopes, states);
            let states = Matrix::new(states, rows, hidden).transposed();
            multiply(MatrixMut::new(&mut of_down, hidden, width), states, gradients, Before::Added);
            super::add_to(&mut of_b, &column_sums(&slopes, hidden));
            let slopes = Matrix::new(&slopes, rows, hidden);
            let x = Matrix::new(x, rows, width).transposed();
            multiply(MatrixMut::new(&mut of_up, width, hidden), x, slopes, Before::Added);
            multiply(MatrixMut::new(of_x, rows, width), slopes, up, Before::Overwritten);
        }
        [of_x, of_up, of_b, of_down, column_sums(gradient, width)]
    }
}

vectorised! {
    fn rectify<'a>(states: &'a mut [f32]) {
        states.iter_mut().for_each(|h| *h = if *h > 0.0 { *h } else { 0.0 });
    }

    /// The gradient by what was rectified: none where nothing came through.
    fn through_the_rectifier<'a>(slopes: &'a mut [f32], states: &'a [f32]) {
        for (slope, &h) in slopes.iter_mut().zip(states) {
            *slope = if h > 0.0 { *slope } else { 0.0 };
        }
    }
}
