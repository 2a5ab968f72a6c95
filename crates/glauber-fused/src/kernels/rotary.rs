//! Rotary positions: halves of a head rotated against each other.

use rayon::prelude::*;

use super::rows_a_thread;
use super::simd::vectorised;
use crate::array::Array;
use crate::operation::{Operation, Output};

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
    /// One head's rotated states, scaled: from rows `from.1` apart into rows `out.1` apart.
    pub fn rotate(self, out: (&mut [f32], usize), from: (&[f32], usize), width: usize, scale: f32) {
        rotate(self, out, from, width, scale, false);
    }

    /// The gradient by one head's states, from the gradient by what [`rotate`](Self::rotate) made of them.
    pub fn rotate_back(self, out: (&mut [f32], usize), gradient: (&[f32], usize), width: usize, scale: f32) {
        rotate(self, out, gradient, width, scale, true);
    }

    /// Cosines and signed sines of each site.
    #[inline(always)]
    fn sites(&self, width: usize) -> impl Iterator<Item = (&[f32], &[f32])> {
        self.cos.chunks_exact(width).zip(self.sin.chunks_exact(width))
    }
}

/// Rotation of the first heads of every site, the rest as it is: input and output `[batch, site, width]`.
#[derive(Debug, Clone)]
pub(crate) struct Rotation {
    pub sites: usize,
    pub width: usize,
    /// Heads to rotate.
    pub heads: usize,
    pub head_width: usize,
    pub tables: Tables,
}

impl Rotation {
    /// Turns each head as `turn(tables, out, from)` says, where `out` and `from` begin with the head at the first site.
    fn turned(&self, x: &[f32], turn: impl Fn(RowTables<'_>, &mut [f32], &[f32]) + Sync) -> Vec<f32> {
        let row = self.sites * self.width;
        let mut out = x.to_vec();
        let rows = out.par_chunks_mut(row).zip(x.par_chunks(row)).with_min_len(rows_a_thread(row));
        rows.enumerate().for_each(|(at, (out, x))| {
            let tables = self.tables.of(at);
            (0..self.heads).map(|head| head * self.head_width).for_each(|at| turn(tables, &mut out[at..], &x[at..]));
        });
        out
    }
}

impl Operation<1> for Rotation {
    fn forward(&self, [x]: [&[f32]; 1], _keep: bool) -> Output {
        let (stride, width) = (self.width, self.head_width);
        let values = self.turned(x, |tables, out, x| tables.rotate((out, stride), (x, stride), width, 1.0));
        Output { values, kept: Vec::new() }
    }

    fn backward(&self, _: [&[f32]; 1], _kept: &[f32], gradient: &[f32]) -> [Vec<f32>; 1] {
        let (stride, width) = (self.width, self.head_width);
        [self.turned(gradient, |tables, out, by| tables.rotate_back((out, stride), (by, stride), width, 1.0))]
    }
}

vectorised! {
    /// The rotation, or back its transpose: with the signed sines of either half in place of the other's.
    fn rotate<'a>(
        tables: RowTables<'a>,
        out: (&'a mut [f32], usize),
        from: (&'a [f32], usize),
        width: usize,
        scale: f32,
        back: bool,
    ) {
        let ((out, out_stride), (from, stride)) = (out, from);
        let half = width / 2;
        for (site, (cos, sin)) in tables.sites(width).enumerate() {
            let (low, high) = from[site * stride..site * stride + width].split_at(half);
            let (out_low, out_high) = out[site * out_stride..site * out_stride + width].split_at_mut(half);
            let (sin_low, sin_high) = if back { (&sin[half..], &sin[..half]) } else { (&sin[..half], &sin[half..]) };
            let parts = low.iter().zip(high).zip(cos[..half].iter().zip(sin_low));
            for (out, ((&low, &high), (&cos, &sin))) in out_low.iter_mut().zip(parts) {
                *out = scale * (low * cos + high * sin);
            }
            let parts = low.iter().zip(high).zip(cos[half..].iter().zip(sin_high));
            for (out, ((&low, &high), (&cos, &sin))) in out_high.iter_mut().zip(parts) {
                *out = scale * (high * cos + low * sin);
            }
        }
    }
}
