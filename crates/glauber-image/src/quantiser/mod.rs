//! Latents to indices and back.

mod codebook;
mod fsq;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use serde::{Deserialize, Serialize};

use crate::ImageError;
use crate::model::config::check_size;

pub use codebook::Codebook;
pub use fsq::Fsq;

/// Vocabularies above this are refused: indices and their sums stay exact in every number format on the way.
const LARGEST_VOCABULARY: usize = 1 << 24;

/// Configuration of a quantiser.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum QuantiserConfig {
    /// The nearest entry of a learnt table.
    Codebook {
        /// Entries of the table.
        entries: usize,
        /// Dimension of an entry.
        dim: usize,
    },
    /// Each channel rounded to one of a few levels.
    Fsq {
        /// Levels of each channel, at least 3 each.
        levels: Vec<usize>,
    },
}

impl QuantiserConfig {
    /// Number of indices.
    pub fn entries(&self) -> usize {
        match self {
            Self::Codebook { entries, .. } => *entries,
            Self::Fsq { levels } => levels.iter().fold(1, |product: usize, &l| product.saturating_mul(l)),
        }
    }

    /// Dimension of a latent.
    pub fn dim(&self) -> usize {
        match self {
            Self::Codebook { dim, .. } => *dim,
            Self::Fsq { levels } => levels.len(),
        }
    }

    /// Checks the sizes.
    ///
    /// # Errors
    /// [`ImageError::Setting`] names the key.
    pub fn validate(&self) -> Result<(), ImageError> {
        let too_few = |levels: &[usize]| levels.iter().any(|&l| l < 3);
        match self {
            Self::Fsq { levels } if levels.is_empty() || too_few(levels) => {
                Err(ImageError::setting("quantiser.levels", format!("{levels:?}"), "one or more numbers of at least 3"))
            }
            _ if !(1..=LARGEST_VOCABULARY).contains(&self.entries()) => {
                let expected = format!("a vocabulary of 1 to {LARGEST_VOCABULARY}");
                let key = match self {
                    Self::Codebook { .. } => "quantiser.entries",
                    Self::Fsq { .. } => "quantiser.levels",
                };
                Err(ImageError::setting(key, self.entries(), expected))
            }
            _ => check_size("quantiser.dim", self.dim()),
        }
    }
}

/// The result of quantisation in training.
#[derive(Debug, Clone)]
pub struct Quantised {
    /// Codes, `[position, dimension]`; gradients pass them as if they were the latents (straight-through).
    pub codes: Tensor<2>,
    /// Their indices, `[position]`.
    pub indices: Tensor<1, Int>,
    /// Mean squared distance from latents to codes, the commitment loss; `None` if latents are bounded.
    pub commitment: Option<Tensor<1>>,
}

/// A quantiser.
#[derive(Module, Debug)]
pub enum Quantiser {
    /// Nearest entry of a table.
    Codebook(Codebook),
    /// Finite scalar quantisation.
    Fsq(Fsq),
}

impl Quantiser {
    /// A quantiser of a valid configuration; a codebook's entries are zero.
    pub(crate) fn new(config: &QuantiserConfig, device: &Device) -> Self {
        match config {
            QuantiserConfig::Codebook { entries, dim } => Self::Codebook(Codebook::zeros(*entries, *dim, device)),
            QuantiserConfig::Fsq { levels } => Self::Fsq(Fsq::new(levels)),
        }
    }

    /// Latents `[position, dimension]` to indices `[position]`.
    pub fn indices(&self, latents: Tensor<2>) -> Tensor<1, Int> {
        match self {
            Self::Codebook(codebook) => codebook.indices(latents),
            Self::Fsq(fsq) => fsq.indices(latents),
        }
    }

    /// Indices `[position]` to codes `[position, dimension]`.
    pub fn codes(&self, indices: Tensor<1, Int>) -> Tensor<2> {
        match self {
            Self::Codebook(codebook) => codebook.codes(indices),
            Self::Fsq(fsq) => fsq.codes(indices),
        }
    }

    /// Latents `[position, dimension]` to codes that gradients pass.
    pub fn quantise(&self, latents: Tensor<2>) -> Quantised {
        match self {
            Self::Codebook(codebook) => codebook.quantise(latents),
            Self::Fsq(fsq) => fsq.quantise(latents),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_checked() {
        let message = |config: QuantiserConfig| config.validate().unwrap_err().to_string();
        assert_eq!(
            message(QuantiserConfig::Fsq { levels: vec![8, 2] }),
            "`quantiser.levels` is [8, 2], expected one or more numbers of at least 3"
        );
        assert!(message(QuantiserConfig::Fsq { levels: vec![64; 9] }).contains("vocabulary"));
        assert!(message(QuantiserConfig::Codebook { entries: 0, dim: 4 }).contains("quantiser.entries"));
        assert!(message(QuantiserConfig::Codebook { entries: 4, dim: 0 }).contains("quantiser.dim"));
        let fsq = QuantiserConfig::Fsq { levels: vec![8, 5, 5] };
        fsq.validate().unwrap();
        assert_eq!((fsq.entries(), fsq.dim()), (200, 3));
    }
}
