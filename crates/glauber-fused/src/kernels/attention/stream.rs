//! Attention over streams of keys and values.

use rayon::prelude::*;

use super::{BLOCK, Blocks, HeadRows, Heads, Row, Source, few, row_of, spread};
use crate::array::Array;
use crate::operation::{Operation, Output};

/// Attention of queries `[batch, query, width]` over streams of keys and values side by side, each `[batch, site, 2 · width]`.
#[derive(Debug, Clone)]
pub(crate) struct StreamAttention<const STREAMS: usize> {
    pub queries: usize,
    pub sites: usize,
    pub width: usize,
    pub heads: usize,
    /// `[1 or batch, query, STREAMS · site]`, the first stream's sites first.
    pub bias: Array,
}

impl<const STREAMS: usize> StreamAttention<STREAMS> {
    /// Few queries are blocks of their own.
    fn blocks(&self) -> Blocks {
        let size = if self.queries <= few::MOST { 1 } else { BLOCK };
        Blocks::new(&self.bias, self.queries, STREAMS * self.sites, self.sites, size)
    }

    fn row<'a>(&'a self, row: usize, queries: &'a [f32], streams: [&'a [f32]; STREAMS], blocks: &'a Blocks) -> Row<'a> {
        let Self { sites, width, heads, .. } = *self;
        let (of_queries, of_stream, _) = self.sizes();
        let source = |values: &'a [f32]| Source {
            values: &values[row * of_stream..][..of_stream],
            stride: 2 * width,
            sites,
            keys_at: 0,
            values_at: width,
        };
        Row {
            heads: Heads { heads, width: width / heads, queries: self.queries, keys: STREAMS * sites },
            queries: HeadRows { values: &queries[row * of_queries..][..of_queries], stride: width },
            sources: streams.map(source).into(),
            tables: None,
            bias: row_of(&self.bias, row, self.queries * STREAMS * sites),
            blocks: blocks.of(row),
        }
    }

    /// Numbers of one row's queries, of one stream, and of the weights.
    fn sizes(&self) -> (usize, usize, usize) {
        let Self { queries, sites, width, heads, .. } = *self;
        (queries * width, sites * 2 * width, heads * queries * STREAMS * sites)
    }

    fn attend(&self, queries: &[f32], streams: [&[f32]; STREAMS], keep: bool) -> Output {
        let (of_queries, _, of_weights) = self.sizes();
        let blocks = self.blocks();
        let row = |row| self.row(row, queries, streams, &blocks);
        super::attend(row, queries.len() / of_queries, [of_queries, of_weights], keep)
    }

    /// Gradients by the queries and by each stream.
    fn attend_backward(
        &self,
        queries: &[f32],
        streams: [&[f32]; STREAMS],
        kept: &[f32],
        gradient: &[f32],
    ) -> (Vec<f32>, [Vec<f32>; STREAMS]) {
        let (of_queries, of_stream, of_weights) = self.sizes();
        let mut by_queries = vec![0.0; queries.len()];
        let mut by_streams = streams.map(|stream| vec![0.0; stream.len()]);
        let mut parts = by_streams.each_mut().map(|by_stream| by_stream.chunks_mut(of_stream));
        let outputs: Vec<_> = by_queries
            .chunks_mut(of_queries)
            .map(|by_queries| (by_queries, parts.each_mut().map(|part| part.next().unwrap_or_default())))
            .collect();
        let blocks = self.blocks();
        let learned = kept.par_chunks(of_weights).zip(gradient.par_chunks(of_queries));
        outputs.into_par_iter().zip(learned).enumerate().for_each(|(row, (out, (weights, gradient)))| {
            self.row_backward(&self.row(row, queries, streams, &blocks), weights, gradient, out);
        });
        (by_queries, by_streams)
    }

    fn row_backward(
        &self,
        row: &Row<'_>,
        weights: &[f32],
        gradient: &[f32],
        (by_queries, mut by_streams): (&mut [f32], [&mut [f32]; STREAMS]),
    ) {
        let Self { sites, width, heads, .. } = *self;
        let head_width = width / heads;
        for (head, weights) in weights.chunks_exact(self.queries * STREAMS * sites).enumerate() {
            let by = row.backward(head, weights, gradient);
            let at = head * head_width;
            spread(&mut by_queries[at..], width, &by.queries, head_width, row.scale());
            let keys = by.keys.chunks_exact(sites * head_width);
            let values = by.values.chunks_exact(sites * head_width);
            for (stream, (keys, values)) in by_streams.iter_mut().zip(keys.zip(values)) {
                spread(&mut stream[at..], 2 * width, keys, head_width, 1.0);
                spread(&mut stream[width + at..], 2 * width, values, head_width, 1.0);
            }
        }
    }
}

impl Operation<2> for StreamAttention<1> {
    fn forward(&self, [queries, stream]: [&[f32]; 2], keep: bool) -> Output {
        self.attend(queries, [stream], keep)
    }

    fn backward(&self, [queries, stream]: [&[f32]; 2], kept: &[f32], gradient: &[f32]) -> [Vec<f32>; 2] {
        let (by_queries, [by_stream]) = self.attend_backward(queries, [stream], kept, gradient);
        [by_queries, by_stream]
    }
}

impl Operation<3> for StreamAttention<2> {
    fn forward(&self, [queries, before, after]: [&[f32]; 3], keep: bool) -> Output {
        self.attend(queries, [before, after], keep)
    }

    fn backward(&self, [queries, before, after]: [&[f32]; 3], kept: &[f32], gradient: &[f32]) -> [Vec<f32>; 3] {
        let (by_queries, [by_before, by_after]) = self.attend_backward(queries, [before, after], kept, gradient);
        [by_queries, by_before, by_after]
    }
}
