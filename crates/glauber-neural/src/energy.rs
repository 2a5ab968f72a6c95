//! Energies that learn: a network's `log γ` of sequences.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use burn::module::{Module, ParamId};
use burn::nn::Linear;
use burn::tensor::activation::silu;
use burn::tensor::{Device, Tensor, TensorData};
use glauber_chain::{ChainRng, TokenRows};
use glauber_descent::{Stream, Task};
use glauber_energy::Target;
use glauber_gflownet::{BackAndForth, Filling, FillingOrder, FillingState, Flows, filled, filled_tokens};
use glauber_tokens::Token;

use crate::perceptron::linear;
use crate::{NetworkPolicy, NeuralError, PolicyNetwork};

/// Sizes of an [`EnergyNetwork`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnergyConfig {
    /// Width of the hidden layers.
    pub width: usize,
    /// Number of hidden layers.
    pub layers: usize,
}

impl Default for EnergyConfig {
    /// Three hidden layers of 256, as published.
    fn default() -> Self {
        Self { width: 256, layers: 3 }
    }
}

/// `log γ_φ(x)` of sequences of `L` tokens out of `V`: a perceptron on the tokens, one-hot.
#[derive(Module, Debug)]
pub struct EnergyNetwork {
    layers: Vec<Linear>,
    last: Linear,
    vocab: usize,
    len: usize,
}

impl EnergyNetwork {
    /// For sequences of some length, with weights drawn from a seed as those of a [`Perceptron`](crate::Perceptron).
    pub fn new(vocab: usize, len: usize, config: &EnergyConfig, seed: u64, device: &Device) -> Self {
        let mut rng = ChainRng::new(seed, 0);
        let mut input = vocab * len;
        let hidden = |_| {
            let layer = linear(&mut rng, input, config.width, device);
            input = config.width;
            layer
        };
        let layers = (0..config.layers).map(hidden).collect();
        Self { layers, last: linear(&mut rng, input, 1, device), vocab, len }
    }

    /// The matrices of the hidden layers: what [Muon](glauber_descent::UpdateRule::Muon) is for.
    pub fn hidden(&self) -> impl Iterator<Item = ParamId> + '_ {
        self.layers.iter().map(|layer| layer.weight.id)
    }

    /// `log γ_φ` of sequences in nats, shape `[row]`, as a function of the weights.
    ///
    /// # Panics
    /// When the rows have another length, or a token is `V` or more.
    pub fn log_densities(&self, rows: TokenRows<'_>, device: &Device) -> Tensor<1> {
        let count = rows.as_slice().len() / self.len;
        let mut inputs = vec![0f32; count * self.len * self.vocab];
        for (tokens, inputs) in rows.iter().zip(inputs.chunks_exact_mut(self.len * self.vocab)) {
            assert_eq!(tokens.len(), self.len, "tokens of a sequence");
            for (&token, site) in tokens.iter().zip(inputs.chunks_exact_mut(self.vocab)) {
                site[token as usize] = 1.0;
            }
        }
        let x = Tensor::<2>::from_data(TensorData::new(inputs, [count, self.len * self.vocab]), device);
        let x = self.layers.iter().fold(x, |x, layer| silu(layer.forward(x)));
        self.last.forward(x).reshape([count])
    }
}

/// Sequences that are evaluated together.
const CHUNK: usize = 1 << 12;

/// An [`EnergyNetwork`] as a target. Every sequence is evaluated once; those asked for together are evaluated together.
#[derive(Debug)]
pub struct EnergyTarget {
    network: EnergyNetwork,
    device: Device,
    known: Mutex<HashMap<Vec<Token>, f64>>,
}

impl EnergyTarget {
    /// The target of a network on its plain device.
    pub fn new(network: EnergyNetwork, device: &Device) -> Self {
        Self { network, device: device.clone(), known: Mutex::default() }
    }

    /// The network.
    pub fn network(&self) -> &EnergyNetwork {
        &self.network
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Vec<Token>, f64>> {
        // Entries are whole or absent.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target for EnergyTarget {
    fn vocab(&self) -> usize {
        self.network.vocab
    }

    fn len(&self) -> usize {
        self.network.len
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        let mut log = [0.0];
        self.log_densities(TokenRows::new(tokens, tokens.len()), &mut log);
        log[0]
    }

    fn log_densities(&self, rows: TokenRows<'_>, out: &mut [f64]) {
        let known = self.known();
        let new: Vec<Token> = rows.iter().filter(|tokens| !known.contains_key(*tokens)).flatten().copied().collect();
        // The network may use the threads that wait for it.
        drop(known);
        for new in new.chunks(CHUNK * self.network.len) {
            let new = TokenRows::new(new, self.network.len);
            let logs = self.network.log_densities(new, &self.device).into_data();
            let mut known = self.known();
            for (tokens, log) in new.iter().zip(logs.iter::<f64>()) {
                known.entry(tokens.to_vec()).or_insert(log);
            }
        }
        let known = self.known();
        rows.iter().zip(out).for_each(|(tokens, log)| *log = known[tokens]);
    }
}

/// Draws a sequence of the data, shape `[site]`.
pub type DrawData<'a> = dyn Fn(&mut ChainRng) -> Vec<Token> + Sync + 'a;

/// Trains an energy by its likelihood of data: minimises `mean log γ_φ(x⁻) − mean log γ_φ(x)`, whose mean gradient is that of the
/// negative log-likelihood if the negatives `x⁻` have the law `γ_φ / Z` (Zhang et al. 2022).
///
/// Negatives are the batch of data after one [`BackAndForth`] move each, whose stationary law is `γ_φ / Z` for any sampler. So
/// data with that law give a mean gradient of 0 at every number of actions. A move that is rejected leaves a sequence where it
/// is, which adds nothing to the gradient.
///
/// Drawing a batch panics when data have another length than the network reads, or a token that it does not know.
pub struct EnergyTask<'a, N> {
    /// What the sampler's policy fills.
    pub order: FillingOrder,
    /// The sampler, on the plain device.
    pub sampler: &'a N,
    /// The move that makes negatives.
    pub kernel: BackAndForth,
    /// Sequences a micro-batch.
    pub rows: usize,
    /// Draws the data.
    pub data: &'a DrawData<'a>,
    /// The plain device.
    pub device: &'a Device,
}

/// Data and negatives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContrastiveBatch {
    /// Shape `[row · site]`: the data, then as many negatives.
    tokens: Vec<Token>,
    len: usize,
    /// Moves that were accepted.
    pub accepted: usize,
}

impl ContrastiveBatch {
    /// From as many data as negatives, each of shape `[row · site]`, in sequences of `len` tokens.
    ///
    /// # Panics
    /// When the two have different sizes.
    pub fn new(data: &[Token], negatives: &[Token], len: usize) -> Self {
        assert_eq!(data.len(), negatives.len(), "a negative for each sequence of the data");
        Self { tokens: [data, negatives].concat(), len, accepted: 0 }
    }

    /// The negatives, shape `[row, site]`.
    pub fn negatives(&self) -> TokenRows<'_> {
        TokenRows::new(&self.tokens[self.tokens.len() / 2..], self.len)
    }
}

impl<N: PolicyNetwork<Filling<EnergyTarget>>> Task for EnergyTask<'_, N> {
    type Model = EnergyNetwork;
    type Batch = ContrastiveBatch;
    type Error = NeuralError;

    fn batch(&self, network: &EnergyNetwork, stream: Stream) -> Result<ContrastiveBatch, NeuralError> {
        let environment = Filling { target: EnergyTarget::new(network.clone(), self.device), order: self.order };
        let policy = NetworkPolicy { network: self.sampler, device: self.device, flows: Flows::Learned };
        let first = stream.number * self.rows as u64;
        let mut rngs: Vec<ChainRng> =
            (0..self.rows as u64).map(|row| ChainRng::new(stream.seed, first + row)).collect();
        let mut ends: Vec<FillingState> = rngs.iter_mut().map(|rng| filled(&(self.data)(rng))).collect();
        let tokens = |ends: &[FillingState]| -> Vec<Token> {
            ends.iter().filter_map(|end| filled_tokens(end)).flatten().collect()
        };
        let data = tokens(&ends);
        let accepted = self.kernel.step(&environment, &policy, &mut ends, &mut rngs)?;
        Ok(ContrastiveBatch { accepted, ..ContrastiveBatch::new(&data, &tokens(&ends), network.len) })
    }

    fn loss(&self, network: &EnergyNetwork, batch: &ContrastiveBatch, device: &Device) -> Tensor<1> {
        let rows = TokenRows::new(&batch.tokens, batch.len);
        let count = batch.tokens.len() / batch.len / 2;
        let logs = network.log_densities(rows, device);
        logs.clone().narrow(0, count, count).mean() - logs.narrow(0, 0, count).mean()
    }
}
