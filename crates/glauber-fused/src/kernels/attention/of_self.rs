//! A stream's attention over itself.

use rayon::prelude::*;

use super::{BLOCK, Blocks, HeadRows, Heads, Row, Source, row_of, spread};
use crate::array::Array;
use crate::kernels::Tables;
use crate::operation::{Operation, Output};

/// Attention of a stream over itself: input `[batch, site, 3 · width]`, queries, keys and values side by side.
#[derive(Debug, Clone)]
pub(crate) struct SelfAttention {
    pub sites: usize,
    pub width: usize,
    pub heads: usize,
    pub tables: Tables,
    /// `[1 or batch, site, site]`.
    pub bias: Array,
}

impl SelfAttention {
    fn blocks(&self) -> Blocks {
        Blocks::new(&self.bias, self.sites, self.sites, self.sites, BLOCK)
    }

    fn row<'a>(&'a self, row: usize, values: &'a [f32], blocks: &'a Blocks) -> Row<'a> {
        let Self { sites, width, heads, .. } = *self;
        let stride = 3 * width;
        Row {
            heads: Heads { heads, width: width / heads, queries: sites, keys: sites },
            queries: HeadRows { values, stride },
            sources: vec![Source { values, stride, sites, keys_at: width, values_at: 2 * width }],
            tables: Some(self.tables.of(row)),
            bias: row_of(&self.bias, row, sites * sites),
            blocks: blocks.of(row),
        }
    }
}

impl Operation<1> for SelfAttention {
    fn forward(&self, [x]: [&[f32]; 1], keep: bool) -> Output {
        let Self { sites, width, heads, .. } = *self;
        let blocks = self.blocks();
        let row = |row| self.row(row, &x[row * sites * 3 * width..][..sites * 3 * width], &blocks);
        super::attend(row, x.len() / (sites * 3 * width), [sites * width, heads * sites * sites], keep)
    }

    fn backward(&self, [x]: [&[f32]; 1], kept: &[f32], gradient: &[f32]) -> [Vec<f32>; 1] {
        let Self { sites, width, heads, .. } = *self;
        let (stride, head_width, blocks) = (3 * width, width / heads, self.blocks());
        let mut of_x = vec![0.0; x.len()];
        let inputs = x.par_chunks(sites * stride).zip(kept.par_chunks(heads * sites * sites));
        let rows = of_x.par_chunks_mut(sites * stride).zip(inputs).zip(gradient.par_chunks(sites * width));
        rows.enumerate().for_each(|(at, ((of_x, (x, weights)), gradient))| {
            let row = self.row(at, x, &blocks);
            let (tables, scale) = (self.tables.of(at), row.scale());
            for (head, weights) in weights.chunks_exact(sites * sites).enumerate() {
                let by = row.backward(head, weights, gradient);
                let at = head * head_width;
                tables.rotate_back((&mut of_x[at..], stride), (&by.queries, head_width), head_width, scale);
                let out = (&mut of_x[width + at..], stride);
                tables.rotate_back(out, (&by.keys, head_width), head_width, 1.0);
                spread(&mut of_x[2 * width + at..], stride, &by.values, head_width, 1.0);
            }
        });
        [of_x]
    }
}
