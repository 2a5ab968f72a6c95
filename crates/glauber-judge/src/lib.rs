#![doc = include_str!("../README.md")]
//! A [`Judge`] reads samples and gives scores. A [`TextJudge`] reads [`Texts`], in characters, which
//! generators with different tokens have in common; [`TextJudges`] joins them all in a table.
//!
//! No score alone is safe: constant text is likely under an n-gram, and noise is varied. What samples
//! are worth is their distance to held-out data in each score.

mod alphabet;
mod bootstrap;
mod clusters;
mod copies;
mod cross_entropy;
mod distinct;
mod error;
mod letter_entropy;
mod logistic;
mod mauve;
mod references;
mod repeats;
mod report;
mod self_bleu;
mod spelling;
mod text_judges;
mod text_ngram;
mod texts;
mod two_sample;

use glauber_chain::statistics::Estimate;
use glauber_tokens::TokenBatch;
use serde::Serialize;

pub use bootstrap::Bootstrap;
pub use copies::Copies;
pub use cross_entropy::CrossEntropy;
pub use distinct::Distinct;
pub use error::JudgeError;
pub use glauber_ngram::Ngram;
pub use letter_entropy::LetterEntropy;
pub use mauve::{Mauve, MauveSettings, mauve};
pub use repeats::Repeats;
pub use report::{Report, Row};
pub use self_bleu::SelfBleu;
pub use spelling::Spelling;
pub use text_judges::{TextJudges, TextSettings};
pub use text_ngram::TextNgram;
pub use texts::Texts;
pub use two_sample::TwoSample;

/// Tells how good samples are.
pub trait Judge {
    /// The name in tables.
    fn name(&self) -> String;

    /// Scores of samples, shape `[row, site]`: the same ones, in the same order, for any samples.
    ///
    /// # Errors
    /// When the samples do not fit to the judge; [`JudgeError::Own`] holds a reason of its own.
    fn judge(&self, samples: &TokenBatch) -> Result<Vec<Score>, JudgeError>;
}

/// Tells how good texts are: whatever tokens they were written in, characters are counted.
pub trait TextJudge {
    /// Scores of texts: the same ones, in the same order, for any texts.
    ///
    /// # Errors
    /// When the texts are too few or too short; [`JudgeError::Own`] holds a reason of its own.
    fn judge(&self, texts: &Texts, bootstrap: &Bootstrap) -> Result<Vec<Score>, JudgeError>;

    /// Whether the distance of one of its scores to that of held-out text is a score too.
    fn by_gap(&self, score: &Score) -> bool {
        let _ = score;
        false
    }
}

/// What a judge says in one number.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Score {
    /// What is measured.
    pub name: String,
    /// How much of it.
    pub value: f64,
    /// The standard error over the samples, where it is known.
    pub standard_error: Option<f64>,
    /// What the value counts, for instance `bits a token`.
    pub unit: &'static str,
}

impl Score {
    /// What was estimated. An error that is not finite is not known.
    pub fn of(name: impl Into<String>, estimate: Estimate, unit: &'static str) -> Self {
        let Estimate { mean, standard_error } = estimate;
        Self {
            name: name.into(),
            value: mean,
            standard_error: Some(standard_error).filter(|error| error.is_finite()),
            unit,
        }
    }

    /// The distance to the same score of held-out text, whose own error counts too; 0 where this is it.
    fn gap(&self, held_out: Option<&Self>) -> Self {
        let error = |real: &Self| self.standard_error.zip(real.standard_error).map(|(a, b)| a.hypot(b));
        Self {
            name: format!("{} gap", self.name),
            value: held_out.map_or(0.0, |real| self.value - real.value),
            standard_error: held_out.and_then(error),
            unit: self.unit,
        }
    }
}
