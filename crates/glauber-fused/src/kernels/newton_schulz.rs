//! The iteration of Newton and Schulz on the small square of a matrix.

use std::ops::Range;

use super::matmul::{Before, Matrix, MatrixMut, multiply};

/// Rows of a block of a symmetric product: blocks below the diagonal are copied, not computed.
const BLOCK: usize = 64;

/// Iterations taken on one square. More would lose small singular values: the square of a matrix has the squares of
/// theirs.
const A_SQUARE: usize = 3;

/// Iterations of `X ← (a + b S + c S²) X` with `S = X Xᵀ`; of a tall matrix from the right, with `S = Xᵀ X`.
pub(crate) struct NewtonSchulz {
    pub coefficients: [f32; 3],
    pub iterations: usize,
}

/// A matrix, and its shorter side.
struct Sides {
    rows: usize,
    columns: usize,
}

impl Sides {
    fn short(&self) -> usize {
        self.rows.min(self.columns)
    }

    /// The square of the shorter side: `tᵀ t` of the tall matrix `t`, because rows far apart are slow to gather.
    fn square(&self, x: &[f32]) -> Vec<f32> {
        let (short, long) = (self.short(), self.rows.max(self.columns));
        let turned = if self.rows <= self.columns { turned(x, self.rows, self.columns) } else { Vec::new() };
        let tall = Matrix::new(if turned.is_empty() { x } else { &turned }, long, short);
        let mut square = vec![0.0; short * short];
        symmetric(&mut square, tall.transposed(), tall, Before::Overwritten);
        square
    }

    /// A square matrix times `x`, or for a tall one `x` times it.
    fn applied(&self, factor: &[f32], x: &[f32]) -> Vec<f32> {
        let (factor, x) = (Matrix::new(factor, self.short(), self.short()), Matrix::new(x, self.rows, self.columns));
        let mut product = vec![0.0; self.rows * self.columns];
        let out = MatrixMut::new(&mut product, self.rows, self.columns);
        let [left, right] = if self.rows <= self.columns { [factor, x] } else { [x, factor] };
        multiply(out, left, right, Before::Overwritten);
        product
    }
}

impl NewtonSchulz {
    /// The iterations of a matrix of `rows × columns` numbers.
    ///
    /// All factors are polynomials of the first square `S`: they commute, and their products are symmetric. Several iterations
    /// therefore need one product with `X` at their end, and `S ← F S F` in place of a new square.
    pub fn run(&self, x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
        let sides = Sides { rows, columns };
        // Where the sides are nearly equal, the products with `X` are no more work than those in their place.
        let at_once = if 2 * rows.max(columns) >= 3 * sides.short() { A_SQUARE } else { 1 };
        let (mut x, mut left) = (x.to_vec(), self.iterations);
        while left > 0 {
            let count = left.min(at_once);
            x = sides.applied(&self.factor(sides.square(&x), sides.short(), count), &x);
            left -= count;
        }
        x
    }

    /// The product of the factors of some iterations.
    fn factor(&self, mut square: Vec<f32>, size: usize, count: usize) -> Vec<f32> {
        let [a, b, c] = self.coefficients;
        let times = |out: &mut [f32], left: &[f32], right: &[f32], before| {
            // Its rows are its columns, and those are gathered faster.
            symmetric(out, Matrix::new(left, size, size).transposed(), Matrix::new(right, size, size), before);
        };
        let mut all = Vec::new();
        let mut product = vec![0.0; size * size];
        for iteration in 1..=count {
            let mut factor = square.clone();
            times(&mut factor, &square, &square, Before::Scaled { kept: b, scale: c });
            factor.iter_mut().step_by(size + 1).for_each(|diagonal| *diagonal += a);
            if iteration < count {
                times(&mut product, &square, &factor, Before::Overwritten);
                times(&mut square, &product, &factor, Before::Overwritten);
            }
            if all.is_empty() {
                all = factor;
            } else {
                times(&mut product, &factor, &all, Before::Overwritten);
                std::mem::swap(&mut all, &mut product);
            }
        }
        all
    }
}

/// A product that is known to be symmetric: blocks on the diagonal and to the right of it, then the rest by reflection.
fn symmetric(out: &mut [f32], a: Matrix<'_>, b: Matrix<'_>, before: Before) {
    let (size, inner) = (b.columns(), a.columns());
    for begin in (0..size).step_by(BLOCK) {
        let (rows, right) = (begin..size.min(begin + BLOCK), begin..size);
        let strip = MatrixMut::strided(&mut out[begin * (size + 1)..], rows.len(), right.len(), size);
        multiply(strip, a.part(rows, 0..inner), b.part(0..inner, right), before);
    }
    reflect(out, size);
}

/// Rows and columns that are copied together, so that both sides stay in the cache.
const TILE: usize = 16;

fn tiles(size: usize) -> impl Iterator<Item = Range<usize>> {
    (0..size).step_by(TILE).map(move |begin| begin..size.min(begin + TILE))
}

/// Copies what is above the diagonal below it.
fn reflect(values: &mut [f32], size: usize) {
    for rows in tiles(size) {
        for columns in tiles(size).take_while(|columns| columns.start <= rows.start) {
            for row in rows.clone() {
                for column in columns.start..columns.end.min(row) {
                    values[row * size + column] = values[column * size + row];
                }
            }
        }
    }
}

/// A matrix by columns.
fn turned(values: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for along in tiles(rows) {
        for across in tiles(columns) {
            for row in along.clone() {
                for column in across.clone() {
                    out[column * rows + row] = values[row * columns + column];
                }
            }
        }
    }
    out
}
