//! The iteration of Newton and Schulz on the square of a matrix against the same iteration written out in f64.
#![cfg(feature = "cpu")]

use burn::tensor::{Device, Tensor, TensorData};
use glauber_fused::{composed, newton_schulz};

/// Those of Muon.
const QUINTIC: [f64; 3] = [3.4445, -4.7750, 2.0315];
const ITERATIONS: usize = 5;

/// Largest difference to f64, relative to the whole matrix, that is allowed on either path.
///
/// Measured: at most 8.5e-5 here on either path and 1.4e-4 with 256 × 1024 numbers, where the rank is 1. Matrices of equal
/// rows lose more on squares, 2.0e-4 here and 6.4e-4 there: their rounding errors are equal too, and add up.
const TOLERANCE: f64 = 3e-4;
const OF_EQUAL_ROWS: f64 = 2e-3;

/// A matrix by rows.
#[derive(Clone)]
struct Matrix {
    rows: usize,
    columns: usize,
    values: Vec<f64>,
}

impl Matrix {
    /// Numbers in −1..1, the same at every call.
    fn numbers(rows: usize, columns: usize, seed: u64) -> Self {
        let number = |at: usize| {
            let mixed = (at as u64 + 1 + seed * 7919).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            (mixed >> 40) as f64 / f64::from(1u32 << 23) - 1.0
        };
        Self { rows, columns, values: (0..rows * columns).map(number).collect() }
    }

    fn transposed(&self) -> Self {
        let at = |i: usize| self.values[i % self.rows * self.columns + i / self.rows];
        Self { rows: self.columns, columns: self.rows, values: (0..self.values.len()).map(at).collect() }
    }

    fn times(&self, other: &Self) -> Self {
        let mut values = vec![0.0; self.rows * other.columns];
        for (row, out) in self.values.chunks(self.columns).zip(values.chunks_mut(other.columns)) {
            for (by, of) in row.iter().zip(other.values.chunks(other.columns)) {
                out.iter_mut().zip(of).for_each(|(out, of)| *out += by * of);
            }
        }
        Self { rows: self.rows, columns: other.columns, values }
    }

    /// `a self + b other`.
    fn combined(&self, a: f64, other: &Self, b: f64) -> Self {
        let values = self.values.iter().zip(&other.values).map(|(x, y)| a * x + b * y).collect();
        Self { values, ..*self }
    }

    fn norm(&self) -> f64 {
        self.values.iter().map(|value| value * value).sum::<f64>().sqrt()
    }

    /// With norm 1, rounded to f32.
    fn normal(&self) -> Self {
        let norm = self.norm();
        Self { values: self.values.iter().map(|value| f64::from((value / norm) as f32)).collect(), ..*self }
    }

    /// Orthonormal rows made of these, by Gram and Schmidt.
    fn orthonormal(mut self) -> Self {
        for row in 0..self.rows {
            let (before, rest) = self.values.split_at_mut(row * self.columns);
            let own = &mut rest[..self.columns];
            for other in before.chunks(self.columns) {
                let along: f64 = other.iter().zip(&*own).map(|(x, y)| x * y).sum();
                own.iter_mut().zip(other).for_each(|(own, other)| *own -= along * other);
            }
            let norm = own.iter().map(|value| value * value).sum::<f64>().sqrt();
            own.iter_mut().for_each(|value| *value /= norm);
        }
        self
    }

    fn tensor(&self) -> Tensor<2> {
        let values: Vec<f32> = self.values.iter().map(|&value| value as f32).collect();
        Tensor::from_data(TensorData::new(values, [self.rows, self.columns]), &Device::flex())
    }

    /// The iteration as it is published, in f64.
    fn iterated(&self) -> Self {
        let [a, b, c] = QUINTIC;
        let iterate = |x: Self, _| {
            let square = x.times(&x.transposed());
            let factor = square.combined(b, &square.times(&square), c);
            x.combined(a, &factor.times(&x), 1.0)
        };
        let tall = self.rows > self.columns;
        let x = (0..ITERATIONS).fold(if tall { self.transposed() } else { self.clone() }, iterate);
        if tall { x.transposed() } else { x }
    }
}

/// Checks that both paths are within their tolerance of f64.
fn check(name: &str, matrix: &Matrix, tolerance: f64) {
    let matrix = matrix.normal();
    let expected = matrix.iterated();
    let apart = |found: Tensor<2>| {
        assert_eq!(found.dims(), [matrix.rows, matrix.columns], "{name}");
        let values = found.into_data().iter::<f64>().collect();
        Matrix { values, ..matrix }.combined(1.0, &expected, -1.0).norm() / expected.norm()
    };
    let fused = apart(newton_schulz(matrix.tensor(), QUINTIC, ITERATIONS));
    let plain = apart(composed::newton_schulz(matrix.tensor(), QUINTIC, ITERATIONS));
    assert!(plain <= TOLERANCE && fused <= tolerance, "{name}: {fused:e}, composed {plain:e}");
}

/// Wide, tall, square and nearly square; sides that are no multiple of a block.
const SHAPES: [[usize; 2]; 7] = [[48, 192], [192, 48], [70, 150], [150, 70], [96, 96], [72, 100], [1, 9]];

#[test]
fn random_matrices_agree_with_the_iteration_in_f64() {
    for [rows, columns] in SHAPES {
        check("random", &Matrix::numbers(rows, columns, 1), TOLERANCE);
    }
}

#[test]
fn matrices_of_low_rank_agree_too() {
    for [rows, columns] in SHAPES {
        for rank in [1, 4] {
            let low = Matrix::numbers(rows, rank, 2).times(&Matrix::numbers(rank, columns, 3));
            check(&format!("rank {rank}"), &low, TOLERANCE);
            let noisy = low.combined(1.0, &Matrix::numbers(rows, columns, 4), 1e-4);
            check(&format!("rank {rank} and noise"), &noisy, TOLERANCE);
        }
        let equal = Matrix { rows, columns: 1, values: vec![1.0; rows] }.times(&Matrix::numbers(1, columns, 5));
        check("equal rows", &equal, OF_EQUAL_ROWS);
    }
}

#[test]
fn singular_values_of_many_magnitudes_agree_too() {
    for decades in [4.0, 12.0] {
        let [mut left, right] = [[64, 64, 6], [64, 224, 7]]
            .map(|[rows, columns, seed]| Matrix::numbers(rows, columns, seed as u64).orthonormal());
        for row in left.values.chunks_mut(64) {
            let size = |at: usize| 10f64.powf(-decades * at as f64 / 63.0);
            row.iter_mut().enumerate().for_each(|(at, value)| *value *= size(at));
        }
        check(&format!("{decades} decades"), &left.times(&right), TOLERANCE);
    }
}

#[test]
fn a_matrix_of_zeros_stays_zero() {
    let zeros = Tensor::<2>::zeros([8, 24], &Device::flex());
    assert!(newton_schulz(zeros, QUINTIC, ITERATIONS).into_data().iter::<f32>().all(|value| value == 0.0));
}
