//! Networks as policies.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use glauber_chain::ChainRng;
use glauber_gflownet::{Decisions, Environment, Exploration, Flows, Paths, Policy, Terms, UniformPolicy};

/// What a network gives for some states.
#[derive(Debug, Clone)]
pub struct Logits {
    /// Of forward actions, shape `[state, action]`.
    pub forward: Tensor<2>,
    /// Of backward actions, shape `[state, action]`; the backward policy is uniform without them.
    pub backward: Option<Tensor<2>>,
    /// `log F`, shape `[state]`, for objectives that read flows of states.
    pub flow: Option<Tensor<1>>,
}

/// A network that decides what to build next.
pub trait PolicyNetwork<E: Environment>: Module + Sync {
    /// Logits of all actions at some states. Those of forbidden actions are ignored.
    ///
    /// The device is that of the network, an autodiff one in training.
    fn logits(&self, environment: &E, states: &[E::State], device: &Device) -> Logits;

    /// Logits at all states of some groups. Override it if one pass gives those of a whole path.
    fn logits_along(&self, environment: &E, groups: &Paths<E::State>, device: &Device) -> Logits {
        self.logits(environment, groups.states(), device)
    }

    /// Whether [`logits`](Self::logits) have a backward policy. Without one, paths back need no evaluation of the network.
    fn has_backward(&self) -> bool {
        true
    }

    /// Draws paths faster than state by state, one for each generator; `None` if it cannot.
    fn draw(
        &self,
        environment: &E,
        exploration: Exploration,
        rngs: &mut [ChainRng],
        device: &Device,
    ) -> Option<Paths<E::State>> {
        let _ = (environment, exploration, rngs, device);
        None
    }

    /// `log Z_θ`, shape `[1]`.
    fn log_partition(&self) -> Tensor<1>;
}

/// A network as a policy: decisions are computed in `f32` on its device, and normalised in `f64`.
pub struct NetworkPolicy<'a, N> {
    /// The network.
    pub network: &'a N,
    /// Its device.
    pub device: &'a Device,
    /// What flows are.
    pub flows: Flows,
}

impl<N> NetworkPolicy<'_, N> {
    /// Draws paths, one for each generator, [as the network can best](PolicyNetwork::draw).
    pub fn draw<E>(&self, environment: &E, exploration: Exploration, rngs: &mut [ChainRng]) -> Paths<E::State>
    where
        E: Environment,
        N: PolicyNetwork<E>,
    {
        let drawn = self.network.draw(environment, exploration, rngs, self.device);
        drawn.unwrap_or_else(|| Paths::draw(environment, self, exploration, rngs))
    }

    /// Draws paths back from terminal states, one for each generator, by the network's backward policy or the uniform one.
    pub fn draw_back<E>(&self, environment: &E, ends: &[E::State], rngs: &mut [ChainRng]) -> Paths<E::State>
    where
        E: Environment,
        N: PolicyNetwork<E>,
    {
        match self.network.has_backward() {
            true => Paths::draw_back(environment, self, ends, rngs),
            false => Paths::draw_back(environment, &UniformPolicy, ends, rngs),
        }
    }

    /// The terms of some groups, from [all their logits together](PolicyNetwork::logits_along).
    ///
    /// # Errors
    /// As [`Paths::terms`].
    pub fn terms<E>(&self, environment: &E, groups: &Paths<E::State>) -> glauber_gflownet::Result<Terms>
    where
        E: Environment,
        N: PolicyNetwork<E>,
    {
        let logits = self.network.logits_along(environment, groups, self.device);
        let decisions = decisions(environment, groups.states(), &logits);
        groups.terms_of(environment, &decisions, Policy::<E>::log_partition(self), self.flows)
    }
}

/// States that are evaluated together.
const CHUNK: usize = 1 << 13;

impl<E: Environment, N: PolicyNetwork<E>> Policy<E> for NetworkPolicy<'_, N> {
    fn decide(&self, environment: &E, states: &[E::State]) -> Decisions {
        let mut all = Decisions::zeros(environment.actions(), 0);
        for states in states.chunks(CHUNK) {
            all.extend(decisions(environment, states, &self.network.logits(environment, states, self.device)));
        }
        all
    }

    fn log_partition(&self) -> f64 {
        glauber_descent::scalar(self.network.log_partition())
    }

    fn flows(&self) -> Flows {
        self.flows
    }
}

/// The decisions that logits stand for.
pub(crate) fn decisions<E: Environment>(environment: &E, states: &[E::State], logits: &Logits) -> Decisions {
    let forward = numbers(logits.forward.clone());
    let backward = logits.backward.clone().map(numbers);
    let flow = logits.flow.clone().map_or_else(|| vec![0.0; states.len()], numbers);
    Decisions::of_logits(environment, states, forward, backward, flow)
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}
