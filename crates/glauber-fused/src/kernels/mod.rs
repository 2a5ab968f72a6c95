//! Operations on contiguous arrays of f32, each with its backward.

mod attention;
mod convolution;
mod feed_forward;
mod group_norm;
mod linear;
mod log_probability;
mod matmul;
mod newton_schulz;
mod norm;
mod residual;
mod rotary;
mod simd;

pub(crate) use attention::{SelfAttention, StreamAttention};
pub(crate) use convolution::Convolution;
pub(crate) use feed_forward::FeedForward;
pub(crate) use group_norm::GroupNormSilu;
pub(crate) use linear::Linear;
pub(crate) use log_probability::LogProbability;
pub(crate) use newton_schulz::NewtonSchulz;
pub(crate) use norm::ModulatedNorm;
pub(crate) use residual::GatedResidual;
pub(crate) use rotary::{Rotation, Tables};

/// Rows of a batch share a vector of modulation: how many sites, and how wide.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sites {
    pub sites: usize,
    pub width: usize,
}

impl Sites {
    /// Numbers of one row of a batch.
    fn row(self) -> usize {
        self.sites * self.width
    }
}

/// How many rows of a batch, of so many numbers each, are work enough to be handed to another thread.
fn rows_a_thread(row: usize) -> usize {
    1 + (1 << 14) / row.max(1)
}

/// Adds `b` to `a`.
#[inline(always)]
fn add_to(a: &mut [f32], b: &[f32]) {
    for (a, &b) in a.iter_mut().zip(b) {
        *a += b;
    }
}

/// Sums rows of `width` numbers.
fn column_sums(rows: &[f32], width: usize) -> Vec<f32> {
    let mut sums = vec![0.0; width];
    add_rows(&mut sums, rows);
    sums
}

simd::vectorised! {
    fn add_rows<'a>(sums: &'a mut [f32], rows: &'a [f32]) {
        rows.chunks_exact(sums.len()).for_each(|row| add_to(sums, row));
    }
}

/// `count` copies of a row.
fn repeated(row: &[f32], count: usize) -> Vec<f32> {
    row.repeat(count)
}
