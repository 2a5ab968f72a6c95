//! Attention of few queries: every key is read once, for all heads. A matrix product would first copy the keys, which
//! pays only for many queries.

use super::{Heads, Row, softmax};
use crate::kernels::simd::{dot, vectorised};

/// The largest number of queries for which the loops are faster.
pub(super) const MOST: usize = 4;

/// Layout of keys or values of all heads, and of their weights.
#[derive(Clone, Copy)]
struct Places {
    /// Numbers from one key to the next.
    stride: usize,
    /// Width of one head.
    width: usize,
    /// Weights from one head's to the next one's.
    apart: usize,
    keys: usize,
}

/// See [`Row::forward`]; every query is a block of its own, weights are `[head, query, key]`, and `out` is zero.
pub(super) fn forward(row: &Row<'_>, out: &mut [f32], weights: &mut [f32]) {
    let Heads { heads, width, queries, keys } = row.heads;
    let scale = row.scale();
    for (query, (block, out)) in row.blocks.iter().zip(out.chunks_exact_mut(heads * width)).enumerate() {
        let numbers = &row.queries.values[query * row.queries.stride..][..heads * width];
        let asking: Vec<f32> = numbers.iter().map(|number| scale * number).collect();
        let places = |stride, seen| Places { stride, width, apart: queries * keys, keys: seen };
        for (first, source, seen) in row.seen_of(block) {
            let from = &source.values[(seen.start - first) * source.stride + source.keys_at..];
            score(&mut weights[query * keys + seen.start..], &asking, from, places(source.stride, seen.len()));
        }
        for weights in weights[query * keys..].chunks_mut(queries * keys) {
            softmax(&mut weights[..keys], &row.bias[query * keys..][..keys], keys, &block.seen);
        }
        for (first, source, seen) in row.seen_of(block) {
            let from = &source.values[(seen.start - first) * source.stride + source.values_at..];
            weigh(out, &weights[query * keys + seen.start..], from, places(source.stride, seen.len()));
        }
    }
}

vectorised! {
    /// One query's scores `[head · apart + key]`.
    fn score<'a>(scores: &'a mut [f32], query: &'a [f32], keys: &'a [f32], places: Places) {
        for (at, key) in keys.chunks(places.stride).take(places.keys).enumerate() {
            let heads = query.chunks_exact(places.width).zip(key.chunks_exact(places.width));
            for (head, (query, key)) in heads.enumerate() {
                scores[head * places.apart + at] = dot(query, key);
            }
        }
    }

    /// Adds values of all heads, each as its weight `[head · apart + key]` says.
    fn weigh<'a>(out: &'a mut [f32], weights: &'a [f32], values: &'a [f32], places: Places) {
        for (at, value) in values.chunks(places.stride).take(places.keys).enumerate() {
            let heads = out.chunks_exact_mut(places.width).zip(value.chunks_exact(places.width));
            for (head, (out, value)) in heads.enumerate() {
                let weight = weights[head * places.apart + at];
                for (out, &value) in out.iter_mut().zip(value) {
                    *out += weight * value;
                }
            }
        }
    }
}
