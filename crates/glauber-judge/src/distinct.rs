//! How varied samples are.

use std::collections::HashSet;

use glauber_tokens::TokenBatch;

use crate::{Judge, JudgeError, Score};

/// Distinct-1, distinct-2 and so on: of all n-grams in the samples, the share that differs from
/// each other.
///
/// The shares fall with the number of samples and with their length: compare equal sets. Noise has
/// more of them than data, samples that repeat themselves have fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distinct {
    /// Tokens of the longest n-grams that are counted.
    pub longest: usize,
}

impl Judge for Distinct {
    fn name(&self) -> String {
        "distinct n-grams".into()
    }

    fn judge(&self, samples: &TokenBatch) -> Result<Vec<Score>, JudgeError> {
        let (longest, len) = (self.longest, samples.len());
        if samples.rows() == 0 {
            return Err(JudgeError::Empty);
        }
        if len < longest {
            return Err(JudgeError::Short { len, longest });
        }
        let share = |n: usize| {
            let different: HashSet<_> = samples.iter().flat_map(|row| row.windows(n)).collect();
            different.len() as f64 / (samples.rows() * (len + 1 - n)) as f64
        };
        let score = |n| Score { name: format!("distinct-{n}"), value: share(n), standard_error: None, unit: "share" };
        Ok((1..=longest).map(score).collect())
    }
}
