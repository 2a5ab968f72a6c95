//! Environments small enough to list every state.

use std::collections::HashMap;

use glauber_energy::dag::jensen_shannon;
use glauber_energy::{EnergyError, Target, log_sum_exp};
use glauber_tokens::Token;

use crate::environment::set;
use crate::{Environment, Filling, FillingOrder, GflownetError, Policy, Result};

/// The most states that are listed.
pub const MAX_STATES: usize = 1 << 23;

/// States that are evaluated together.
const CHUNK: usize = 1 << 12;

/// All states of an environment, each after all its parents.
#[derive(Debug, Clone, PartialEq)]
pub struct StateSpace<S: Eq + std::hash::Hash> {
    states: Vec<S>,
    places: HashMap<S, usize>,
    /// Places of terminal states.
    ends: Vec<usize>,
    /// `log R` of terminal states, shape `[end]`.
    log_rewards: Vec<f64>,
}

impl<S: Clone + Eq + std::hash::Hash + std::fmt::Debug + Send + Sync> StateSpace<S> {
    /// Lists the states by the number of actions that lead to them.
    ///
    /// # Errors
    /// When there are more than [`MAX_STATES`], a reward is NaN or `+∞`, or a state has neither an action nor a reward.
    pub fn list<E: Environment<State = S>>(environment: &E) -> Result<Self> {
        let source = environment.source();
        let mut space = Self {
            places: HashMap::from([(source.clone(), 0)]),
            states: vec![source],
            ends: Vec::new(),
            log_rewards: Vec::new(),
        };
        let mut flags = vec![false; environment.actions()];
        let mut at = 0;
        while at < space.states.len() {
            let state = space.states[at].clone();
            if let Some(reward) = environment.log_reward(&state) {
                if reward.is_nan() || reward == f64::INFINITY {
                    return Err(GflownetError::Reward { state: format!("{state:?}"), found: reward });
                }
                space.ends.push(at);
                space.log_rewards.push(reward);
            }
            environment.allowed(&state, &mut flags);
            for action in set(&flags) {
                let next = environment.take(&state, action);
                if !space.places.contains_key(&next) {
                    space.places.insert(next.clone(), space.states.len());
                    space.states.push(next);
                }
            }
            if !flags.contains(&true) && space.ends.last() != Some(&at) {
                return Err(GflownetError::DeadEnd { state: format!("{state:?}") });
            }
            if space.states.len() > MAX_STATES {
                return Err(GflownetError::TooLarge { limit: MAX_STATES });
            }
            at += 1;
        }
        Ok(space)
    }

    /// All states, shape `[state]`; the source first.
    pub fn states(&self) -> &[S] {
        &self.states
    }

    /// The place of a state.
    ///
    /// # Panics
    /// When the environment has no such state.
    pub fn place(&self, state: &S) -> usize {
        self.places[state]
    }

    /// The terminal states, shape `[end]`.
    pub fn ends(&self) -> impl ExactSizeIterator<Item = &S> + Clone {
        self.ends.iter().map(|&place| &self.states[place])
    }

    /// `log Z`: the logarithm of the sum of all rewards, in nats.
    pub fn log_partition(&self) -> f64 {
        log_sum_exp(&self.log_rewards)
    }

    /// The target `R / Z`, shape `[end]`.
    pub fn target(&self) -> Vec<f64> {
        let log_partition = self.log_partition();
        self.log_rewards.iter().map(|log| (log - log_partition).exp()).collect()
    }

    /// `log F` of every state, shape `[state]`, with all rewards flowing back by the backward policy: the flows that make all
    /// losses 0.
    pub fn log_flows<E: Environment<State = S>>(&self, environment: &E, backward: &dyn Policy<E>) -> Vec<f64> {
        let mut flows = vec![f64::NEG_INFINITY; self.states.len()];
        self.ends.iter().zip(&self.log_rewards).for_each(|(&place, &reward)| flows[place] = reward);
        for (first, states) in self.chunks().rev() {
            let decisions = backward.decide(environment, states);
            for at in (0..states.len()).rev() {
                for (action, log) in possible(decisions.backward_at(at)) {
                    let parent = self.place(&environment.undo(&states[at], action));
                    flows[parent] = log_sum_exp(&[flows[parent], flows[first + at] + log]);
                }
            }
        }
        flows
    }

    /// The exact law of terminal states under a policy, shape `[end]`: mass is pushed through all states (§2.5).
    pub fn terminal_law<E, P>(&self, environment: &E, policy: &P) -> Vec<f64>
    where
        E: Environment<State = S>,
        P: Policy<E> + ?Sized,
    {
        let mut mass = vec![0.0; self.states.len()];
        mass[0] = 1.0;
        for (first, states) in self.chunks() {
            let decisions = policy.decide(environment, states);
            for (at, state) in states.iter().enumerate() {
                for (action, log) in possible(decisions.forward_at(at)) {
                    let next = self.place(&environment.take(state, action));
                    mass[next] += mass[first + at] * log.exp();
                }
            }
        }
        self.ends.iter().map(|&place| mass[place]).collect()
    }

    fn chunks(&self) -> impl DoubleEndedIterator<Item = (usize, &[S])> {
        self.states.chunks(CHUNK).enumerate().map(|(chunk, states)| (chunk * CHUNK, states))
    }
}

fn possible(law: &[f64]) -> impl Iterator<Item = (usize, f64)> + '_ {
    law.iter().copied().enumerate().filter(|(_, log)| *log > f64::NEG_INFINITY)
}

/// How far the law of a sampler is from its target, both of shape `[state]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Distance {
    /// `Σ |p − π|`, twice the total variation (E15).
    pub l1: f64,
    /// The Jensen–Shannon divergence, in nats.
    pub jensen_shannon: f64,
}

impl Distance {
    /// Between two laws.
    ///
    /// # Errors
    /// When they have different sizes.
    pub fn between(law: &[f64], target: &[f64]) -> Result<Self, EnergyError> {
        let l1 = law.iter().zip(target).map(|(p, q)| (p - q).abs()).sum();
        Ok(Self { l1, jensen_shannon: jensen_shannon(law, target)? })
    }
}

/// The probability that a policy fills a sequence in any order, over all orders of its sites: a sum over subsets (§2.5),
/// `f(S) = Σ_{i∈S} f(S∖i) P_F(i, x_i | S∖i)`, `2^L` states. Of longer sequences than a [`StateSpace`] can list.
///
/// # Errors
/// When the sequence has more than 20 sites, or another number than the target.
pub fn filling_probability<T, P>(filling: &Filling<T>, policy: &P, tokens: &[Token]) -> Result<f64>
where
    T: Target,
    P: Policy<Filling<T>> + ?Sized,
{
    let (len, vocab) = (tokens.len(), filling.target.vocab());
    if len > 20 || len != filling.target.len() || filling.order != FillingOrder::Any {
        let expected = "the sites of the target, at most 20, filled in any order";
        return Err(GflownetError::OutOfRange { key: "sites", found: len as f64, expected });
    }
    let mut f = vec![0.0; 1 << len];
    f[0] = 1.0;
    let subsets: Vec<usize> = (0..(1usize << len) - 1).collect();
    for subsets in subsets.chunks(CHUNK) {
        let state = |&subset: &usize| (0..len).map(|site| (subset >> site & 1 == 1).then_some(tokens[site])).collect();
        let decisions = policy.decide(filling, &subsets.iter().map(state).collect::<Vec<_>>());
        for (at, &subset) in subsets.iter().enumerate() {
            for site in (0..len).filter(|&site| subset >> site & 1 == 0) {
                let log = decisions.forward_at(at)[site * vocab + tokens[site] as usize];
                f[subset | 1 << site] += f[subset] * log.exp();
            }
        }
    }
    Ok(f[(1 << len) - 1])
}
