//! Paths from the source to terminal states, and how they are drawn.

use std::fmt::Debug;

use glauber_chain::ChainRng;

use crate::environment::set;
use crate::walks::{Walks, draw};
use crate::{Decisions, Environment, Flows, GflownetError, PathObjective, Policy, Result, Terms};

/// How a path is drawn where it is not drawn by the policy itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Exploration {
    /// `ε`: the probability of a uniform action, 0 to 1.
    pub uniform: f64,
    /// The temperature of the policy's other actions, above 0; 1 leaves them as they are.
    pub temperature: f64,
}

impl Exploration {
    /// None: paths are those of the policy.
    pub const NONE: Self = Self { uniform: 0.0, temperature: 1.0 };

    /// Uniform actions with a probability.
    pub fn uniform(uniform: f64) -> Self {
        Self { uniform, ..Self::NONE }
    }

    /// Draws an action from the policy's log-probabilities, shape `[action]`; `None` in a terminal state.
    pub fn draw<E: Environment>(
        self,
        environment: &E,
        state: &E::State,
        law: &[f64],
        rng: &mut ChainRng,
    ) -> Option<usize> {
        if self == Self::NONE {
            return draw(law, rng);
        }
        let mut flags = vec![false; law.len()];
        environment.allowed(state, &mut flags);
        let count = set(&flags).count() as f64;
        let (share, temperature) = (self.uniform.clamp(0.0, 1.0), self.temperature.max(1e-9));
        let top = law.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut warm: Vec<f64> = law.iter().map(|log| (log - top) / temperature).collect();
        let mass: f64 = warm.iter().map(|log| log.exp()).sum();
        for (log, &flag) in warm.iter_mut().zip(&flags) {
            let uniform = if flag { share / count } else { 0.0 };
            *log = ((1.0 - share) * log.exp() / mass + uniform).ln();
        }
        draw(&warm, rng)
    }
}

/// Groups of states with the actions between them.
///
/// A group of `n` actions has `n + 1` states. In a path, action `k` leads from state `k` to state `k + 1`. In a group of
/// [`parents`](Paths::parents), it leads from state `k` to the last one.
#[derive(Debug, Clone, PartialEq)]
pub struct Paths<S> {
    states: Vec<S>,
    actions: Vec<usize>,
    /// Where the states of groups begin, shape `[group + 1]`.
    offsets: Vec<usize>,
    are_paths: bool,
}

impl<S: Clone + PartialEq + Debug> Paths<S> {
    fn new(are_paths: bool) -> Self {
        Self { states: Vec::new(), actions: Vec::new(), offsets: vec![0], are_paths }
    }

    /// Paths from their states, shape `[action + 1]`, and actions.
    ///
    /// # Panics
    /// When a path has another number of states.
    pub fn of(paths: impl IntoIterator<Item = (Vec<S>, Vec<usize>)>) -> Self {
        let mut all = Self::new(true);
        for (states, actions) in paths {
            assert_eq!(states.len(), actions.len() + 1, "states of a path");
            all.push(states, actions);
        }
        all
    }

    fn push(&mut self, states: impl IntoIterator<Item = S>, actions: impl IntoIterator<Item = usize>) {
        self.states.extend(states);
        self.actions.extend(actions);
        self.offsets.push(self.states.len());
    }

    /// Number of groups.
    pub fn count(&self) -> usize {
        self.offsets.len() - 1
    }

    /// All states, group by group.
    pub fn states(&self) -> &[S] {
        &self.states
    }

    /// The states of a group, shape `[action + 1]`.
    pub fn states_of(&self, group: usize) -> &[S] {
        &self.states[self.offsets[group]..self.offsets[group + 1]]
    }

    /// The actions of a group.
    pub fn actions_of(&self, group: usize) -> &[usize] {
        &self.actions[self.offsets[group] - group..self.offsets[group + 1] - group - 1]
    }

    /// The last state of every group.
    pub fn ends(&self) -> impl Iterator<Item = &S> {
        self.offsets[1..].iter().map(|&end| &self.states[end - 1])
    }

    /// Where the states of groups begin, shape `[group + 1]`.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }

    /// Whether groups are paths; else they are parents with their child.
    pub fn are_paths(&self) -> bool {
        self.are_paths
    }

    /// These groups, and then others of the same kind.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        (0..other.count())
            .for_each(|group| self.push(other.states_of(group).to_vec(), other.actions_of(group).to_vec()));
        self
    }

    /// Draws paths from the source by the forward policy, one for each generator.
    pub fn draw<E, P>(environment: &E, policy: &P, exploration: Exploration, rngs: &mut [ChainRng]) -> Self
    where
        E: Environment<State = S>,
        P: Policy<E> + ?Sized,
    {
        let starts = vec![environment.source(); rngs.len()];
        Walks::forth(environment, policy, &starts, exploration, rngs).into_paths()
    }

    /// Draws paths to some terminal states by the backward policy, one for each generator.
    pub fn draw_back<E, P>(environment: &E, policy: &P, ends: &[S], rngs: &mut [ChainRng]) -> Self
    where
        E: Environment<State = S>,
        P: Policy<E> + ?Sized,
    {
        Walks::back(environment, policy, ends, usize::MAX, rngs).into_paths()
    }

    /// Every state of these paths but the source, with all its parents: what flow matching compares.
    #[must_use]
    pub fn parents<E: Environment<State = S>>(&self, environment: &E) -> Self {
        let mut flags = vec![false; environment.actions()];
        let mut all = Self::new(false);
        for group in 0..self.count() {
            for state in &self.states_of(group)[1..] {
                environment.undoable(state, &mut flags);
                let parents = set(&flags).map(|action| environment.undo(state, action));
                all.push(parents.chain([state.clone()]), set(&flags));
            }
        }
        all
    }

    /// Checks that every path ends in a terminal state with a reward.
    ///
    /// # Errors
    /// When one ends elsewhere, as a policy whose probabilities are NaN does, or a reward is NaN or `+∞`.
    pub fn check_ends<E: Environment<State = S>>(&self, environment: &E) -> Result<()> {
        let ends: Vec<S> = self.ends().cloned().collect();
        rewards(environment, &ends).map(|_| ())
    }

    /// The terms of these groups under a policy.
    ///
    /// # Errors
    /// When a reward is NaN or `+∞`, or flows are those of stopping in an environment where not every state may stop.
    pub fn terms<E, P>(&self, environment: &E, policy: &P) -> Result<Terms>
    where
        E: Environment<State = S>,
        P: Policy<E> + ?Sized,
    {
        let decisions = policy.decide(environment, &self.states);
        self.terms_of(environment, &decisions, policy.log_partition(), policy.flows())
    }

    /// The terms of these groups, from the decisions at all their states.
    ///
    /// # Errors
    /// As [`terms`](Self::terms).
    pub fn terms_of<E: Environment<State = S>>(
        &self,
        environment: &E,
        decisions: &Decisions,
        log_partition: f64,
        flows: Flows,
    ) -> Result<Terms> {
        let mut terms = Terms::zeros(&self.offsets);
        let source = environment.source();
        let rewards = environment.log_rewards(&self.states);
        for (at, (state, reward)) in self.states.iter().zip(rewards).enumerate() {
            terms.flow[at] = match (reward, flows) {
                (Some(reward), _) if reward.is_nan() || reward == f64::INFINITY => {
                    return Err(GflownetError::Reward { state: format!("{state:?}"), found: reward });
                }
                (Some(reward), _) => reward,
                (None, Flows::Learned) if *state == source => log_partition,
                (None, Flows::Learned) => decisions.flow[at],
                (None, Flows::OfStop) => {
                    let stop = environment.stop().ok_or(GflownetError::NoStop)?;
                    let reward = environment.log_reward(&environment.take(state, stop)).unwrap_or(f64::NAN);
                    reward - decisions.forward_at(at)[stop]
                }
            };
        }
        for group in 0..self.count() {
            let first = self.offsets[group];
            for (k, &action) in self.actions_of(group).iter().enumerate() {
                terms.forward[first - group + k] = decisions.forward_at(first + k)[action];
                if self.are_paths {
                    terms.backward[first - group + k] = decisions.backward_at(first + k + 1)[action];
                }
            }
        }
        Ok(terms)
    }

    /// The loss of an objective on these groups, with its gradient by the logits of a policy. With a prior, the terms are
    /// [relative to it](Terms::relative_to).
    ///
    /// # Errors
    /// As [`terms`](Self::terms).
    pub fn slopes<E: Environment<State = S>>(
        &self,
        environment: &E,
        objective: &dyn PathObjective,
        decisions: &Decisions,
        log_partition: f64,
        flows: Flows,
        prior: Option<&dyn Policy<E>>,
    ) -> Result<(f64, Slopes)> {
        let mut terms = self.terms_of(environment, decisions, log_partition, flows)?;
        if let Some(prior) = prior {
            terms = terms.relative_to(&self.terms(environment, prior)?);
        }
        let mut gradient = Terms::zeros(&self.offsets);
        let loss = objective.loss(&terms, &mut gradient);
        if prior.is_some() {
            gradient.backward.fill(0.0);
        }
        let (by, log_partition) = self.pull_back(environment, &gradient, flows);
        Ok((loss, Slopes { logits: decisions.by_logits(by), log_partition }))
    }

    /// The gradient by the decisions at all states, and by `log Z_θ`, from the gradient by the terms of these groups.
    fn pull_back<E>(&self, environment: &E, gradient: &Terms, flows: Flows) -> (Decisions, f64)
    where
        E: Environment<State = S>,
    {
        let mut by = Decisions::zeros(environment.actions(), self.states.len());
        let mut by_log_partition = 0.0;
        let source = environment.source();
        let rewards = environment.log_rewards(&self.states);
        for (at, (state, reward)) in self.states.iter().zip(rewards).enumerate() {
            let slope = gradient.flow[at];
            match (reward, flows, environment.stop()) {
                (Some(_), ..) => (),
                (None, Flows::OfStop, Some(stop)) => by.forward_at_mut(at)[stop] -= slope,
                (None, ..) if *state == source => by_log_partition += slope,
                (None, ..) => by.flow[at] += slope,
            }
        }
        for group in 0..self.count() {
            let first = self.offsets[group];
            for (k, &action) in self.actions_of(group).iter().enumerate() {
                by.forward_at_mut(first + k)[action] += gradient.forward[first - group + k];
                if self.are_paths {
                    by.backward_at_mut(first + k + 1)[action] += gradient.backward[first - group + k];
                }
            }
        }
        (by, by_log_partition)
    }
}

/// The gradient of a loss by what a policy gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Slopes {
    /// By forward and backward logits and flows of all states.
    pub logits: Decisions,
    /// By `log Z_θ`.
    pub log_partition: f64,
}

/// `log R` of terminal states, shape `[state]`; an error where there is none, or it is no density.
pub(crate) fn rewards<E: Environment>(environment: &E, ends: &[E::State]) -> Result<Vec<f64>> {
    let all = ends.iter().zip(environment.log_rewards(ends));
    let each = all.map(|(end, reward)| match reward {
        None => Err(GflownetError::DeadEnd { state: format!("{end:?}") }),
        Some(found) if found.is_nan() || found == f64::INFINITY => {
            Err(GflownetError::Reward { state: format!("{end:?}"), found })
        }
        Some(found) => Ok(found),
    });
    each.collect()
}
