//! The prior under a run's network: n-grams of its training data.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use glauber_chain::SitePrior;
use glauber_files::write_whole;
use glauber_model::PriorConfig;
use glauber_ngram::{NgramPrior, Parts, from_bytes, to_bytes};
use glauber_schedule::NoiseLaw;
use glauber_train::{SequenceSource, require};

use crate::error::Result;
use crate::run::checksums;
use crate::{RunError, RunFolder};

/// File of a run's n-grams.
pub(crate) const PRIOR: &str = "prior.safetensors";

/// Splits training data into parts, for passages of `len` tokens.
pub(crate) fn parts(passage: usize) -> Parts {
    Parts { count: 8, passage }
}

/// Counts the n-grams of training data, for passages of `len` tokens.
///
/// # Errors
/// If the data are not text, or the order is too large for their vocabulary.
pub(crate) fn count(
    config: &PriorConfig,
    source: &dyn SequenceSource,
    passage: usize,
    law: &NoiseLaw,
) -> Result<NgramPrior> {
    let expected = "none: these data have no order that n-grams could be counted in";
    let text = source.text();
    require(text.is_some(), "model.prior", "n-grams", expected)?;
    let text = text.unwrap_or_default();
    Ok(NgramPrior::fit(config.order, &text, &parts(passage), law)?)
}

/// Writes the n-grams of all data to the run folder, unless it has them.
pub(crate) fn keep(prior: &NgramPrior, folder: &RunFolder) -> Result<()> {
    let path = folder.path().join(PRIOR);
    if path.exists() {
        return Ok(());
    }
    let [left, right] = prior.ngrams(None);
    let bytes = to_bytes(&[left, right]).map_err(|error| RunError::Malformed(Box::new(error)))?;
    write_whole(&path, bytes).map_err(RunError::file(&path))?;
    folder.seal()
}

/// The prior of an existing run.
pub(crate) fn load(folder: &Path, law: &NoiseLaw) -> Result<Arc<dyn SitePrior>, RunError> {
    let path = folder.join(PRIOR);
    let hint = "restore the file, or delete it and resume the run, which rebuilds it";
    checksums::verify(folder, |name| name == PRIOR, hint)?;
    let bytes = fs::read(&path).map_err(RunError::file(&path))?;
    let damaged = |found: String| RunError::Damaged { path: path.clone(), found, hint };
    let ngrams = from_bytes(&bytes).map_err(|error| damaged(error.to_string()))?;
    let found = ngrams.len();
    let pair = <[_; 2]>::try_from(ngrams).map_err(|_| damaged(format!("{found} n-grams, not 2")))?;
    Ok(Arc::new(NgramPrior::new(pair, law).map_err(|error| damaged(error.to_string()))?))
}
