//! Matrix products of strided views, without copies.

use std::ops::Range;

use gemm::Parallelism;

/// A matrix within an array.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

/// A matrix within an array that may be written, its rows without gaps between columns.
pub(crate) struct MatrixMut<'a> {
    values: &'a mut [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `rows × columns` numbers, rows `stride` apart.
    pub fn strided(values: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(fits(values.len(), rows, columns, stride), "matrix outside its array");
        Self { values, rows, columns, row_stride: stride, column_stride: 1 }
    }

    /// `rows × columns` numbers without gaps.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns)
    }

    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Some rows and columns of it.
    pub fn part(self, rows: Range<usize>, columns: Range<usize>) -> Self {
        assert!(rows.end <= self.rows && columns.end <= self.columns, "part outside its matrix");
        let begin = rows.start * self.row_stride + columns.start * self.column_stride;
        Self { values: &self.values[begin..], rows: rows.len(), columns: columns.len(), ..self }
    }

    /// The same numbers, rows for columns.
    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }
}

impl<'a> MatrixMut<'a> {
    /// `rows × columns` numbers, rows `stride` apart.
    pub fn strided(values: &'a mut [f32], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(fits(values.len(), rows, columns, stride), "matrix outside its array");
        assert!(rows < 2 || stride >= columns, "rows over each other");
        Self { values, rows, columns, row_stride: stride }
    }

    /// `rows × columns` numbers without gaps.
    pub fn new(values: &'a mut [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns)
    }
}

/// Whether every entry of the matrix lies within an array.
fn fits(len: usize, rows: usize, columns: usize, stride: usize) -> bool {
    rows == 0 || columns == 0 || (rows - 1) * stride + columns <= len
}

/// What becomes of the output's numbers.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Before {
    Overwritten,
    /// `out + a · b`.
    Added,
    /// `kept · out + scale · a · b`.
    Scaled {
        kept: f32,
        scale: f32,
    },
}

/// `out = a · b`, or what `before` says.
#[allow(unsafe_code)]
pub(crate) fn multiply(out: MatrixMut<'_>, a: Matrix<'_>, b: Matrix<'_>, before: Before) {
    assert!(out.rows == a.rows && out.columns == b.columns && a.columns == b.rows, "shapes that do not multiply");
    let threads = match rayon::current_num_threads() {
        1 => Parallelism::None,
        threads => Parallelism::Rayon(threads),
    };
    let (kept, scale) = match before {
        Before::Overwritten | Before::Added => (1.0, 1.0),
        Before::Scaled { kept, scale } => (kept, scale),
    };
    // SAFETY: every entry that the sizes and strides name lies within its slice (checked when the views were made, in either
    // orientation), entries of `out` do not lie over each other, and `out` is borrowed mutably, so it is apart from `a` and `b`.
    // What it is worth: `cargo bench --bench fused`, against the same products through burn's safe operations.
    unsafe {
        gemm::gemm(
            out.rows,
            out.columns,
            a.columns,
            out.values.as_mut_ptr(),
            1,
            out.row_stride as isize,
            before != Before::Overwritten,
            a.values.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.values.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            kept,
            scale,
            false,
            false,
            false,
            threads,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every orientation against the sum written out, within arrays that hold more than the matrices.
    #[test]
    fn products_of_views_are_the_sums_written_out() {
        let (rows, inner, columns, gap) = (5, 7, 3, 2);
        let array = |len: usize| (0..len).map(|i| (i * 37 % 11) as f32 - 5.0).collect::<Vec<f32>>();
        for (a_turned, b_turned, before) in [
            (false, false, Before::Overwritten),
            (true, false, Before::Added),
            (false, true, Before::Added),
            (true, true, Before::Overwritten),
        ] {
            let (a, b) = (array(100), array(90));
            let view = |values, rows, columns, turned: bool| match turned {
                false => Matrix::strided(values, rows, columns, columns + gap),
                true => Matrix::strided(values, columns, rows, rows + gap).transposed(),
            };
            let at = |m: &Matrix, i: usize, j: usize| m.values[i * m.row_stride + j * m.column_stride];
            let (a, b) = (view(&a, rows, inner, a_turned), view(&b, inner, columns, b_turned));
            let mut out = vec![1.0; rows * (columns + gap)];
            multiply(MatrixMut::strided(&mut out, rows, columns, columns + gap), a, b, before);
            for i in 0..rows {
                for j in 0..columns + gap {
                    let sum: f32 =
                        (0..inner).map(|k| if j < columns { at(&a, i, k) * at(&b, k, j) } else { 0.0 }).sum();
                    let kept = if j >= columns || before == Before::Added { 1.0 } else { 0.0 };
                    assert_eq!(out[i * (columns + gap) + j], sum + kept, "entry {i}, {j}");
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "outside")]
    fn a_view_past_its_array_is_refused() {
        Matrix::strided(&[0.0; 10], 3, 4, 4);
    }
}
