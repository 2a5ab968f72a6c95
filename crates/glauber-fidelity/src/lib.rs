#![doc = include_str!("../README.md")]
//! A [`FeatureNetwork`] turns images into [`Features`] and, where it has them, classes. It is described by a [`NetworkConfig`]: a row of
//! layers, and which of them gives the features. [`ClassifierTrainer`] trains one on labelled images; one of somebody else's is read from a
//! folder of the same form. [`frechet_distance`] and [`precision_recall`] compare the features of two sets of images, in f64 on the host.
//!
//! # A network of one's own
//!
//! A folder of two files. `network.toml` lists the layers as PyTorch's `nn.Sequential` would, one entry for each module:
//!
//! ```
//! # let text = r#"
//! features = 4                 # the layer, from 0, whose output (flattened) is the feature vector
//! classes = ["cat", "dog"]     # of the last layer's logits, in order; without this key there are features only
//!
//! [input]
//! extent = { height = 32, width = 32 }
//! colours = "rgb"              # or "grey"
//! mean = [0.485, 0.456, 0.406] # subtracted from values in 0..1; by default 0.5
//! deviation = [0.229, 0.224, 0.225] # divided by; by default 0.5
//!
//! [[layers]]                   # nn.Conv2d(3, 64, 3, stride=2, padding=1)
//! kind = "convolution"
//! channels = 64
//! kernel = 3
//! stride = 2                   # by default 1
//! padding = 1                  # by default 0
//!
//! [[layers]]                   # nn.BatchNorm2d(64)
//! kind = "batch-norm"
//!
//! [[layers]]                   # nn.ReLU()
//! kind = "activation"
//! function = "relu"            # or leaky-relu, silu, gelu, tanh, sigmoid
//!
//! [[layers]]                   # nn.AdaptiveAvgPool2d(1)
//! kind = "global-average-pool" # or max-pool, average-pool with size and stride
//!
//! [[layers]]                   # nn.Flatten()
//! kind = "flatten"
//!
//! [[layers]]                   # nn.Linear(64, 2)
//! kind = "linear"
//! outputs = 2
//! # "#;
//! # toml::from_str::<glauber_fidelity::NetworkConfig>(text).unwrap().validate().unwrap();
//! ```
//!
//! `weights.safetensors` holds the tensors by the names and in the shapes that such a module gives them, `0.weight`, `0.bias`,
//! `1.running_mean`, …: `safetensors.torch.save_file(network.state_dict(), "weights.safetensors")`. A `Dropout` is listed as
//! `kind = "identity"`. Networks with branches cannot be described.

mod error;
mod features;
mod frechet;
mod manifold;
mod network;
mod training;

pub use error::FidelityError;
pub use features::Features;
pub use frechet::{Gaussian, frechet_distance};
pub use manifold::{NEIGHBOURS, PrecisionRecall, precision_recall};
pub use network::config::{Function, InputConfig, LayerConfig, NetworkConfig};
pub use network::{FeatureNetwork, Found};
pub use training::{ClassifierTrainConfig, ClassifierTrainer, Recognition};
