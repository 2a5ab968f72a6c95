//! Softmax attention: scores, softmax and the weighted sum, a head and a block of queries at a time.

mod few;
mod of_self;
mod stream;

use std::ops::Range;

use rayon::prelude::*;

use super::matmul::{Before, Matrix, MatrixMut, multiply};
use super::rotary::RowTables;
use super::simd::{exp, maximum, sum, sum_2, vectorised};
use crate::array::Array;
use crate::operation::Output;

pub(crate) use of_self::SelfAttention;
pub(crate) use stream::StreamAttention;

/// Queries per block. Keys that the bias hides from a whole block are skipped. The scores of a block stay in the
/// processor's cache until the weighted sum is done.
const BLOCK: usize = 64;

/// Sizes of an attention.
#[derive(Debug, Clone, Copy)]
struct Heads {
    heads: usize,
    /// Width of one head.
    width: usize,
    queries: usize,
    keys: usize,
}

/// Layout of one head's queries, keys or values in one row of a batch: `stride` numbers per site.
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

/// The inputs of one row of a batch: `[site, stride]` queries, over one or more sources.
struct Row<'a> {
    heads: Heads,
    queries: HeadRows<'a>,
    sources: Vec<Source<'a>>,
    /// Rotations of queries and keys, if not applied yet.
    tables: Option<RowTables<'a>>,
    /// `[query, key]`, the keys of one source after those of another.
    bias: &'a [f32],
    /// Of all queries.
    blocks: &'a [Block],
}

/// Queries next to each other.
struct Block {
    queries: Range<usize>,
    /// Of each source, the keys from the first that any of the queries sees to the last, counted over all sources.
    seen: Vec<Range<usize>>,
}

/// The queries of each row of a batch in blocks; one list where all rows share a bias.
struct Blocks(Vec<Vec<Block>>);

impl Blocks {
    /// Of biases `[1 or batch, query, key]` over sources of `sites` keys each.
    fn new(bias: &[f32], queries: usize, keys: usize, sites: usize, size: usize) -> Self {
        let of_row = |bias: &[f32]| {
            let biases = bias.chunks(size * keys).enumerate();
            let block = |(at, bias): (usize, &[f32])| {
                let seen = (0..keys).step_by(sites).map(|first| seen(bias, keys, first..first + sites));
                Block { queries: at * size..at * size + bias.len() / keys, seen: seen.collect() }
            };
            biases.map(block).collect()
        };
        Self(bias.chunks(queries * keys).map(of_row).collect())
    }

    fn of(&self, row: usize) -> &[Block] {
        &self.0[row % self.0.len()]
    }
}

/// From the first key of a source that any query sees to the last, of biases `[query, key]`.
fn seen(bias: &[f32], keys: usize, source: Range<usize>) -> Range<usize> {
    let (mut first, mut end) = (source.end, source.start);
    for bias in bias.chunks_exact(keys) {
        let visible = |&bias: &f32| bias > f32::NEG_INFINITY;
        first = bias[source.start..first].iter().position(visible).map_or(first, |at| source.start + at);
        end = bias[end..source.end].iter().rposition(visible).map_or(end, |at| end + at + 1);
    }
    first.min(end)..end
}

/// One head's scaled queries and keys, both rotated; keys are empty if the sources are already rotated.
struct Prepared {
    queries: Vec<f32>,
    keys: Vec<f32>,
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

    /// The sources, each with its first key.
    fn sources(&self) -> impl Iterator<Item = (usize, &Source<'_>)> {
        self.sources.iter().scan(0, |next, source| {
            let first = *next;
            *next += source.sites;
            Some((first, source))
        })
    }

    fn prepared(&self, head: usize) -> Prepared {
        let Heads { width, queries, keys, .. } = self.heads;
        let (at, HeadRows { values, stride }) = (head * width, self.queries);
        let mut scaled = vec![0.0; queries * width];
        let Some(tables) = self.tables else {
            for (scaled, query) in scaled.chunks_exact_mut(width).zip(values[at..].chunks(stride)) {
                scaled.copy_from_slice(&query[..width]);
                scaled.iter_mut().for_each(|number| *number *= self.scale());
            }
            return Prepared { queries: scaled, keys: Vec::new() };
        };
        tables.rotate((&mut scaled, width), (&values[at..], stride), width, self.scale());
        let mut rotated = vec![0.0; keys * width];
        for (first, source) in self.sources() {
            let from = (&source.values[source.keys_at + at..], source.stride);
            tables.rotate((&mut rotated[first * width..], width), from, width, 1.0);
        }
        Prepared { queries: scaled, keys: rotated }
    }

    /// Keys of one head that a block sees, a matrix from each source, with what they are counted as over all sources.
    fn keys<'a>(
        &'a self,
        head: usize,
        prepared: &'a Prepared,
        block: &'a Block,
    ) -> impl Iterator<Item = (Range<usize>, Matrix<'a>)> {
        let width = self.heads.width;
        self.seen_of(block).map(move |(first, source, seen)| {
            let count = seen.len();
            let keys = match self.tables {
                Some(_) => Matrix::new(&prepared.keys[seen.start * width..], count, width),
                None => {
                    let at = (seen.start - first) * source.stride + source.keys_at + head * width;
                    Matrix::strided(&source.values[at..], count, width, source.stride)
                }
            };
            (seen, keys)
        })
    }

    /// The same of the values.
    fn values<'a>(&'a self, head: usize, block: &'a Block) -> impl Iterator<Item = (Range<usize>, Matrix<'a>)> {
        let width = self.heads.width;
        self.seen_of(block).map(move |(first, source, seen)| {
            let at = (seen.start - first) * source.stride + source.values_at + head * width;
            let values = Matrix::strided(&source.values[at..], seen.len(), width, source.stride);
            (seen, values)
        })
    }

    /// The sources that a block sees anything of: the first key, the source and the keys seen.
    fn seen_of<'a>(&'a self, block: &'a Block) -> impl Iterator<Item = (usize, &'a Source<'a>, Range<usize>)> {
        let seen = self.sources().zip(&block.seen).filter(|(_, seen)| !seen.is_empty());
        seen.map(|((first, source), seen)| (first, source, seen.clone()))
    }

    /// Whether the loops for few queries serve.
    fn has_few(&self) -> bool {
        self.blocks.iter().all(|block| block.queries.len() == 1) && self.tables.is_none()
    }

    /// Size of the buffer for weights in [`forward`](Self::forward) if they are not kept.
    fn room(&self) -> usize {
        let Heads { heads, queries, keys, .. } = self.heads;
        match self.has_few() {
            true => heads * queries * keys,
            false => queries.min(BLOCK) * keys,
        }
    }

    /// Attends with every head: `out [query, head · head width]`, `weights [head, query, key]`, or [`room`](Self::room) where they are not
    /// kept. Weights of keys that a block does not see are not written.
    fn forward(&self, out: &mut [f32], weights: &mut [f32]) {
        if self.has_few() {
            return few::forward(self, out, weights);
        }
        let Heads { heads, width, queries, keys } = self.heads;
        let kept = weights.len() == heads * queries * keys;
        for head in 0..heads {
            let prepared = self.prepared(head);
            for block in self.blocks {
                let (first, count) = (block.queries.start, block.queries.len());
                let at = if kept { (head * queries + first) * keys } else { 0 };
                let weights = &mut weights[at..][..count * keys];
                let asking = Matrix::new(&prepared.queries[first * width..], count, width);
                for (seen, seen_keys) in self.keys(head, &prepared, block) {
                    let scores = MatrixMut::strided(&mut weights[seen.start..], count, seen.len(), keys);
                    multiply(scores, asking, seen_keys.transposed(), Before::Overwritten);
                }
                softmax(weights, &self.bias[first * keys..], keys, &block.seen);
                let mut before = Before::Overwritten;
                for (seen, values) in self.values(head, block) {
                    let weights = Matrix::strided(&weights[seen.start..], count, seen.len(), keys);
                    let out = &mut out[first * heads * width + head * width..];
                    multiply(MatrixMut::strided(out, count, width, heads * width), weights, values, before);
                    before = Before::Added;
                }
            }
        }
    }

    /// Gradients of one head, given its weights `[query, key]` and the gradient `[query, head · head width]`.
    fn backward(&self, head: usize, weights: &[f32], gradient: &[f32]) -> HeadGradients {
        let Heads { heads, width, queries, keys } = self.heads;
        let prepared = self.prepared(head);
        let mut by = HeadGradients {
            queries: vec![0.0; queries * width],
            keys: vec![0.0; keys * width],
            values: vec![0.0; keys * width],
        };
        let mut slopes = vec![0.0; queries.min(BLOCK) * keys];
        for block in self.blocks {
            let (first, count) = (block.queries.start, block.queries.len());
            let (weights, slopes) = (&weights[first * keys..][..count * keys], &mut slopes[..count * keys]);
            let gradient = &gradient[first * heads * width + head * width..];
            let gradient = Matrix::strided(gradient, count, width, heads * width);
            for (seen, values) in self.values(head, block) {
                let out = MatrixMut::strided(&mut slopes[seen.start..], count, seen.len(), keys);
                multiply(out, gradient, values.transposed(), Before::Overwritten);
                let weights = Matrix::strided(&weights[seen.start..], count, seen.len(), keys).transposed();
                let out = MatrixMut::new(&mut by.values[seen.start * width..], seen.len(), width);
                multiply(out, weights, gradient, Before::Added);
            }
            through_the_softmax(slopes, weights, keys, &block.seen);
            let asking = Matrix::new(&prepared.queries[first * width..], count, width);
            for (seen, seen_keys) in self.keys(head, &prepared, block) {
                let slopes = Matrix::strided(&slopes[seen.start..], count, seen.len(), keys);
                let out = MatrixMut::new(&mut by.queries[first * width..], count, width);
                multiply(out, slopes, seen_keys, Before::Added);
                let out = MatrixMut::new(&mut by.keys[seen.start * width..], seen.len(), width);
                multiply(out, slopes.transposed(), asking, Before::Added);
            }
        }
        by
    }
}

/// The inputs of all rows of a batch, with the sizes of their outputs and weights.
fn attend<'a>(
    row: impl Fn(usize) -> Row<'a> + Sync,
    rows: usize,
    [of_out, of_weights]: [usize; 2],
    keep: bool,
) -> Output {
    let mut values = vec![0.0; rows * of_out];
    let outputs = values.par_chunks_mut(of_out).enumerate();
    if !keep {
        // Weights are written over each other.
        outputs.for_each_init(Vec::new, |weights, (at, out)| {
            let row = row(at);
            weights.resize(row.room(), 0.0);
            row.forward(out, weights);
        });
        return Output { values, kept: Vec::new() };
    }
    let mut kept = vec![0.0; rows * of_weights];
    outputs.zip(kept.par_chunks_mut(of_weights)).for_each(|((at, out), weights)| row(at).forward(out, weights));
    Output { values, kept }
}

vectorised! {
    /// Softmax in place of every row of scores, its bias added, over the keys that are seen.
    fn softmax<'a>(scores: &'a mut [f32], bias: &'a [f32], keys: usize, seen: &'a [Range<usize>]) {
        for (row, bias) in scores.chunks_exact_mut(keys).zip(bias.chunks_exact(keys)) {
            let mut top = f32::NEG_INFINITY;
            for seen in seen {
                let row = &mut row[seen.clone()];
                super::add_to(row, &bias[seen.clone()]);
                top = top.max(maximum(row));
            }
            let mut total = 0.0;
            for seen in seen {
                let row = &mut row[seen.clone()];
                for value in row.iter_mut() {
                    *value = exp(*value - top);
                }
                total += sum(row, |value| value);
            }
            let inverse = 1.0 / total;
            for seen in seen {
                for value in &mut row[seen.clone()] {
                    *value *= inverse;
                }
            }
        }
    }
}

vectorised! {
    /// Gradients by the weights become gradients by the scores, over the keys that are seen.
    fn through_the_softmax<'a>(slopes: &'a mut [f32], weights: &'a [f32], keys: usize, seen: &'a [Range<usize>]) {
        for (slopes, weights) in slopes.chunks_exact_mut(keys).zip(weights.chunks_exact(keys)) {
            let mut mean = 0.0;
            for seen in seen {
                mean += sum_2(&slopes[seen.clone()], &weights[seen.clone()], |slope, weight| slope * weight);
            }
            for seen in seen {
                for (slope, &weight) in slopes[seen.clone()].iter_mut().zip(&weights[seen.clone()]) {
                    *slope = weight * (*slope - mean);
                }
            }
        }
    }
}

/// Copies rows without gaps into rows `stride` apart.
fn spread(out: &mut [f32], stride: usize, rows: &[f32], width: usize, scale: f32) {
    for (site, row) in rows.chunks_exact(width).enumerate() {
        for (out, &number) in out[site * stride..][..width].iter_mut().zip(row) {
            *out = scale * number;
        }
    }
}

/// Row `row` of biases `[1 or batch, query, key]`.
fn row_of(bias: &Array, row: usize, len: usize) -> &[f32] {
    let at = (row * len) % bias.len();
    &bias[at..at + len]
}
