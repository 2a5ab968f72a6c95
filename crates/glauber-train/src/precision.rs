//! The number types of a training step.

use burn::tensor::{Device, FloatDType};
use glauber_model::Network;
use serde::{Deserialize, Serialize};

use crate::{TrainError, require};

/// Number type of the large layers in a training step, forward and backward. Weights, sums of gradients, the
/// optimiser's state, evaluations and samples always use single precision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// Single precision throughout.
    #[default]
    F32,
    /// Inputs and outputs of large layers, and the gradients of their weights, are rounded to bfloat16
    /// ([`Network::rounded`]): 8 bits of mantissa, faster on GPUs that support it. The range equals that of single
    /// precision, so no loss scaling is needed.
    Bf16,
}

impl Precision {
    /// A network with this precision.
    pub(crate) fn of(self, network: Network) -> Network {
        match self {
            Self::F32 => network,
            Self::Bf16 => network.rounded(FloatDType::BF16),
        }
    }

    /// # Errors
    /// [`TrainError::Config`] when the device does not support the type.
    pub(crate) fn check(self, device: &Device) -> Result<(), TrainError> {
        let expected =
            "f32, in the `config.toml` of a run that exists: this device (`--device`) does not compute in bf16";
        let supported = self == Self::F32 || device.supports_dtype(FloatDType::BF16);
        require(supported, "train.precision", "bf16", expected)
    }
}
