//! The number types of a training step.

use burn::tensor::{Device, FloatDType};
use glauber_model::Network;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// In which numbers the large layers of a training step compute, forward and backward. Weights, sums of gradients and the optimiser's state are of single
/// precision in any case, and so are evaluations and samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision throughout.
    #[default]
    F32,
    /// What goes into the large layers and comes out of them, and the gradients of their weights, is rounded to bfloat16 ([`Network::rounded`]): 8 bits of
    /// mantissa, faster on cards made for it. Its range is that of single precision: no loss needs scaling.
    Bf16,
}

impl Precision {
    /// A network that makes its products so.
    pub(crate) fn of(self, network: Network) -> Network {
        match self {
            Self::F32 => network,
            Self::Bf16 => network.rounded(FloatDType::BF16),
        }
    }

    /// # Errors
    /// [`TrainError::Config`] when the device has no such numbers.
    pub(crate) fn check(self, device: &Device) -> Result<(), TrainError> {
        if self == Self::F32 || device.supports_dtype(FloatDType::BF16) {
            return Ok(());
        }
        let expected =
            "f32, in the `config.toml` of a run that exists: this device (`--device`) does not compute in bf16".into();
        Err(TrainError::Config { key: "train.precision", found: "bf16".into(), expected })
    }
}
