//! Networks of sequences as policies that fill them.

use burn::module::{Module, ModuleDisplay, Param};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};
use glauber_chain::ChainRng;
use glauber_energy::Target;
use glauber_gflownet::{Environment, Exploration, Filling, FillingOrder, FillingState, Paths};
use glauber_model::{Asked, Conditions, ModelConfig, Network, SiteClassifier, Sites};

use crate::Result;
use crate::policy::{Logits, PolicyNetwork, decisions};

/// A network of sequences that fills empty sites: the hollow network that writes text, on the states of absorbing noise, or
/// an autoregressive network from left to right, which reads a whole path in one pass.
///
/// An empty site shows one token more than the target has, the mask. The site filled next is uniform among those that the
/// order allows, so that the terms of the order cancel (E12). With a [learned order](Self::with_learned_order), the logit of the
/// mask ranks the sites. It has no flows of states.
#[derive(Module, Debug)]
pub struct FillingNetwork<N: Module = Network> {
    network: N,
    log_partition: Param<Tensor<1>>,
    scale: f64,
    learned_order: bool,
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
        Self { network, log_partition, scale: log_partition_rate, learned_order: false }
    }

    /// Learns which site is filled next, and which one was filled last, where the order is [any](FillingOrder::Any).
    ///
    /// At an empty site, the logit of the mask is the site's own in the choice of the next site, and the tokens share it. At a
    /// filled site, it is the site's logit in the choice of the one emptied by the backward policy.
    #[must_use]
    pub fn with_learned_order(self) -> Self {
        Self { learned_order: true, ..self }
    }

    /// The network.
    pub fn network(&self) -> &N {
        &self.network
    }
}

impl<N: Module + ModuleDisplay + SiteClassifier> FillingNetwork<N> {
    /// The network's log-probabilities of tokens, shape `[row, site, token]`, of sites asked for, and logits of the sites, shape
    /// `[row, site, 1]`. An autoregressive network reads the sites after each, so it gets and gives its rows turned round.
    fn evaluate(&self, rows: &[FillingState], vocab: usize, sites: Asking, device: &Device) -> [Tensor<3>; 2] {
        let len = rows[0].len();
        let turned = self.network.answers() == Asked::After;
        let (tokens, conditions) = inputs(rows, vocab, turned, device);
        let logits = match sites {
            Asking::All if turned => self.network.logits(tokens, &conditions, Sites::All).flip([1]),
            Asking::All => self.network.logits(tokens, &conditions, Sites::All),
            Asking::FirstEmpty => {
                let filled = |row: &FillingState| row.iter().flatten().count().min(len - 1);
                let site = |at: usize| if turned { len - 1 - at } else { at };
                let each: Vec<usize> = rows.iter().map(|row| site(filled(row))).collect();
                self.network.logits(tokens, &conditions, Sites::Each(&each))
            }
        };
        // Each site is normalised alone: all of its tokens together are as likely as those of any other empty site.
        [log_softmax(logits.clone().narrow(2, 0, vocab), 2), logits.narrow(2, vocab, 1)]
    }
}

/// A network's inputs for rows, turned round or not: tokens `[row, site]`, and conditions without time.
fn inputs(rows: &[FillingState], vocab: usize, turned: bool, device: &Device) -> (Tensor<2, Int>, Conditions) {
    let (count, len) = (rows.len(), rows[0].len());
    let mut tokens = Vec::with_capacity(count * len);
    for row in rows {
        let at = tokens.len();
        tokens.extend(row.iter().map(|token| token.map_or(vocab as i32, |token| token as i32)));
        if turned {
            tokens[at..].reverse();
        }
    }
    let levels = tokens.iter().map(|&token| f32::from(u8::from(token != vocab as i32))).collect();
    let conditions = Conditions {
        time: Tensor::zeros([count], device),
        levels: Tensor::from_data(TensorData::new(levels, [count, len]), device),
        classes: None,
        parts: None,
        right: None,
    };
    let tokens = Tensor::<2, Int>::from_data(TensorData::new(tokens, [count, len]), device);
    (tokens, conditions)
}

/// Which sites' logits are asked for.
#[derive(Clone, Copy)]
enum Asking {
    All,
    FirstEmpty,
}

impl<T: Target, N: Module + ModuleDisplay + SiteClassifier> PolicyNetwork<Filling<T>> for FillingNetwork<N> {
    fn logits(&self, environment: &Filling<T>, states: &[FillingState], device: &Device) -> Logits {
        let (rows, vocab) = (states.len(), environment.target.vocab());
        let asking = match environment.order {
            FillingOrder::Any => Asking::All,
            FillingOrder::LeftToRight => Asking::FirstEmpty,
        };
        let [each, sites] = self.evaluate(states, vocab, asking, device);
        let actions = each.dims()[1] * vocab;
        if !self.learned_order || environment.order != FillingOrder::Any {
            return Logits { forward: each.reshape([rows, actions]), backward: None, flow: None };
        }
        let forward = (each + sites.clone()).reshape([rows, actions]);
        let backward = sites.repeat_dim(2, vocab).reshape([rows, actions]);
        Logits { forward, backward: Some(backward), flow: None }
    }

    /// An autoregressive network reads a path in one pass over its last state.
    fn logits_along(&self, environment: &Filling<T>, groups: &Paths<FillingState>, device: &Device) -> Logits {
        let prefixes = environment.order == FillingOrder::LeftToRight && self.network.answers() == Asked::After;
        if !prefixes || !groups.are_paths() {
            return self.logits(environment, groups.states(), device);
        }
        let (paths, len, vocab) = (groups.count(), environment.target.len(), environment.target.vocab());
        let ends: Vec<_> = groups.ends().cloned().collect();
        let [each, _] = self.evaluate(&ends, vocab, Asking::All, device);
        // Nothing is decided in the last state.
        let each = Tensor::cat(vec![each, Tensor::zeros([paths, 1, vocab], device)], 1);
        Logits { forward: each.reshape([paths * (len + 1), vocab]), backward: None, flow: None }
    }

    fn has_backward(&self) -> bool {
        self.learned_order
    }

    /// An autoregressive network keeps the states of what is filled.
    fn draw(
        &self,
        environment: &Filling<T>,
        exploration: Exploration,
        rngs: &mut [ChainRng],
        device: &Device,
    ) -> Option<Paths<FillingState>> {
        if environment.order != FillingOrder::LeftToRight || self.network.answers() != Asked::After {
            return None;
        }
        let (rows, len, vocab) = (rngs.len(), environment.target.len(), environment.target.vocab());
        let empty = vec![environment.source(); rows];
        let (tokens, conditions) = inputs(&empty, vocab, true, device);
        let mut kept = self.network.states(tokens, &conditions)?;
        let mut walks: Vec<_> = empty.into_iter().map(|state| (vec![state], Vec::new())).collect();
        for filled in 0..len {
            let site = len - 1 - filled;
            let logits = kept.logits(&[site]).narrow(2, 0, vocab).reshape([rows, vocab]);
            let states: Vec<_> = walks.iter().map(|(states, _)| states[filled].clone()).collect();
            let decided = decisions(environment, &states, &Logits { forward: logits, backward: None, flow: None });
            let mut drawn = Vec::with_capacity(rows);
            for (row, ((states, actions), rng)) in walks.iter_mut().zip(rngs.iter_mut()).enumerate() {
                let action = exploration.draw(environment, &states[filled], decided.forward_at(row), rng)?;
                states.push(environment.take(&states[filled], action));
                actions.push(action);
                drawn.push(action as i32);
            }
            kept.set(
                site,
                Tensor::from_data(TensorData::new(drawn, [rows, 1]), device),
                Tensor::ones([rows, 1], device),
            );
        }
        Some(Paths::of(walks))
    }

    fn log_partition(&self) -> Tensor<1> {
        self.log_partition.val().mul_scalar(self.scale)
    }
}
