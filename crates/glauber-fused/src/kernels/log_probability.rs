//! The log-probability of one token of each row of logits.

use rayon::prelude::*;

use super::simd::{exp, maximum, sum, vectorised};
use crate::operation::{Operation, Output};

/// `log softmax(logits)[token]`, nats, `[row]`: input `logits [row, token]`.
#[derive(Debug, Clone)]
pub(crate) struct LogProbability {
    /// Tokens of the vocabulary.
    pub vocab: usize,
    /// The token asked for in each row.
    pub tokens: Vec<usize>,
}

/// Rows of one task.
const TILE: usize = 64;

impl Operation<1> for LogProbability {
    fn forward(&self, [logits]: [&[f32]; 1], _keep: bool) -> Output {
        let mut values = vec![0.0; self.tokens.len()];
        let mut totals = vec![0.0; self.tokens.len()];
        let outputs = values.par_chunks_mut(TILE).zip(totals.par_chunks_mut(TILE));
        let inputs = logits.par_chunks(TILE * self.vocab).zip(self.tokens.par_chunks(TILE));
        outputs.zip(inputs).for_each(|((values, totals), (logits, tokens))| {
            normalise(values, totals, logits, tokens);
        });
        Output { values, kept: totals }
    }

    fn backward(&self, [logits]: [&[f32]; 1], kept: &[f32], gradient: &[f32]) -> [Vec<f32>; 1] {
        let mut of_logits = vec![0.0; logits.len()];
        let outputs = of_logits.par_chunks_mut(TILE * self.vocab).zip(logits.par_chunks(TILE * self.vocab));
        let rows = kept.par_chunks(TILE).zip(gradient.par_chunks(TILE)).zip(self.tokens.par_chunks(TILE));
        outputs.zip(rows).for_each(|((of_logits, logits), ((totals, gradients), tokens))| {
            back(of_logits, [logits, totals, gradients], tokens);
        });
        [of_logits]
    }
}

vectorised! {
    fn normalise<'a>(values: &'a mut [f32], totals: &'a mut [f32], logits: &'a [f32], tokens: &'a [usize]) {
        let rows = logits.chunks_exact(logits.len() / tokens.len()).zip(tokens);
        for ((value, total), (row, &token)) in values.iter_mut().zip(totals).zip(rows) {
            let top = maximum(row);
            *total = top + sum(row, |logit| exp(logit - top)).ln();
            *value = row[token] - *total;
        }
    }
}

vectorised! {
    /// The gradient by a row: the label less the softmax, as often as the loss asks.
    fn back<'a>(of_logits: &'a mut [f32], inputs: [&'a [f32]; 3], tokens: &'a [usize]) {
        let [logits, totals, gradients] = inputs;
        let vocab = logits.len() / tokens.len();
        let rows = of_logits.chunks_exact_mut(vocab).zip(logits.chunks_exact(vocab));
        for ((of_row, row), ((&total, &gradient), &token)) in rows.zip(totals.iter().zip(gradients).zip(tokens)) {
            for (of_logit, &logit) in of_row.iter_mut().zip(row) {
                *of_logit = -gradient * exp(logit - total);
            }
            of_row[token] += gradient;
        }
    }
}
