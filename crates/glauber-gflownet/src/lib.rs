#![doc = include_str!("../README.md")]
//! | question                          | place                                                             |
//! |-----------------------------------|-------------------------------------------------------------------|
//! | what is built, action by action   | [`Environment`]: [`GridWalk`], [`Filling`], [`DagBuilding`]       |
//! | by what                           | [`Policy`]: [`TablePolicy`], [`UniformPolicy`], or a network      |
//! | how paths are drawn               | [`Paths`], [`Exploration`]                                        |
//! | what is minimised                 | [`PathObjective`] of [`Terms`], a file each                       |
//! | reverse chains as such samplers   | [`reverse_paths`]                                                 |
//! | what is exactly true              | [`StateSpace`], [`TablePolicy::exact`], [`filling_probability`]   |
//! | where weighted samples are kept   | [`Buffer`]                                                        |
//! | how good a sampler is             | [`Distance`], [`Evidence`]                                        |
//! | exact chains with it as proposal  | [`BackAndForth`], [`IndependenceMetropolis`]                      |

mod buffer;
mod environment;
mod environments;
mod error;
mod moves;
mod noising;
mod objective;
mod paths;
mod policy;
mod space;
mod table;
mod terms;
mod walks;

pub use buffer::Buffer;
pub use environment::Environment;
pub use environments::{
    DagBuilding, DagState, Filling, FillingOrder, FillingState, GridState, GridWalk, filled, filled_tokens,
};
pub use error::{GflownetError, Result};
pub use moves::{Acceptance, BackAndForth, IndependenceMetropolis};
pub use noising::{ReversePaths, reverse_paths};
pub use objective::{
    Criterion, CrossEntropy, DetailedBalance, FlowMatching, Likelihood, LogVariance, PathObjective, RelativeEntropy,
    SubTrajectoryBalance, TrajectoryBalance, objective, objectives,
};
pub use paths::{Exploration, Paths, Slopes};
pub use policy::{Decisions, Flows, Policy, UniformPolicy};
pub use space::{Distance, MAX_STATES, StateSpace, filling_probability};
pub use table::{TableAdam, TablePolicy};
pub use terms::{Evidence, Group, Terms};
