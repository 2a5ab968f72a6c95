//! Checks of the sequences that a source draws.

use glauber_tokens::Token;

use crate::{SequenceSource, TrainError};

/// Checks that a sequence fits the network. A network without classes ignores them.
pub(super) fn check(clean: &[Token], class: Option<usize>, vocab: usize, classes: usize) -> Result<(), TrainError> {
    let refuse = |found: String, expected: String| Err(TrainError::Sequence { found, expected });
    if let Some(token) = clean.iter().find(|&&token| token as usize >= vocab) {
        return refuse(format!("the token {token}"), format!("tokens of the vocabulary 0..{vocab}"));
    }
    match class {
        Some(class) if classes > 0 && class >= classes => {
            refuse(format!("the class {class}"), format!("one of the classes 0..{classes}"))
        }
        _ => Ok(()),
    }
}

/// `log γ` of a sequence of a source.
pub(super) fn density(source: &dyn SequenceSource, clean: &[Token]) -> Result<f64, TrainError> {
    let refuse = |found: String| {
        let expected =
            "a finite log-density of every sequence, as data of kind `energy` have, or another `train.objective`"
                .into();
        Err(TrainError::Sequence { found, expected })
    };
    match source.log_density(clean) {
        Some(log) if log.is_finite() => Ok(log),
        Some(log) => refuse(format!("a sequence of log-density {log}")),
        None => refuse("sequences without a density".into()),
    }
}
