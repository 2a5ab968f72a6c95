//! GFlowNets as a training task.

use std::marker::PhantomData;

use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use glauber_chain::ChainRng;
use glauber_descent::{Stream, Task};
use glauber_gflownet::{Environment, Exploration, Flows, GflownetError, PathObjective, Paths, Policy, Slopes};

use crate::NeuralError;
use crate::policy::{Logits, NetworkPolicy, PolicyNetwork, decisions};

/// Trains a network on its own paths, by any objective.
///
/// The loss and its gradient by logits are computed in `f64` on the host, where they are tested; the network's device sees
/// one evaluation of all states of a batch, forward and back.
pub struct PathTask<'a, E: Environment, N> {
    environment: &'a E,
    objective: &'a dyn PathObjective,
    flows: Flows,
    paths: usize,
    exploration: Exploration,
    sources: Vec<Source<'a, E>>,
    prior: Option<&'a dyn Policy<E>>,
    device: Device,
    network: PhantomData<fn(N)>,
}

/// Terminal states from elsewhere, so many a step: samples of data, or of a buffer.
type Source<'a, E> = (usize, Box<dyn Fn(&mut ChainRng) -> <E as Environment>::State + Sync + 'a>);

impl<'a, E: Environment, N: PolicyNetwork<E>> PathTask<'a, E, N> {
    /// A task with so many own paths a micro-batch. `device` is the plain device of the network.
    pub fn new(environment: &'a E, objective: &'a dyn PathObjective, paths: usize, device: &Device) -> Self {
        Self {
            environment,
            objective,
            flows: Flows::Learned,
            paths,
            exploration: Exploration::NONE,
            sources: Vec::new(),
            prior: None,
            device: device.clone(),
            network: PhantomData,
        }
    }

    /// Sets how own paths are explored.
    #[must_use]
    pub fn with_exploration(self, exploration: Exploration) -> Self {
        Self { exploration, ..self }
    }

    /// Sets what flows are.
    #[must_use]
    pub fn with_flows(self, flows: Flows) -> Self {
        Self { flows, ..self }
    }

    /// Learns the posterior of a prior policy, with the environment's rewards for likelihoods `c`: a network by trajectory balance
    /// ends in `x` with probability `prior(x) c(x) / Z` (E11; Venkatraman et al. 2024). Own paths start from the network's weights,
    /// which may be those of the prior.
    #[must_use]
    pub fn relative_to(self, prior: &'a dyn Policy<E>) -> Self {
        Self { prior: Some(prior), ..self }
    }

    /// Adds so many paths a micro-batch that lead to given terminal states, drawn back by the backward policy.
    #[must_use]
    pub fn with_ends(mut self, paths: usize, draw: impl Fn(&mut ChainRng) -> E::State + Sync + 'a) -> Self {
        self.sources.push((paths, Box::new(draw)));
        self
    }
}

impl<E: Environment, N: PolicyNetwork<E>> Task for PathTask<'_, E, N> {
    type Model = N;
    type Batch = Paths<E::State>;
    type Error = NeuralError;

    fn batch(&self, network: &N, stream: Stream) -> Result<Paths<E::State>, NeuralError> {
        self.check(network)?;
        let policy = NetworkPolicy { network, device: &self.device, flows: self.flows };
        // A generator for each path, and the paths of each step apart.
        let all = self.paths + self.sources.iter().map(|(paths, _)| paths).sum::<usize>();
        let first = stream.number * all as u64;
        let mut rngs: Vec<ChainRng> = (0..all as u64).map(|path| ChainRng::new(stream.seed, first + path)).collect();
        let (own, mut rest) = rngs.split_at_mut(self.paths);
        let mut paths = match self.paths {
            0 => Paths::of(Vec::new()),
            _ => policy.draw(self.environment, self.exploration, own),
        };
        for (count, draw) in &self.sources {
            let (these, others) = rest.split_at_mut(*count);
            let ends: Vec<E::State> = these.iter_mut().map(draw).collect();
            paths = paths.and(&policy.draw_back(self.environment, &ends, these));
            rest = others;
        }
        paths.check_ends(self.environment)?;
        Ok(paths)
    }

    fn loss(&self, network: &N, paths: &Paths<E::State>, device: &Device) -> Tensor<1> {
        Tensor::from_floats([self.slopes(network, paths, device).0 as f32], device)
    }

    fn gradients(&self, network: &N, paths: &Paths<E::State>, device: &Device) -> (f64, GradientsParams) {
        let (loss, found) = self.slopes(network, paths, device);
        let Some((logits, slopes)) = found else {
            return (f64::NAN, GradientsParams::new());
        };
        let surrogate = surrogate(&logits, &network.log_partition(), &slopes, device);
        (loss, GradientsParams::from_grads(surrogate.backward(), network))
    }
}

impl<E: Environment, N: PolicyNetwork<E>> PathTask<'_, E, N> {
    /// Checks that network, objective and paths fit each other.
    fn check(&self, network: &N) -> Result<(), NeuralError> {
        let objective = self.objective.name();
        let own = self.exploration == Exploration::NONE && self.sources.is_empty();
        if self.objective.needs_own_paths() && !own {
            return Err(GflownetError::OwnPaths { objective }.into());
        }
        if self.objective.needs_ends() && (self.paths > 0 || self.sources.is_empty()) {
            return Err(GflownetError::GivenEnds { objective }.into());
        }
        if self.flows == Flows::OfStop {
            return self.environment.stop().map(|_| ()).ok_or(GflownetError::NoStop.into());
        }
        let source = [self.environment.source()];
        if self.objective.reads_flows() && network.logits(self.environment, &source, &self.device).flow.is_none() {
            let instead = "trajectory-balance or log-variance, or a network with flows";
            return Err(GflownetError::NoFlows { objective, instead }.into());
        }
        Ok(())
    }

    /// The loss of some paths, and its gradient by the logits found; none where a reward is no number.
    fn slopes(&self, network: &N, paths: &Paths<E::State>, device: &Device) -> (f64, Option<(Logits, Slopes)>) {
        let groups = self.objective.groups(self.environment, paths);
        let logits = network.logits_along(self.environment, &groups, device);
        let found = decisions(self.environment, groups.states(), &logits);
        let log_partition = glauber_descent::scalar(network.log_partition());
        match groups.slopes(self.environment, self.objective, &found, log_partition, self.flows, self.prior) {
            Ok((loss, slopes)) => (loss, Some((logits, slopes))),
            // The trainer refuses the step, and names the loss.
            Err(_) => (f64::NAN, None),
        }
    }
}

/// A function of the logits whose gradient is the one given: their sum, weighted by it.
fn surrogate(logits: &Logits, log_partition: &Tensor<1>, slopes: &Slopes, device: &Device) -> Tensor<1> {
    let weighted = |logits: &Tensor<2>, by: &[f64]| {
        let by: Vec<f32> = by.iter().map(|&g| g as f32).collect();
        (logits.clone() * Tensor::from_data(TensorData::new(by, logits.dims()), device)).sum()
    };
    let mut sum = weighted(&logits.forward, &slopes.logits.forward);
    if let Some(backward) = &logits.backward {
        sum = sum + weighted(backward, &slopes.logits.backward);
    }
    if let Some(flow) = &logits.flow {
        sum = sum + weighted(&flow.clone().unsqueeze_dim(1), &slopes.logits.flow);
    }
    sum + log_partition.clone().mul_scalar(slopes.log_partition)
}
