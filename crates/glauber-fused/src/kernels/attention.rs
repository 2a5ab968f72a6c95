//! Softmax attention with rotary positions: rotation, scores, softmax and the weighted sum, one head at a time.

use rayon::prelude::*;

use super::matmul::{Before, Matrix, MatrixMut, multiply};
use super::rotary::{RowTables, Tables};
use super::simd::{exp, maximum, sum, sum_2, vectorised};
use crate::array::Array;
use crate::operation::{Operation, Output};

/// Sizes of an attention.
#[derive(Debug, Clone, Copy)]
struct Heads {
    heads: usize,
    /// Width of one head.
    width: usize,
    queries: usize,
    keys: usize,
}

/// Where one head's queries, keys or values stand in one row of a batch: site after site, `stride` numbers apart.
#[derive(Clone, Copy)]
struct HeadRows<'a> {
    values: &'a [f32],
    stride: usize,
}

/// One source of keys and values of one row of a batch.
#[derive(Clone, Copy)]
struct Source<'a> {
    /// `[site, stride]`.
    values: &'a [f32],
    stride: usize,
    sites: usize,
    /// Where the keys of the first head begin within a site, and its values.
    keys_at: usize,
    values_at: usize,
}

/// What one row of a batch attends with: `[site, stride]` queries, over one or more sources.
struct Row<'a> {
    heads: Heads,
    queries: HeadRows<'a>,
    sources: Vec<Source<'a>>,
    query_tables: RowTables<'a>,
    key_tables: RowTables<'a>,
    /// `[query, key]`.
    bias: &'a [f32],
}

/// Gradients by one head's rotated queries and keys, and by its values.
struct HeadGradients {
    queries: Vec<f32>,
    keys: Vec<f32>,
    values: Vec<f32>,
}

impl Row<'_> {
    fn scale(&self) -> f32 {
        (self.heads.width as f32).powf(-0.5)
    }

    /// Rotated queries, scaled, and rotated keys of all sources one after another, of one head.
    fn rotated(&self, head: usize) -> (Vec<f32>, Vec<f32>) {
        let Heads { width, queries, keys, .. } = self.heads;
        let at = head * width;
        let mut rotated = (vec![0.0; queries * width], vec![0.0; keys * width]);
        let (from, stride) = (&self.queries.values[at..], self.queries.stride);
        self.query_tables.rotate(&mut rotated.0, from, stride, width, self.scale());
        let mut rest = rotated.1.as_mut_slice();
        for source in &self.sources {
            let (out, after) = rest.split_at_mut(source.sites * width);
            self.key_tables.rotate(out, &source.values[source.keys_at + at..], source.stride, width, 1.0);
            rest = after;
        }
        rotated
    }

    /// What each source contributes: its first key, and its values of one head as a matrix.
    fn values(&self, head: usize) -> impl Iterator<Item = (usize, usize, Matrix<'_>)> {
        let width = self.heads.width;
        self.sources.iter().scan(0, move |first, source| {
            let at = *first;
            *first += source.sites;
            let values = &source.values[source.values_at + head * width..];
            Some((at, source.sites, Matrix::strided(values, source.sites, width, source.stride)))
        })
    }

    /// Attends with every head: `out [query, head · head width]`, `weights [head, query, key]`.
    fn forward(&self, out: &mut [f32], weights: &mut [f32]) {
        let Heads { heads, width, queries, keys } = self.heads;
        for (head, weights) in weights.chunks_exact_mut(queries * keys).enumerate() {
            let (rotated_queries, rotated_keys) = self.rotated(head);
            let rotated_keys = Matrix::new(&rotated_keys, keys, width).transposed();
            let scores = MatrixMut::new(weights, queries, keys);
            multiply(scores, Matrix::new(&rotated_queries, queries, width), rotated_keys, Before::Overwritten);
            softmax(weights, self.bias, keys);
            let mut before = Before::Overwritten;
            for (first, sites, values) in self.values(head) {
                let weights = Matrix::strided(&weights[first..], queries, sites, keys);
                let out = MatrixMut::strided(&mut out[head * width..], queries, width, heads * width);
                multiply(out, weights, values, before);
                before = Before::Added;
            }
        }
    }

    /// Gradients of one head, given its weights `[query, key]` and the gradient `[query, head · head width]`.
    fn backward(&self, head: usize, weights: &[f32], gradient: &[f32]) -> HeadGradients {
        let Heads { heads, width, queries, keys } = self.heads;
        let gradient = Matrix::strided(&gradient[head * width..], queries, width, heads * width);
        let mut of_values = vec![0.0; keys * width];
        let turned = Matrix::new(weights, queries, keys).transposed();
        multiply(MatrixMut::new(&mut of_values, keys, width), turned, gradient, Before::Overwritten);
        let mut slopes = vec![0.0; queries * keys];
        for (first, sites, values) in self.values(head) {
            let out = MatrixMut::strided(&mut slopes[first..], queries, sites, keys);
            multiply(out, gradient, values.transposed(), Before::Overwritten);
        }
        through_the_softmax(&mut slopes, weights, keys);
        let (rotated_queries, rotated_keys) = self.rotated(head);
        let slopes = Matrix::new(&slopes, queries, keys);
        let (mut of_queries, mut of_keys) = (vec![0.0; queries * width], vec![0.0; keys * width]);
        let rotated_keys = Matrix::new(&rotated_keys, keys, width);
        multiply(MatrixMut::new(&mut of_queries, queries, width), slopes, rotated_keys, Before::Overwritten);
        let rotated_queries = Matrix::new(&rotated_queries, queries, width);
        multiply(MatrixMut::new(&mut of_keys, keys, width), slopes.transposed(), rotated_queries, Before::Overwritten);
        HeadGradients { queries: of_queries, keys: of_keys, values: of_values }
    }
}

vectorised! {
    /// Softmax in place of every row of scores, its bias added.
    fn softmax<'a>(scores: &'a mut [f32], bias: &'a [f32], keys: usize) {
        for (row, bias) in scores.chunks_exact_mut(keys).zip(bias.chunks_exact(keys)) {
            super::add_to(row, bias);
            let top = maximum(row);
            for value in row.iter_mut() {
                *value = exp(*value - top);
            }
            let inverse = 1.0 / sum(row, |value| value);
            for value in row.iter_mut() {
                *value *= inverse;
            }
        }
    }
}

vectorised! {
    /// Gradients by the weights become gradients by the scores.
    fn through_the_softmax<'a>(slopes: &'a mut [f32], weights: &'a [f32], keys: usize) {
        for (slopes, weights) in slopes.chunks_exact_mut(keys).zip(weights.chunks_exact(keys)) {
            let mean = sum_2(slopes, weights, |slope, weight| slope * weight);
            for (slope, &weight) in slopes.iter_mut().zip(weights) {
                *slope = weight * (*slope - mean);
            }
        }
    }
}

/// Copies rows without gaps into rows `stride` apart.
fn spread(out: &mut [f32], stride: usize, rows: &[f32], width: usize) {
    for (site, row) in rows.chunks_exact(width).enumerate() {
        out[site * stride..site * stride + width].copy_from_slice(row);
    }
}

/// Row `row` of biases `[1 or batch, query, key]`.
fn row_of(bias: &Array, row: usize, len: usize) -> &[f32] {
    let at = (row * len) % bias.len();
    &bias[at..at + len]
}

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
    fn row<'a>(&'a self, row: usize, values: &'a [f32]) -> Row<'a> {
        let Self { sites, width, heads, .. } = *self;
        let stride = 3 * width;
        Row {
            heads: Heads { heads, width: width / heads, queries: sites, keys: sites },
            queries: HeadRows { values, stride },
            sources: vec![Source { values, stride, sites, keys_at: width, values_at: 2 * width }],
            query_tables: self.tables.of(row),
            key_tables: self.tables.of(row),
            bias: row_of(&self.bias, row, sites * sites),
        }
    }
}

impl Operation<1> for SelfAttention {
    fn forward(&self, [x]: [&[f32]; 1], _keep: bool) -> Output {
        let Self { sites, width, heads, .. } = *self;
        let mut values = vec![0.0; x.len() / 3];
        let mut weights = vec![0.0; x.len() / (3 * width) * sites * heads];
        let outputs = values.par_chunks_mut(sites * width).zip(weights.par_chunks_mut(heads * sites * sites));
        outputs.zip(x.par_chunks(sites * 3 * width)).enumerate().for_each(|(row, ((values, weights), x))| {
            self.row(row, x).forward(values, weights);
        });
        Output { values, kept: weights }
    }

    fn backward(&self, [x]: [&[f32]; 1], kept: &[f32], gradient: &[f32]) -> [Vec<f32>; 1] {
        let Self { sites, width, heads, .. } = *self;
        let (stride, head_width) = (3 * width, width / heads);
        let mut of_x = vec![0.0; x.len()];
        let inputs = x.par_chunks(sites * stride).zip(kept.par_chunks(heads * sites * sites));
        let rows = of_x.par_chunks_mut(sites * stride).zip(inputs).zip(gradient.par_chunks(sites * width));
        rows.enumerate().for_each(|(row, ((of_x, (x, weights)), gradient))| {
            let row = self.row(row, x);
            for (head, weights) in weights.chunks_exact(sites * sites).enumerate() {
                let gradients = row.backward(head, weights, gradient);
                let at = head * head_width;
                let (tables, scale) = (row.query_tables, row.scale());
                tables.rotate_back(&mut of_x[at..], stride, &gradients.queries, head_width, scale);
                row.key_tables.rotate_back(&mut of_x[width + at..], stride, &gradients.keys, head_width, 1.0);
                spread(&mut of_x[2 * width + at..], stride, &gradients.values, head_width);
            }
        });
        [of_x]
    }
}

/// Attention of queries `[batch, query, width]` over streams of keys and values side by side, each `[batch, site, 2 · width]`.
#[derive(Debug, Clone)]
pub(crate) struct StreamAttention<const STREAMS: usize> {
    pub queries: usize,
    pub sites: usize,
    pub width: usize,
    pub heads: usize,
    pub query_tables: Tables,
    pub key_tables: Tables,
    /// `[1 or batch, query, STREAMS · site]`, the first stream's sites first.
    pub bias: Array,
}

impl<const STREAMS: usize> StreamAttention<STREAMS> {
    fn row<'a>(&'a self, row: usize, queries: &'a [f32], streams: [&'a [f32]; STREAMS]) -> Row<'a> {
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
            query_tables: self.query_tables.of(row),
            key_tables: self.key_tables.of(row),
            bias: row_of(&self.bias, row, self.queries * STREAMS * sites),
        }
    }

    /// Numbers of one row's queries, of one stream, and of the weights.
    fn sizes(&self) -> (usize, usize, usize) {
        let Self { queries, sites, width, heads, .. } = *self;
        (queries * width, sites * 2 * width, heads * queries * STREAMS * sites)
    }

    fn attend(&self, queries: &[f32], streams: [&[f32]; STREAMS]) -> Output {
        let (of_queries, _, of_weights) = self.sizes();
        let mut values = vec![0.0; queries.len()];
        let mut weights = vec![0.0; queries.len() / of_queries * of_weights];
        let outputs = values.par_chunks_mut(of_queries).zip(weights.par_chunks_mut(of_weights));
        outputs
            .enumerate()
            .for_each(|(row, (values, weights))| self.row(row, queries, streams).forward(values, weights));
        Output { values, kept: weights }
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
        let learned = kept.par_chunks(of_weights).zip(gradient.par_chunks(of_queries));
        outputs.into_par_iter().zip(learned).enumerate().for_each(|(row, (out, (weights, gradient)))| {
            self.row_backward(&self.row(row, queries, streams), weights, gradient, out);
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
            let gradients = row.backward(head, weights, gradient);
            let at = head * head_width;
            let (tables, scale) = (row.query_tables, row.scale());
            tables.rotate_back(&mut by_queries[at..], width, &gradients.queries, head_width, scale);
            let keys = gradients.keys.chunks_exact(sites * head_width);
            let values = gradients.values.chunks_exact(sites * head_width);
            for (stream, (keys, values)) in by_streams.iter_mut().zip(keys.zip(values)) {
                row.key_tables.rotate_back(&mut stream[at..], 2 * width, keys, head_width, 1.0);
                spread(&mut stream[width + at..], 2 * width, values, head_width);
            }
        }
    }
}

impl Operation<2> for StreamAttention<1> {
    fn forward(&self, [queries, stream]: [&[f32]; 2], _keep: bool) -> Output {
        self.attend(queries, [stream])
    }

    fn backward(&self, [queries, stream]: [&[f32]; 2], kept: &[f32], gradient: &[f32]) -> [Vec<f32>; 2] {
        let (by_queries, [by_stream]) = self.attend_backward(queries, [stream], kept, gradient);
        [by_queries, by_stream]
    }
}

impl Operation<3> for StreamAttention<2> {
    fn forward(&self, [queries, before, after]: [&[f32]; 3], _keep: bool) -> Output {
        self.attend(queries, [before, after])
    }

    fn backward(&self, [queries, before, after]: [&[f32]; 3], kept: &[f32], gradient: &[f32]) -> [Vec<f32>; 3] {
        let (by_queries, [by_before, by_after]) = self.attend_backward(queries, [before, after], kept, gradient);
        [by_queries, by_before, by_after]
    }
}
