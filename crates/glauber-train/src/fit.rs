//! Checks that network, schedule and objective fit each other.

use glauber_chain::ChainError;
use glauber_model::{Asked, SiteClassifier};
use glauber_schedule::Schedule;

use crate::{Objective, OwnToken, TrainError, require};

/// Checks that a network, a schedule and an objective fit each other.
///
/// # Errors
/// [`TrainError::Chain`] when vocabularies differ or sequences are too long for the network. [`TrainError::Config`]
/// when a bidirectional network has noise other than absorbing, or an autoregressive one has more than one sweep. Those
/// of [`Objective::check`].
pub(crate) fn check(
    network: &dyn SiteClassifier,
    objective: &dyn Objective,
    schedule: &Schedule,
) -> Result<(), TrainError> {
    let sizes = network.sizes();
    let (vocab, len) = (schedule.law().vocab(), schedule.len());
    let what = "tokens of the schedule's noise law, against those of the network";
    agree(what, vocab, sizes.vocab)?;
    if len > sizes.longest {
        let what = "sites of the schedule, at most those of the network";
        return Err(ChainError::Mismatch { what, found: len, expected: sizes.longest }.into());
    }
    check_law(network.answers(), schedule)?;
    check_order(network.answers(), schedule)?;
    check_blocks(network, schedule)?;
    check_evidence(network.answers(), objective)?;
    objective.check(schedule)
}

/// Checks that a network has a class.
///
/// # Errors
/// [`TrainError::Class`] when it does not.
pub(crate) fn check_class(network: &dyn SiteClassifier, class: Option<usize>) -> Result<(), TrainError> {
    let classes = network.sizes().classes;
    match class {
        Some(found) if found >= classes => Err(TrainError::Class { found, classes }),
        _ => Ok(()),
    }
}

/// Checks the noise of a bidirectional network, which is leave-one-out only at masked sites, and trains only on those.
///
/// # Errors
/// [`TrainError::Config`] when noise draws tokens other than the mask.
pub(crate) fn check_law(answers: Asked, schedule: &Schedule) -> Result<(), TrainError> {
    let absorbing = schedule.law().mask().is_some_and(|mask| schedule.law().probability(mask) == 1.0);
    let expected = "`{ kind = \"absorbing\" }`, which the network `bidirectional` needs, or another `model.network`";
    let found = "a law that draws tokens other than the mask";
    require(answers != Asked::Masked || absorbing, "schedule.noise", found, expected)
}

/// Checks the schedule of an autoregressive network: one sweep, from the last site to the first.
///
/// # Errors
/// [`TrainError::Config`] when the schedule has other sweeps.
fn check_order(answers: Asked, schedule: &Schedule) -> Result<(), TrainError> {
    let last_first = schedule.horizon() == schedule.len() && (0..schedule.len()).all(|t| schedule.sites(t) == [t]);
    let expected = "1 sweep, site by site, which the network `autoregressive` needs, or another `model.network`";
    let found = format!("{} sweeps, {} steps", schedule.sweeps(), schedule.horizon());
    require(answers != Asked::After || last_first, "schedule.sweeps", found, expected)
}

/// Checks the schedule of a block-causal network: block by block.
///
/// # Errors
/// [`TrainError::Config`] when the schedule has another order or block size, or the network is conditioned on the step.
fn check_blocks(network: &dyn SiteClassifier, schedule: &Schedule) -> Result<(), TrainError> {
    let (Some(block), found) = (network.block(), schedule.order().block()) else { return Ok(()) };
    let step = "the step, of which every block has another";
    require(!network.follows_time(), "model.conditioning", step, "\"none\", as masks tell all")?;
    let expected = format!(
        "`{{ kind = \"block-by-block\", block = {block} }}`, which the network `block-causal` with `model.block = {block}` needs"
    );
    let blocks = found.map_or("another order".into(), |found| format!("blocks of {found}"));
    require(found == Some(block), "schedule.order", blocks, &expected)
}

/// Checks the objective of a network that reads the site's own token, which some losses would teach it to copy.
///
/// # Errors
/// [`TrainError::Config`] when the objective is such a loss.
fn check_evidence(answers: Asked, objective: &dyn Objective) -> Result<(), TrainError> {
    let fits = answers != Asked::InView || objective.own_token() != OwnToken::Hidden;
    let expected = "`denoising` or `level-bound`, because the network `own-evidence` reads the site's own token, or another `model.network`";
    require(fits, "train.objective", objective.name(), expected)
}

/// Checks that sequences can have the labels of a whole sweep.
///
/// # Errors
/// [`TrainError::Config`] when the network does not separate both sides or is conditioned on the step. Also when a
/// sweep does not touch sites in their order, or time is continuous.
pub(crate) fn check_sweeps(
    network: &dyn SiteClassifier,
    objective: &dyn Objective,
    schedule: &Schedule,
) -> Result<(), TrainError> {
    let in_order = (0..schedule.horizon()).all(|t| schedule.sites(t) == [t % schedule.len()]);
    let found = match () {
        () if !network.has_two_views() => "a network that sees one sequence on both sides of a site",
        () if network.follows_time() => "a network that is conditioned on the step",
        () if !in_order => "an order other than round-robin",
        () if objective.is_continuous() => "an objective in continuous time",
        () => return Ok(()),
    };
    let (key, found) = ("train.whole_sweeps", format!("true with {found}"));
    let expected = "false, or the network `hollow` with `model.conditioning` = \"signal-level-only\", the order round-robin and an \
                    objective of steps";
    Err(TrainError::Config { key, found, expected: expected.into() })
}

/// Checks that the noise law is constant over signal levels, for objectives that need it.
///
/// # Errors
/// [`TrainError::Config`] when it moves.
pub fn require_fixed_law(objective: &dyn Objective, schedule: &Schedule) -> Result<(), TrainError> {
    let expected = format!("a law of another kind, which the objective `{}` needs", objective.name());
    let fixed = !schedule.law_of_levels().is_moving();
    require(fixed, "schedule.noise", "a law that moves with the signal level", &expected)
}

/// Checks that two sizes are equal.
///
/// # Errors
/// [`ChainError::Mismatch`] when they are not.
pub(crate) fn agree(what: &'static str, found: usize, expected: usize) -> Result<(), ChainError> {
    match found == expected {
        true => Ok(()),
        false => Err(ChainError::Mismatch { what, found, expected }),
    }
}
