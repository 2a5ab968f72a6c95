//! Networks of sequences as policies that fill them.

use burn::module::{Module, ModuleDisplay, Param};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use glauber_energy::Target;
use glauber_gflownet::Filling;
use glauber_model::{Conditions, ModelConfig, Network, SiteClassifier, Sites};

use crate::Result;
use crate::policy::{Logits, PolicyNetwork};

/// A network of sequences that fills empty sites: the hollow network that writes text, on the states of absorbing noise.
///
/// An empty site shows one token more than the target has, the mask. The site filled next is uniform among those that the
/// order allows, so that the terms of the order cancel (E12). It has no flows of states.
#[derive(Module, Debug)]
pub struct FillingNetwork<N: Module = Network> {
    network: N,
    log_partition: Param<Tensor<1>>,
    scale: f64,
}

impl FillingNetwork<Network> {
    /// A configured network for a target, with weights drawn from a seed. Conditioning should be
    /// [none](glauber_model::Conditioning::None): masks show what is empty.
    ///
    /// # Errors
    /// When the sizes do not fit each other.
    pub fn configured<T: Target>(
        target: &T,
        model: &ModelConfig,
        log_partition_rate: f64,
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let network = Network::new(model, target.vocab() + 1, target.len(), seed, device)?;
        Ok(Self::new(network, log_partition_rate, device))
    }
}

impl<N: Module + ModuleDisplay> FillingNetwork<N> {
    /// Any network of one token more than the target has. `log Z_θ` learns at so many times the rate of the weights.
    pub fn new(network: N, log_partition_rate: f64, device: &Device) -> Self {
        let log_partition = Param::from_data(TensorData::new(vec![0f32], [1]), device);
        Self { network, log_partition, scale: log_partition_rate }
    }

    /// The network.
    pub fn network(&self) -> &N {
        &self.network
    }
}

impl<T: Target, N: Module + ModuleDisplay + SiteClassifier> PolicyNetwork<Filling<T>> for FillingNetwork<N> {
    fn logits(&self, environment: &Filling<T>, states: &[Vec<Option<u32>>], device: &Device) -> Logits {
        let (rows, len, vocab) = (states.len(), environment.target.len(), environment.target.vocab());
        let tokens = states.iter().flatten().map(|token| token.map_or(vocab as i32, |token| token as i32));
        let tokens = Tensor::<2, Int>::from_data(TensorData::new(tokens.collect(), [rows, len]), device);
        let levels = states.iter().flatten().map(|token| f32::from(u8::from(token.is_some())));
        let conditions = Conditions {
            time: Tensor::zeros([rows], device),
            levels: Tensor::from_data(TensorData::new(levels.collect(), [rows, len]), device),
            classes: None,
            parts: None,
            right: None,
        };
        let logits = self.network.logits(tokens, &conditions, Sites::All);
        // Each site is normalised alone: all of its tokens together are as likely as those of any other empty site.
        let each = log_softmax(logits.narrow(2, 0, vocab), 2);
        Logits { forward: each.reshape([rows, len * vocab]), backward: None, flow: None }
    }

    fn log_partition(&self) -> Tensor<1> {
        self.log_partition.val().mul_scalar(self.scale)
    }
}
