//! How good samples are, whatever drew them: judges of token sequences.
//!
//! A [`Judge`] reads samples and gives scores. No score alone is safe: constant text is likely under
//! an n-gram, and noise is varied. What samples are worth is their distance to held-out data in
//! each score.
//!
//! ```
//! use glauber_chain::{ExactGenerator, Generator, oracles::MarkovSource};
//! use glauber_judge::{CrossEntropy, Distinct, Judge, Ngram};
//!
//! let source = MarkovSource::random(5, 1, 2.0)?;
//! let data = ExactGenerator::new(&source, 64);
//! let ngram = Ngram::fit(2, 5, data.draw(200, 0)?.iter())?; // the two tokens before, 5 in all
//! let judges: [Box<dyn Judge>; 2] = [Box::new(CrossEntropy(&ngram)), Box::new(Distinct { longest: 4 })];
//! let (held_out, samples) = (data.draw(50, 1)?, ExactGenerator::new(&ngram, 64).draw(50, 2)?);
//! for judge in judges {
//!     for (real, found) in judge.judge(&held_out)?.iter().zip(judge.judge(&samples)?) {
//!         assert!((found.value - real.value).abs() < 0.2, "{real:?}, {found:?}");
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod cross_entropy;
mod distinct;
mod error;

use glauber_tokens::TokenBatch;

pub use cross_entropy::CrossEntropy;
pub use distinct::Distinct;
pub use error::JudgeError;
pub use glauber_ngram::Ngram;

/// Tells how good samples are.
pub trait Judge {
    /// What tables call it.
    fn name(&self) -> String;

    /// Scores of samples, shape `[row, site]`: the same ones, in the same order, for any samples.
    ///
    /// # Errors
    /// When the samples do not fit to the judge; [`JudgeError::Own`] holds a reason of its own.
    fn judge(&self, samples: &TokenBatch) -> Result<Vec<Score>, JudgeError>;
}

/// What a judge says in one number.
#[derive(Debug, Clone, PartialEq)]
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
