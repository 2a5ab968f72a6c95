//! Cross-entropy of samples under a known law.

use glauber_chain::SequenceLaw;
use glauber_tokens::TokenBatch;

use crate::{Judge, JudgeError, Score};

/// The cross-entropy of samples under a law, `−log₂ p` in bits per token: an [`Ngram`](crate::Ngram) fitted on training
/// data, or the source itself.
///
/// It is infinite if a sample is impossible. A value below that of held-out data means too probable or copied samples.
#[derive(Debug, Clone, Copy)]
pub struct CrossEntropy<L>(pub L);

impl<L: SequenceLaw> Judge for CrossEntropy<L> {
    fn name(&self) -> String {
        self.0.name()
    }

    fn judge(&self, samples: &TokenBatch) -> Result<Vec<Score>, JudgeError> {
        if samples.rows() == 0 {
            return Err(JudgeError::Empty);
        }
        let bits = self.0.surprise(samples)?.bits_per_token();
        Ok(vec![Score {
            name: format!("cross-entropy, {}", self.name()),
            value: bits.mean,
            standard_error: Some(bits.standard_error).filter(|error| error.is_finite()),
            unit: "bits a token",
        }])
    }
}
