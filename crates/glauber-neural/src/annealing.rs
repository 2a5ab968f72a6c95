//! Score-based annealed importance sampling: backward kernels that are learned (Doucet, Grathwohl, Matthews and Strathmann 2022,
//! on tokens).

use std::marker::PhantomData;

use burn::module::Module;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use glauber_chain::{ChainRng, SiteConditional, TokenRows};
use glauber_descent::{Stream, Task};
use glauber_energy::{AnnealedTarget, Base, EnergyError, Gibbs, HeatBathLayer, Layer, PathWeight, Target};
use glauber_model::{Conditions, SiteClassifier, Sites};
use glauber_tokens::{Site, Token};

use crate::Result;

/// A chain of heat-bath updates from a base to a target, one site an update, each at a level of its own.
///
/// Update `k` of `M` redraws site `k mod L` under the target annealed to `(k + 1) / M` (E3).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnnealedUpdates<T, B> {
    /// The target.
    pub target: T,
    /// Where paths start.
    pub base: B,
    /// Number of updates `M`.
    pub updates: usize,
}

/// What backward kernels read and are judged by: an update each.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UpdateExamples {
    /// Shape `[example, site]`. The token at the site of the update is the one before it.
    tokens: Vec<i32>,
    /// Share of the updates done before, shape `[example]`.
    times: Vec<f32>,
    /// Shape `[example]`.
    sites: Vec<Site>,
    /// `log π_{k−1}(·|x_{−i})`, shape `[example, token]`: the backward kernel of (E25).
    closed: Vec<f32>,
    /// The token before the update, shape `[example]`.
    before: Vec<i32>,
}

impl<T: Target, B: Base> AnnealedUpdates<T, B> {
    /// The level after so many updates.
    pub fn level(&self, updates: usize) -> f64 {
        updates as f64 / self.updates as f64
    }

    /// The target after so many updates.
    pub fn annealed(&self, updates: usize) -> AnnealedTarget<&T, &B> {
        AnnealedTarget { target: &self.target, base: &self.base, level: self.level(updates) }
    }

    /// Runs a path. Adds an example for each update that `keep` takes. Returns the path's log-weights: by annealed importance
    /// sampling (E23), and by the backward kernels of (E25), the conditionals at the level before.
    ///
    /// # Errors
    /// When the annealed target has no law at a site.
    fn path(
        &self,
        rng: &mut ChainRng,
        keep: impl Fn(usize) -> bool,
        examples: &mut UpdateExamples,
    ) -> Result<[f64; 2]> {
        let mut tokens: Vec<Token> = vec![0; self.base.len()];
        let mut closed = vec![0.0; self.target.vocab()];
        self.base.draw(rng, &mut tokens);
        let mut weight = PathWeight::start(self.base.log_density(&tokens));
        let mut annealed = 0.0;
        for update in 0..self.updates {
            let (site, backward) = (update % tokens.len(), self.annealed(update));
            annealed += self.annealed(update + 1).log_density(&tokens) - backward.log_density(&tokens);
            if keep(update) {
                let rows = TokenRows::new(&tokens, tokens.len());
                Gibbs(backward).log_conditionals(rows, 0, &[site], &mut closed).map_err(EnergyError::from)?;
                examples.push(&tokens, site, self.level(update), &closed);
            }
            HeatBathLayer { site, forward: self.annealed(update + 1), backward }.apply(
                &mut tokens,
                rng,
                &mut weight,
            )?;
        }
        Ok([annealed, weight.end(self.target.log_density(&tokens))])
    }
}

impl UpdateExamples {
    fn push(&mut self, tokens: &[Token], site: Site, time: f64, closed: &[f64]) {
        self.tokens.extend(tokens.iter().map(|&token| token as i32));
        self.times.push(time as f32);
        self.sites.push(site);
        self.closed.extend(closed.iter().map(|&log| log as f32));
        self.before.push(tokens[site] as i32);
    }

    fn count(&self) -> usize {
        self.sites.len()
    }

    /// `log B` of the token before every update, shape `[example]`: the closed form plus what a network adds to its logits.
    fn log_backward(&self, network: &dyn SiteClassifier, device: &Device) -> Tensor<1> {
        let (rows, len) = (self.count(), self.tokens.len() / self.count());
        let vocab = self.closed.len() / rows;
        let tokens = Tensor::<2, Int>::from_data(TensorData::new(self.tokens.clone(), [rows, len]), device);
        let conditions = Conditions {
            time: Tensor::from_data(TensorData::new(self.times.clone(), [rows]), device),
            levels: Tensor::ones([rows, len], device),
            classes: None,
            parts: None,
            right: None,
        };
        let logits = network.logits(tokens, &conditions, Sites::Each(&self.sites)).reshape([rows, vocab]);
        let closed = Tensor::<2>::from_data(TensorData::new(self.closed.clone(), [rows, vocab]), device);
        let before = Tensor::<2, Int>::from_data(TensorData::new(self.before.clone(), [rows, 1]), device);
        log_softmax(logits + closed, 1).gather(1, before).reshape([rows])
    }

    /// `log B` of the closed form (E25), by example.
    fn log_closed(&self) -> impl Iterator<Item = f64> {
        let laws = self.closed.chunks_exact(self.closed.len() / self.count());
        laws.zip(&self.before).map(|(law, &before)| f64::from(law[before as usize]))
    }
}

/// The log-weights of independent paths by three backward kernels.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UpdateWeights {
    /// By the reversals of the updates: annealed importance sampling (E23).
    pub annealed: Vec<f64>,
    /// By the closed form `π_{k−1}(·|x_{−i})` (E25).
    pub closed: Vec<f64>,
    /// By the network.
    pub learned: Vec<f64>,
}

/// Examples that are evaluated together.
const CHUNK: usize = 1 << 12;

/// Log-weights of paths by annealed importance sampling, by the closed form and by a network. `E w = Z` of all three, whatever the
/// network is. Path `i` has stream `i` of the seed.
///
/// # Errors
/// When the annealed target has no law at a site.
pub fn annealed_weights<T: Target, B: Base>(
    chain: &AnnealedUpdates<T, B>,
    network: &dyn SiteClassifier,
    paths: usize,
    seed: u64,
    device: &Device,
) -> Result<UpdateWeights> {
    let mut weights = UpdateWeights::default();
    let together = CHUNK.div_ceil(chain.updates.max(1));
    for first in (0..paths).step_by(together) {
        let mut examples = UpdateExamples::default();
        for path in first..paths.min(first + together) {
            let [annealed, closed] = chain.path(&mut ChainRng::new(seed, path as u64), |_| true, &mut examples)?;
            weights.annealed.push(annealed);
            weights.closed.push(closed);
        }
        // What the network's kernels say more than the closed form.
        let learned = examples.log_backward(network, device).into_data();
        let gains: Vec<f64> =
            learned.iter::<f64>().zip(examples.log_closed()).map(|(log, closed)| log - closed).collect();
        let closed = weights.closed[first..].iter();
        weights
            .learned
            .extend(closed.zip(gains.chunks_exact(chain.updates)).map(|(log, gain)| log + gain.iter().sum::<f64>()));
    }
    Ok(weights)
}

/// Trains backward kernels by cross-entropy: the label of an update is the token that it replaced, given the others and the time. The
/// best kernel is the forward chain's own conditional (E26); the gap of `E log w` is then that of the last law alone.
///
/// The network should be a leave-one-out one of as many tokens as the target has, conditioned on the step.
pub struct BackwardTask<'a, T, B, N> {
    chain: &'a AnnealedUpdates<T, B>,
    paths: usize,
    kept: usize,
    network: PhantomData<fn(N)>,
}

impl<'a, T: Target, B: Base, N> BackwardTask<'a, T, B, N> {
    /// A task with so many paths a micro-batch, of each of which one update in every `stride` is an example.
    pub fn new(chain: &'a AnnealedUpdates<T, B>, paths: usize, stride: usize) -> Self {
        Self { chain, paths, kept: stride.clamp(1, chain.updates.max(1)), network: PhantomData }
    }
}

impl<T: Target, B: Base, N: Module + SiteClassifier + Sync> Task for BackwardTask<'_, T, B, N> {
    type Model = N;
    type Batch = UpdateExamples;
    type Error = crate::NeuralError;

    fn batch(&self, _: &N, stream: Stream) -> Result<UpdateExamples> {
        let mut examples = UpdateExamples::default();
        for path in 0..self.paths as u64 {
            let mut rng = ChainRng::new(stream.seed, stream.number * self.paths as u64 + path);
            let offset = rng.below(self.kept);
            self.chain.path(&mut rng, |update| update % self.kept == offset, &mut examples)?;
        }
        Ok(examples)
    }

    fn loss(&self, network: &N, examples: &UpdateExamples, device: &Device) -> Tensor<1> {
        examples.log_backward(network, device).mean().neg()
    }
}
