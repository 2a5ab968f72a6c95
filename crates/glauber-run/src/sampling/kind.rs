//! The samplers that settings can name, and their construction.

use glauber_chain::{
    Blend, ChangesPerEvaluation, Flow, HeatBath, Lazy, MaximalCoupling, Plan, PlannedSampler, Remask, Remasking,
    ReverseKernel, ReverseSampler, Sampler, SkipAhead, SkipAheadSampler,
};
use glauber_schedule::Schedule;
use serde::{Deserialize, Serialize};
use strum::{EnumMessage, IntoStaticStr, VariantArray};

use super::SamplerSettings;
use crate::error::{Context, Result, ensure};
use crate::trained::{Blocks, Trained};

/// How the reverse chain undoes the steps of the forward chain.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, EnumMessage, IntoStaticStr, VariantArray,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum SamplerKind {
    /// Redraws each touched site from its conditional, independently of its current token.
    #[default]
    HeatBath,
    /// Draws from the posterior given the current token; most steps change nothing.
    Lazy,
    /// The lazy chain; evaluates the network for all sites at once, and again only after changes.
    SkipAhead,
    /// Keeps the current token, or draws a clean one ([`Flow`]).
    #[strum(message = "Keeps the token or draws a clean one: the Euler step of discrete flow matching")]
    Flow,
    /// Keeps the current token as often as an exact kernel can ([`MaximalCoupling`]).
    #[strum(message = "Keeps the token as often as an exact sampler can (maximal coupling)")]
    Coupling,
    /// Heat bath with a given probability, otherwise the lazy kernel ([`Blend`]).
    #[strum(message = "Heat bath with probability `--share`, otherwise lazy: the sampler of Duo")]
    Blend,
    /// Absorbing noise: masks written tokens again, with bounded probability ([`Remasking::Cap`]).
    #[strum(message = "Absorbing noise: masks written tokens again with probability `--share` at most (ReMDM)")]
    Remask,
    /// [`Remask`](Self::Remask) with a share of the largest allowed probability ([`Remasking::Rescale`]).
    #[strum(message = "Absorbing noise: remask with a `--share` of the maximal probability allowed")]
    RemaskRescaled,
    /// [`Remask`](Self::Remask), with half of the passes at a noise level of a tenth.
    #[strum(message = "Absorbing noise: remask, with half of the passes at a noise level of a tenth (ReMDM's loop)")]
    RemaskLoop,
    /// Absorbing noise: masks again tokens that were improbable when written ([`Plan::Remask`]).
    #[strum(
        message = "Absorbing noise: masks again tokens that were improbable when written, a `--share` of the maximum"
    )]
    RemaskConfident,
    /// Absorbing noise: writes in each pass the number of masks divided by the passes left, chosen at random
    /// ([`Plan::Random`]).
    #[strum(message = "Absorbing noise: writes some masks per pass, chosen at random")]
    Random,
    /// [`Random`](Self::Random), but from left to right.
    #[strum(message = "Absorbing noise: writes some masks per pass, from left to right")]
    InOrder,
    /// [`Random`](Self::Random), but the sites of least entropy.
    #[strum(message = "Absorbing noise: writes the masks of least entropy in each pass")]
    Entropy,
    /// [`Random`](Self::Random), but the most probable draws: a search, not a sampler of the model.
    #[strum(
        message = "Absorbing noise: writes the most probable draws of each pass. A search, not a sampler of the model"
    )]
    Confidence,
    /// Writes the sites of least entropy, as many as a bound allows ([`Plan::EntropyBound`]).
    #[strum(message = "Absorbing noise: writes the masks of least entropy, up to a sum of `--strength` nats per pass")]
    EntropyBound,
    /// [`Confidence`](Self::Confidence) that masks improbable tokens again: a search ([`Plan::Path`]).
    #[strum(
        message = "Absorbing noise: confidence, but masks tokens again that became improbable, at rate `--strength` (P2)"
    )]
    Path,
}

impl SamplerKind {
    /// Every one.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name in settings and on the command line.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// A description for `--help`.
    pub fn about(self) -> &'static str {
        self.get_message().or(self.get_documentation()).unwrap_or_default().trim_end_matches('.')
    }

    /// The default of a chain: lazy if every step touches all sites, or all sites of a block.
    pub(super) fn of(schedule: &Schedule) -> Self {
        let all_at_once = schedule.len() > 1 && schedule.horizon() == schedule.sweeps();
        if all_at_once || schedule.order().block().is_some() { Self::Lazy } else { Self::HeatBath }
    }

    /// The plan, for samplers that unmask; `number` is `--share` or `--strength`.
    fn plan(self, number: f64) -> Option<Plan> {
        match self {
            Self::Random => Some(Plan::Random),
            Self::InOrder => Some(Plan::InOrder),
            Self::Entropy => Some(Plan::Entropy),
            Self::Confidence => Some(Plan::Confidence),
            Self::EntropyBound => Some(Plan::EntropyBound(number)),
            Self::Path => Some(Plan::Path(number)),
            Self::RemaskConfident => Some(Plan::Remask(number)),
            _ => None,
        }
    }

    /// Whether it has a probability to be chosen.
    fn has_share(self) -> bool {
        use SamplerKind as Is;
        matches!(self, Is::Blend | Is::Remask | Is::RemaskRescaled | Is::RemaskLoop | Is::RemaskConfident)
    }

    /// Whether it has a number that is no probability.
    fn has_strength(self) -> bool {
        matches!(self, Self::EntropyBound | Self::Path)
    }
}

/// The chain that the settings ask of a run. A plan writes some masks of all sites a pass: by default in as many passes as sites.
pub(super) fn schedule(trained: &Trained, settings: &SamplerSettings) -> Result<Schedule> {
    let &SamplerSettings { sampler, sweeps, blocks, .. } = settings;
    if sampler == Some(SamplerKind::RemaskLoop) {
        let of_all = trained.schedule_with(sweeps, blocks)?;
        return of_all.through(&loop_levels(of_all.sweeps())).context("`--sampler remask-loop`");
    }
    let Some(planned) = sampler.filter(|sampler| sampler.plan(0.0).is_some()) else {
        return trained.schedule_with(sweeps, blocks);
    };
    let name = planned.name();
    ensure!(
        matches!(blocks, None | Some(Blocks::All)),
        "`--sampler {name}` needs all sites in every step: use `--passes` in place of `--block` and `--apart`"
    );
    trained.schedule_with(sweeps.or(Some(trained.schedule.len())), Some(Blocks::All))
}

/// The levels that `sweeps` of ReMDM's loop end at: 45 % of them rise to .9, half stay there and the others rise to 1.
fn loop_levels(sweeps: usize) -> Vec<f64> {
    const LEVEL: f64 = 0.9;
    let (rise, stay) = ((9 * sweeps).div_ceil(20), sweeps / 2);
    let last = sweeps.saturating_sub(rise + stay).max(1);
    let stay = sweeps.saturating_sub(rise + last);
    let up = (1..=rise).map(|sweep| LEVEL * (sweep as f64 / rise as f64)).take(sweeps - last);
    let rest = (1..=last).map(|sweep| LEVEL + (1.0 - LEVEL) * (sweep as f64 / last as f64));
    up.chain(std::iter::repeat_n(LEVEL, stay)).chain(rest).collect()
}

/// The sampler that the settings name.
pub(super) fn sampler(
    schedule: Schedule,
    sampler: SamplerKind,
    settings: &SamplerSettings,
) -> Result<Box<dyn Sampler>> {
    let &SamplerSettings { controls, changes_per_eval, conditioning_window, share, strength, .. } = settings;
    let skips = sampler == SamplerKind::SkipAhead;
    for (flag, given) in
        [("--changes-per-eval", changes_per_eval.is_some()), ("--conditioning-window", conditioning_window.is_some())]
    {
        ensure!(skips || !given, "`{flag}` needs `--sampler skip-ahead`");
    }
    let name = sampler.name();
    ensure!(share.is_none() || sampler.has_share(), "`--share` has no effect on `--sampler {name}`: leave it out");
    ensure!(
        strength.is_none() || sampler.has_strength(),
        "`--strength` has no effect on `--sampler {name}`: leave it out"
    );
    let share = || share.with_context(|| format!("`--sampler {name}` needs `--share`: a probability"));
    let remask = |remasking, schedule: &Schedule| {
        Remask::new(schedule.law(), remasking, controls).with_context(|| format!("`--sampler {name}`, `--share`"))
    };
    if sampler.has_strength() {
        strength.with_context(|| format!("`--sampler {name}` needs `--strength`: a number of at least 0"))?;
    }
    let number = if sampler.has_share() { share()? } else { strength.unwrap_or(0.0) };
    if let Some(plan) = sampler.plan(number) {
        let planned = PlannedSampler::new(schedule, plan, controls);
        return Ok(Box::new(planned.with_context(|| format!("`--sampler {name}`"))?));
    }
    let kernel: Box<dyn ReverseKernel> = match sampler {
        SamplerKind::HeatBath => return Ok(Box::new(ReverseSampler::new(schedule, HeatBath::new(controls)?))),
        SamplerKind::Lazy => return Ok(Box::new(ReverseSampler::new(schedule, Lazy::new(controls)?))),
        SamplerKind::SkipAhead => {
            let changes = changes_per_eval.unwrap_or(ChangesPerEvaluation::Fixed(1));
            let window = conditioning_window.or(SkipAhead::adaptive(&schedule).window());
            ensure!(window != Some(0), "`--conditioning-window` is 0, expected at least 1 step");
            return Ok(Box::new(SkipAheadSampler::new(schedule, SkipAhead::new(changes, window, controls)?)));
        }
        SamplerKind::Flow => {
            let moving = schedule.law_of_levels().is_moving();
            ensure!(!moving, "`--sampler flow` does not support noise of kind `moving`: use `--sampler lazy`");
            Box::new(Flow::new(controls)?)
        }
        SamplerKind::Coupling => Box::new(MaximalCoupling::new(controls)?),
        SamplerKind::Blend => {
            let (heat_bath, lazy) = (HeatBath::new(controls)?, Lazy::new(controls)?);
            Box::new(Blend::new(share()?, heat_bath, lazy).context("`--share`")?)
        }
        SamplerKind::Remask | SamplerKind::RemaskLoop => Box::new(remask(Remasking::Cap(share()?), &schedule)?),
        SamplerKind::RemaskRescaled => Box::new(remask(Remasking::Rescale(share()?), &schedule)?),
        _ => unreachable!("the others have plans"),
    };
    Ok(Box::new(ReverseSampler::new(schedule, kernel)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use glauber_schedule::{NoiseLaw, SignalShape, SiteOrder};

    #[test]
    fn half_of_a_loop_stays_at_one_level() {
        for sweeps in 1..300 {
            let levels = loop_levels(sweeps);
            assert_eq!((levels.len(), levels[sweeps - 1]), (sweeps, 1.0), "{sweeps}");
            assert!(levels[0] > 0.0 && levels.windows(2).all(|pair| pair[0] <= pair[1]), "{sweeps}: {levels:?}");
        }
        assert_eq!(loop_levels(20).iter().filter(|level| **level == 0.9).count(), 11);
    }

    #[test]
    fn passes_of_all_sites_are_lazy_unless_told_otherwise() {
        let of = |order: SiteOrder| {
            let law = NoiseLaw::uniform(3).expect("a law");
            SamplerKind::of(&Schedule::new(SignalShape::Linear, order, law, 1e-3, false).expect("a schedule"))
        };
        assert_eq!(of(SiteOrder::round_robin(4, 8).expect("an order")), SamplerKind::HeatBath);
        assert_eq!(of(SiteOrder::strided(4, 2, 8).expect("an order")), SamplerKind::HeatBath);
        assert_eq!(of(SiteOrder::strided(4, 4, 8).expect("an order")), SamplerKind::Lazy);
        assert_eq!(of(SiteOrder::block_by_block(4, 2, 8).expect("an order")), SamplerKind::Lazy);
    }
}
