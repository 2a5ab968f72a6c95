//! Policies of one entry for each state and action, which learn by Adam.

use std::sync::Arc;

use crate::{Decisions, Environment, Flows, Paths, Policy, StateSpace};

/// A policy as a table over all states: what a network approximates, and exact where the flows are.
pub struct TablePolicy<E: Environment> {
    space: Arc<StateSpace<E::State>>,
    actions: usize,
    flows: Flows,
    /// Logits, shape `[state · action]`.
    forward: Vec<f64>,
    /// Logits, shape `[state · action]`; a uniform policy without them.
    backward: Option<Vec<f64>>,
    /// `log F`, shape `[state]`; that of the source is `log Z_θ`.
    flow: Vec<f64>,
}

impl<E: Environment> TablePolicy<E> {
    /// A uniform forward and backward policy with flows of 1. The backward policy is fixed.
    pub fn uniform(environment: &E, space: Arc<StateSpace<E::State>>) -> Self {
        let (actions, states) = (environment.actions(), space.states().len());
        let forward = vec![0.0; states * actions];
        Self { space, actions, flows: Flows::Learned, forward, backward: None, flow: vec![0.0; states] }
    }

    /// The policy and the flows that sample the target exactly, for the uniform backward policy.
    pub fn exact(environment: &E, space: Arc<StateSpace<E::State>>) -> Self {
        let mut policy = Self::uniform(environment, space);
        policy.flow = policy.space.log_flows(environment, &policy);
        for (at, state) in policy.space.states().iter().enumerate() {
            let mut flags = vec![false; policy.actions];
            environment.allowed(state, &mut flags);
            for action in (0..policy.actions).filter(|&action| flags[action]) {
                let next = environment.take(state, action);
                let backward = policy.decide(environment, std::slice::from_ref(&next)).backward_at(0)[action];
                policy.forward[at * policy.actions + action] = policy.flow[policy.space.place(&next)] + backward;
            }
        }
        policy
    }

    /// Learns the backward policy as well.
    #[must_use]
    pub fn with_learned_backward(self) -> Self {
        Self { backward: Some(vec![0.0; self.forward.len()]), ..self }
    }

    /// Sets what flows are.
    #[must_use]
    pub fn with_flows(self, flows: Flows) -> Self {
        Self { flows, ..self }
    }

    /// Copies the table.
    #[must_use]
    pub fn copied(&self) -> Self {
        let (forward, backward, flow) = (self.forward.clone(), self.backward.clone(), self.flow.clone());
        Self { space: Arc::clone(&self.space), forward, backward, flow, ..*self }
    }

    /// The states.
    pub fn space(&self) -> &StateSpace<E::State> {
        &self.space
    }

    /// Number of parameters.
    fn parameters(&self) -> usize {
        self.forward.len() + self.flow.len() + self.backward.as_ref().map_or(0, Vec::len)
    }

    /// The gradient by all parameters, flows, forward and then backward logits, from that by logits.
    fn gradient(&self, paths: &Paths<E::State>, by: &Decisions, by_log_partition: f64) -> Vec<f64> {
        let mut gradient = vec![0.0; self.parameters()];
        gradient[0] = by_log_partition;
        let (flow, logits) = gradient.split_at_mut(self.flow.len());
        let (forward, backward) = logits.split_at_mut(self.forward.len());
        for (at, state) in paths.states().iter().enumerate() {
            let place = self.space.place(state);
            flow[place] += by.flow[at];
            let row = place * self.actions..(place + 1) * self.actions;
            add(&mut forward[row.clone()], by.forward_at(at));
            if self.backward.is_some() {
                add(&mut backward[row], by.backward_at(at));
            }
        }
        gradient
    }
}

fn add(sum: &mut [f64], by: &[f64]) {
    sum.iter_mut().zip(by).for_each(|(sum, by)| *sum += by);
}

impl<E: Environment> Policy<E> for TablePolicy<E> {
    fn decide(&self, environment: &E, states: &[E::State]) -> Decisions {
        let places: Vec<usize> = states.iter().map(|state| self.space.place(state)).collect();
        let rows = |table: &[f64]| -> Vec<f64> {
            places.iter().flat_map(|place| &table[place * self.actions..][..self.actions]).copied().collect()
        };
        let flow = places.iter().map(|&place| self.flow[place]).collect();
        Decisions::of_logits(environment, states, rows(&self.forward), self.backward.as_deref().map(rows), flow)
    }

    fn log_partition(&self) -> f64 {
        self.flow[0]
    }

    fn flows(&self) -> Flows {
        self.flows
    }
}

/// Adam (Kingma and Ba 2015) on a table.
#[derive(Debug, Clone)]
pub struct TableAdam {
    /// The learning rate of logits and flows.
    pub rate: f64,
    /// The learning rate of `log Z_θ`, which is larger in the literature.
    pub log_partition_rate: f64,
    step: i32,
    moments: Vec<[f64; 2]>,
}

impl TableAdam {
    /// With learning rates of the table and of `log Z_θ`.
    pub fn new(rate: f64, log_partition_rate: f64) -> Self {
        Self { rate, log_partition_rate, step: 0, moments: Vec::new() }
    }

    /// One step of an objective on some paths; returns the loss.
    ///
    /// # Errors
    /// As [`Paths::terms`], and when the loss is not finite: the table is then unchanged.
    pub fn step<E: Environment>(
        &mut self,
        environment: &E,
        policy: &mut TablePolicy<E>,
        objective: &dyn crate::PathObjective,
        paths: &Paths<E::State>,
    ) -> crate::Result<f64> {
        let groups = objective.groups(environment, paths);
        let found = policy.decide(environment, groups.states());
        let (loss, slopes) =
            groups.slopes(environment, objective, &found, policy.log_partition(), policy.flows, None)?;
        if !loss.is_finite() {
            return Err(crate::GflownetError::Diverged { step: self.step as usize, loss });
        }
        let gradient = policy.gradient(&groups, &slopes.logits, slopes.log_partition);
        self.moments.resize(gradient.len(), [0.0; 2]);
        self.step += 1;
        let correction = [0.9f64, 0.999].map(|beta| 1.0 - beta.powi(self.step));
        let parameters = policy.flow.iter_mut().chain(&mut policy.forward).chain(policy.backward.iter_mut().flatten());
        for (at, ((parameter, g), moments)) in parameters.zip(gradient).zip(&mut self.moments).enumerate() {
            let rate = if at == 0 { self.log_partition_rate } else { self.rate };
            moments[0] += 0.1 * (g - moments[0]);
            moments[1] += 0.001 * (g * g - moments[1]);
            *parameter -= rate * (moments[0] / correction[0]) / ((moments[1] / correction[1]).sqrt() + 1e-8);
        }
        Ok(loss)
    }
}
