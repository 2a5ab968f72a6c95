//! Rotary positions: halves of a head rotated against each other.

use super::simd::vectorised;
use crate::array::Array;

/// Cosines and signed sines of some sites, each `[1 or batch, site, head width]`.
#[derive(Debug, Clone)]
pub(crate) struct Tables {
    pub cos: Array,
    pub sin: Array,
    /// Numbers of one row of the batch.
    pub row: usize,
}

/// Tables of one row of a batch.
#[derive(Clone, Copy)]
pub(super) struct RowTables<'a> {
    cos: &'a [f32],
    sin: &'a [f32],
}

impl Tables {
    /// Those of row `row`, or the one that all rows share.
    pub(super) fn of(&self, row: usize) -> RowTables<'_> {
        let at = (row * self.row) % self.cos.len();
        RowTables { cos: &self.cos[at..at + self.row], sin: &self.sin[at..at + self.row] }
    }
}

impl RowTables<'_> {
    /// One head's rotated states, scaled, from rows `stride` apart into rows without gaps.
    pub fn rotate(self, out: &mut [f32], from: &[f32], stride: usize, width: usize, scale: f32) {
        rotate(self, out, from, stride, width, scale);
    }

    /// The gradient by one head's states, from the gradient by what [`rotate`](Self::rotate) made of them.
    pub fn rotate_back(self, out: &mut [f32], stride: usize, gradient: &[f32], width: usize, scale: f32) {
        rotate_back(self, out, stride, gradient, width, scale);
    }

    #[inline(always)]
    fn site(&self, site: usize, width: usize) -> (&[f32], &[f32]) {
        let here = site * width..(site + 1) * width;
        (&self.cos[here.clone()], &self.sin[here])
    }
}

vectorised! {
    fn rotate<'a>(tables: RowTables<'a>, out: &'a mut [f32], from: &'a [f32], stride: usize, width: usize, scale: f32) {
        let half = width / 2;
        for (site, out) in out.chunks_exact_mut(width).enumerate() {
            let (cos, sin) = tables.site(site, width);
            let (low, high) = from[site * stride..site * stride + width].split_at(half);
            let (out_low, out_high) = out.split_at_mut(half);
            let parts = low.iter().zip(high).zip(cos[..half].iter().zip(&sin[..half]));
            for (out, ((&low, &high), (&cos, &sin))) in out_low.iter_mut().zip(parts) {
                *out = scale * (low * cos + high * sin);
            }
            let parts = low.iter().zip(high).zip(cos[half..].iter().zip(&sin[half..]));
            for (out, ((&low, &high), (&cos, &sin))) in out_high.iter_mut().zip(parts) {
                *out = scale * (high * cos + low * sin);
            }
        }
    }
}

vectorised! {
    /// The transpose of the rotation.
    fn rotate_back<'a>(tables: RowTables<'a>, out: &'a mut [f32], stride: usize, gradient: &'a [f32], width: usize, scale: f32) {
        let half = width / 2;
        for (site, gradient) in gradient.chunks_exact(width).enumerate() {
            let (cos, sin) = tables.site(site, width);
            let (low, high) = gradient.split_at(half);
            let (out_low, out_high) = out[site * stride..site * stride + width].split_at_mut(half);
            let parts = low.iter().zip(high).zip(cos[..half].iter().zip(&sin[half..]));
            for (out, ((&low, &high), (&cos, &sin))) in out_low.iter_mut().zip(parts) {
                *out = scale * (low * cos + high * sin);
            }
            let parts = low.iter().zip(high).zip(cos[half..].iter().zip(&sin[..half]));
            for (out, ((&low, &high), (&cos, &sin))) in out_high.iter_mut().zip(parts) {
                *out = scale * (high * cos + low * sin);
            }
        }
    }
}
