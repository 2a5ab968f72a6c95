//! Terminal states that are kept, with their weights.

use glauber_chain::{ChainRng, Chains, HeatBath, ReverseKernel};
use glauber_energy::{Annealed, EnergyError, Gibbs, Target, log_sum_exp};
use glauber_schedule::SiteOrder;
use glauber_tokens::{Token, TokenBatch};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use crate::{GflownetError, Result};

/// Weighted sequences of a target: ends of own paths, particles of annealing, samples of chains. Draws are in proportion to
/// weights, so that a network can be trained on them: back along paths
/// ([`Paths::draw_back`](crate::Paths::draw_back)), or by any denoising objective, which is then the weighted cross-entropy WDCE
/// (E20; MDNS, arXiv 2508.10684).
#[derive(Debug, Clone, PartialEq)]
pub struct Buffer {
    capacity: usize,
    sequences: Vec<Vec<Token>>,
    log_weights: Vec<f64>,
    /// Where the next sequence goes once the buffer is full.
    next: usize,
    /// Sums of weights up to each sequence, over the largest weight.
    sums: Vec<f64>,
}

/// Names in a file.
const TOKENS: &str = "tokens";
const WEIGHTS: &str = "log_weights";

fn damaged(error: safetensors::SafeTensorError) -> GflownetError {
    GflownetError::Damaged(error.to_string())
}

fn log_mean(logs: &[f64]) -> f64 {
    log_sum_exp(logs) - (logs.len() as f64).ln()
}

impl Buffer {
    /// An empty one of so many sequences at most. A new sequence then replaces the oldest.
    ///
    /// # Errors
    /// When the capacity is 0.
    pub fn new(capacity: usize) -> Result<Self> {
        if capacity == 0 {
            return Err(GflownetError::OutOfRange { key: "capacity", found: 0.0, expected: "at least 1" });
        }
        Ok(Self { capacity, sequences: Vec::new(), log_weights: Vec::new(), next: 0, sums: Vec::new() })
    }

    /// The particles of annealing.
    ///
    /// # Errors
    /// When there is no particle of positive weight.
    pub fn of_particles(annealed: &Annealed) -> Result<Self> {
        let mut buffer = Self::new(annealed.tokens.rows())?;
        // Weights are since the last resampling: their mean is made the estimate of Z, as that of path weights is.
        let shift = annealed.log_partition.estimate - log_mean(&annealed.log_weights);
        let weighted = annealed.tokens.iter().zip(&annealed.log_weights);
        buffer.extend(weighted.map(|(tokens, log)| (tokens.to_vec(), log + shift)))?;
        Ok(buffer)
    }

    /// Adds sequences, shape `[site]`, with their log-weights.
    ///
    /// # Errors
    /// When a weight is NaN or `+∞`, or no weight is positive.
    pub fn extend(&mut self, sequences: impl IntoIterator<Item = (Vec<Token>, f64)>) -> Result<()> {
        let sequences: Vec<(Vec<Token>, f64)> = sequences.into_iter().collect();
        if let Some((sequence, found)) = sequences.iter().find(|(_, log)| log.is_nan() || *log == f64::INFINITY) {
            return Err(GflownetError::Reward { state: format!("{sequence:?}"), found: *found });
        }
        for (sequence, log_weight) in sequences {
            if self.sequences.len() < self.capacity {
                self.sequences.push(sequence);
                self.log_weights.push(log_weight);
            } else {
                self.sequences[self.next] = sequence;
                self.log_weights[self.next] = log_weight;
                self.next = (self.next + 1) % self.capacity;
            }
        }
        let top = self.log_weights.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut sum = 0.0;
        self.sums.clear();
        self.sums.extend(self.log_weights.iter().map(|log| {
            sum += (log - top).exp();
            sum
        }));
        if sum > 0.0 { Ok(()) } else { Err(EnergyError::NoSupport.into()) }
    }

    /// The log-weights, in nats, of each sequence. Those of all sources should have `Z` for their mean: path weights do, and
    /// samples of chains get an estimate of `log Z`.
    pub fn log_weights(&self) -> &[f64] {
        &self.log_weights
    }

    /// All sequences and their weights as a safetensors file.
    ///
    /// # Errors
    /// When the buffer is empty, or its sequences have different lengths.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let sites = self.sequences.first().map_or(0, Vec::len);
        let unequal = self.sequences.iter().find(|sequence| sequence.len() != sites || sites == 0);
        if let Some(found) = unequal.map(Vec::len).or(self.sequences.is_empty().then_some(0)) {
            return Err(GflownetError::Mismatch {
                what: "sites of a sequence of the buffer",
                found,
                expected: sites.max(1),
            });
        }
        let tokens: Vec<u8> = self.sequences.iter().flatten().flat_map(|token| token.to_le_bytes()).collect();
        let weights: Vec<u8> = self.log_weights.iter().flat_map(|log| log.to_le_bytes()).collect();
        let shape = vec![self.sequences.len(), sites];
        let views = [
            (TOKENS, TensorView::new(Dtype::U32, shape.clone(), &tokens)),
            (WEIGHTS, TensorView::new(Dtype::F64, vec![shape[0]], &weights)),
        ];
        let views =
            views.into_iter().map(|(name, view)| Ok((name, view.map_err(damaged)?))).collect::<Result<Vec<_>>>()?;
        safetensors::serialize(views, None).map_err(damaged)
    }

    /// Reads the sequences of [`to_bytes`](Self::to_bytes), of tokens below `vocab` at so many sites.
    ///
    /// # Errors
    /// When the bytes are damaged, of other sequences, or hold a weight that is NaN or `+∞`.
    pub fn from_bytes(bytes: &[u8], vocab: usize, sites: usize) -> Result<Self> {
        let tensors = SafeTensors::deserialize(bytes).map_err(damaged)?;
        let read = |name: &str, dtype: Dtype| {
            let tensor = tensors.tensor(name).map_err(damaged)?;
            let is = tensor.dtype() == dtype;
            if is { Ok(tensor) } else { Err(GflownetError::Damaged(format!("`{name}` is of {:?}", tensor.dtype()))) }
        };
        let (tokens, weights) = (read(TOKENS, Dtype::U32)?, read(WEIGHTS, Dtype::F64)?);
        let count = weights.data().len() / 8;
        if count == 0 || sites == 0 || tokens.shape() != [count, sites] || weights.shape() != [count] {
            let (found, others) = (tokens.shape(), weights.shape());
            return Err(GflownetError::Damaged(format!(
                "tokens {found:?} and weights {others:?}, expected {sites} sites"
            )));
        }
        let tokens: Vec<Token> =
            tokens.data().as_chunks::<4>().0.iter().map(|word| Token::from_le_bytes(*word)).collect();
        if let Some(token) = tokens.iter().find(|&&token| token as usize >= vocab) {
            return Err(GflownetError::Damaged(format!("token {token}, expected one below {vocab}")));
        }
        let weights = weights.data().as_chunks::<8>().0.iter().map(|word| f64::from_le_bytes(*word));
        let mut buffer = Self::new(count)?;
        buffer.extend(tokens.chunks_exact(sites).map(<[Token]>::to_vec).zip(weights))?;
        Ok(buffer)
    }

    /// Counts of the tokens in all sequences, shape `[token]`.
    ///
    /// # Panics
    /// When a token is not below `vocab`.
    pub fn token_counts(&self, vocab: usize) -> Vec<u64> {
        let mut counts = vec![0; vocab];
        self.sequences.iter().flatten().for_each(|&token| counts[token as usize] += 1);
        counts
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.sequences.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.sequences.is_empty()
    }

    /// A sequence, in proportion to the weights.
    ///
    /// # Panics
    /// When the buffer is empty.
    pub fn draw(&self, rng: &mut ChainRng) -> &[Token] {
        let wanted = rng.uniform() * self.sums.last().expect("a sequence at least");
        &self.sequences[self.sums.partition_point(|&sum| sum <= wanted).min(self.sequences.len() - 1)]
    }

    /// Draws sequences in proportion to their weights, moves each by sweeps of heat bath of the target, and adds them with the
    /// mean weight. Heat bath keeps the target, so that the weighted law stays right.
    ///
    /// # Errors
    /// When the target has no law somewhere.
    ///
    /// # Panics
    /// When the buffer is empty.
    pub fn refresh<T: Target>(&mut self, target: &T, count: usize, sweeps: usize, seed: u64) -> Result<()> {
        let mean = log_mean(&self.log_weights);
        let mut rng = ChainRng::new(seed, u64::MAX);
        let mut rows = TokenBatch::filled(count, target.len(), 0);
        (0..count).for_each(|row| rows.row_mut(row).copy_from_slice(self.draw(&mut rng)));
        let mut chains = Chains::seeded(rows, seed);
        let order = SiteOrder::round_robin(target.len(), sweeps).map_err(EnergyError::from)?;
        let kernel = HeatBath::default();
        kernel.run_parallel(&Gibbs(target), &mut chains, &order, 0..order.horizon()).map_err(EnergyError::from)?;
        self.extend(chains.tokens().iter().map(|tokens| (tokens.to_vec(), mean)))
    }
}
