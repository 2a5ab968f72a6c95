//! Objectives: losses of paths that are 0, or least, where the policy samples the target.

mod cross_entropy;
mod detailed_balance;
mod flow_matching;
mod likelihood;
mod log_variance;
mod relative_entropy;
mod sub_trajectory;
mod trajectory_balance;

pub use cross_entropy::CrossEntropy;
pub use detailed_balance::DetailedBalance;
pub use flow_matching::FlowMatching;
pub use likelihood::Likelihood;
pub use log_variance::LogVariance;
pub use relative_entropy::RelativeEntropy;
pub use sub_trajectory::SubTrajectoryBalance;
pub use trajectory_balance::TrajectoryBalance;

use std::borrow::Cow;
use std::fmt::Debug;

use crate::terms::Group;
use crate::{Environment, GflownetError, Paths, Result, Terms};

/// A loss of a batch of paths, by their terms.
///
/// To add one, write a file here, and add it to the list of [`objective`]. One of your own is passed as it is.
///
/// ```
/// use glauber_gflownet::{PathObjective, Terms};
///
/// /// The mean of `−log w`, without the gradient by where paths go.
/// #[derive(Debug)]
/// struct Surprise;
///
/// impl PathObjective for Surprise {
///     fn name(&self) -> &'static str { "surprise" }
///     fn loss(&self, terms: &Terms, gradient: &mut Terms) -> f64 {
///         let n = terms.count() as f64;
///         gradient.forward.iter_mut().for_each(|g| *g += 1.0 / n);
///         gradient.backward.iter_mut().for_each(|g| *g -= 1.0 / n);
///         -terms.log_weights().iter().sum::<f64>() / n
///     }
/// }
/// ```
pub trait PathObjective: Debug + Send + Sync {
    /// The name in files and flags.
    fn name(&self) -> &'static str;

    /// The loss, a mean over groups; adds its gradient by every term to `gradient`, which has the shape of the terms.
    fn loss(&self, terms: &Terms, gradient: &mut Terms) -> f64;

    /// Whether it compares states with their [parents](crate::Paths::parents), not paths.
    fn reads_parents(&self) -> bool {
        false
    }

    /// Whether it reads flows of states between the source and the end.
    fn reads_flows(&self) -> bool {
        false
    }

    /// Whether its weights hold only on paths that the policy drew itself, without exploration.
    fn needs_own_paths(&self) -> bool {
        false
    }

    /// Whether it learns only from paths that lead back from samples of the target.
    fn needs_ends(&self) -> bool {
        false
    }
}

impl dyn PathObjective + '_ {
    /// The groups that it compares: the paths, or the states of paths with their parents.
    pub fn groups<'a, E: Environment>(&self, environment: &E, paths: &'a Paths<E::State>) -> Cow<'a, Paths<E::State>> {
        if self.reads_parents() { Cow::Owned(paths.parents(environment)) } else { Cow::Borrowed(paths) }
    }
}

/// How large a residual is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Criterion {
    /// `δ²`.
    #[default]
    Square,
    /// `δ² / 2` up to 1, `|δ| − ½` beyond (Huber), as DAG-GFlowNet has it.
    Huber,
}

impl Criterion {
    /// The loss of a residual, and its derivative.
    pub fn of(self, residual: f64) -> [f64; 2] {
        match self {
            Self::Square => [residual * residual, 2.0 * residual],
            Self::Huber if residual.abs() <= 1.0 => [residual * residual / 2.0, residual],
            Self::Huber => [residual.abs() - 0.5, residual.signum()],
        }
    }
}

/// The mean of the groups' losses; `loss` gets a group's terms, its gradient, and the weight of a group in the mean.
fn mean_of_groups(
    terms: &Terms,
    gradient: &mut Terms,
    mut loss: impl FnMut(Group<&[f64]>, Group<&mut [f64]>, f64) -> f64,
) -> f64 {
    let weight = 1.0 / terms.count() as f64;
    (0..terms.count()).map(|at| loss(terms.group(at), gradient.group_mut(at), weight) * weight).sum()
}

/// All objectives, with squares and the constants of their papers.
pub fn objectives() -> [&'static dyn PathObjective; 8] {
    const SQUARE: Criterion = Criterion::Square;
    [
        &TrajectoryBalance(SQUARE),
        &DetailedBalance(SQUARE),
        &SubTrajectoryBalance { lambda: 0.9, criterion: SQUARE },
        &FlowMatching(SQUARE),
        &LogVariance,
        &RelativeEntropy,
        &CrossEntropy { power: 1.0 },
        &Likelihood,
    ]
}

/// An objective by its name.
///
/// # Errors
/// When there is none of this name.
pub fn objective(name: &str) -> Result<&'static dyn PathObjective> {
    let all = objectives();
    let names: Vec<&str> = all.iter().map(|objective| objective.name()).collect();
    let unknown = || GflownetError::UnknownObjective { found: name.into(), expected: names.join(", ") };
    all.into_iter().find(|objective| objective.name() == name).ok_or_else(unknown)
}
